//! Pixels to the edges that the platform stores, and back.
//!
//! In files and in the SDK a coordinate is the number of a pixel, and a box's right side is its last column. The
//! platform stores places between pixels: a box of one pixel is one wide. Annotations of images are converted on their
//! way there and back; figures of videos, files and the serving protocol are not.

use super::{Annotation, Geometry, ImageSize, OrientedBox, Point, Rectangle};

/// From pixels to the platform's coordinates.
pub fn to_platform(geometry: &mut Geometry) {
    let edges = |rectangle: &mut Rectangle| {
        rectangle.right += 1.0;
        rectangle.bottom += 1.0;
    };
    match geometry {
        Geometry::Rectangle(rectangle) | Geometry::OrientedBox(OrientedBox { rectangle, .. }) => {
            edges(rectangle);
        }
        // Masks lie on whole pixels in both.
        Geometry::Bitmap(_) | Geometry::Other { .. } => {}
        other => points(other, |point| point.iter_mut().for_each(|value| *value += 0.5)),
    }
}

/// From the platform's coordinates to pixels of an image of this size.
pub fn from_platform(geometry: &mut Geometry, size: ImageSize) {
    match geometry {
        Geometry::Rectangle(rectangle) | Geometry::OrientedBox(OrientedBox { rectangle, .. }) => {
            *rectangle = pixels(rectangle);
        }
        Geometry::Bitmap(_) | Geometry::Other { .. } => {}
        other => points(other, |point| {
            for (value, len) in point.iter_mut().zip([size.width, size.height]) {
                *value = value.floor();
                // The far edge belongs to the last pixel.
                if *value == f64::from(len) {
                    *value -= 1.0;
                }
            }
        }),
    }
}

/// All objects of an annotation as the platform takes them.
#[must_use]
pub fn annotation_to_platform(mut annotation: Annotation) -> Annotation {
    annotation.objects.iter_mut().for_each(|object| to_platform(&mut object.geometry));
    annotation
}

/// All objects of an annotation from the platform.
#[must_use]
pub fn annotation_from_platform(mut annotation: Annotation) -> Annotation {
    let size = annotation.size;
    annotation.objects.iter_mut().for_each(|object| from_platform(&mut object.geometry, size));
    annotation
}

/// A pixel belongs to a box that covers three tenths of it, except that a box inside one pixel is that pixel.
fn pixels(edges: &Rectangle) -> Rectangle {
    let Rectangle { left, top, right, bottom } = *edges;
    let inside = left.trunc() == right.trunc() && top.trunc() == bottom.trunc();
    let up = |edge: f64, share: f64| if edge - edge.floor() >= share { edge.ceil() } else { edge.floor() };
    let first = |edge: f64| if inside { edge.trunc() } else { up(edge, 1.0 - 0.3) };
    let last = |edge: f64| if inside { edge.trunc() } else { up(edge, 0.3) };
    let (left, top) = (first(left), first(top));
    Rectangle { left, top, right: (last(right) - 1.0).max(left), bottom: (last(bottom) - 1.0).max(top) }
}

fn points(geometry: &mut Geometry, mut change: impl FnMut(&mut Point)) {
    match geometry {
        Geometry::Polygon(polygon) => {
            polygon.exterior.iter_mut().chain(polygon.interior.iter_mut().flatten()).for_each(change);
        }
        Geometry::Line(points) => points.iter_mut().for_each(change),
        Geometry::Point(point) => change(point),
        Geometry::Graph(graph) => graph.nodes.values_mut().for_each(|node| change(&mut node.loc)),
        Geometry::Rectangle(_) | Geometry::OrientedBox(_) | Geometry::Bitmap(_) | Geometry::Other { .. } => {}
    }
}
