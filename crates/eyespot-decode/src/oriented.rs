//! Oriented boxes: a box and an angle beside it.

use eyespot_core::BBox;

/// A box that is turned about its centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrientedBox {
    /// The box before its rotation.
    pub bbox: BBox,
    /// Clockwise on screen, radians.
    pub angle: f32,
}

/// Most corners of what two rectangles share.
const CORNERS: usize = 8;

/// A convex polygon.
#[derive(Clone, Copy)]
struct Polygon {
    points: [[f32; 2]; CORNERS],
    len: usize,
}

impl Polygon {
    const EMPTY: Self = Self { points: [[0.0; 2]; CORNERS], len: 0 };

    fn as_slice(&self) -> &[[f32; 2]] {
        self.points.get(..self.len).unwrap_or_default()
    }

    /// Rounding can make a corner too many: it is left out.
    fn push(&mut self, point: [f32; 2]) {
        if let Some(slot) = self.points.get_mut(self.len) {
            *slot = point;
            self.len += 1;
        }
    }

    fn edges(&self) -> impl Iterator<Item = ([f32; 2], [f32; 2])> + '_ {
        let points = self.as_slice();
        points.iter().zip(points.iter().cycle().skip(1)).map(|(&from, &to)| (from, to))
    }

    fn area(&self) -> f32 {
        let twice: f32 = self.edges().map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1).sum();
        (0.5 * twice).max(0.0)
    }

    /// The part on the inner side of an edge (Sutherland and Hodgman 1974).
    fn cut(&self, [ax, ay]: [f32; 2], [bx, by]: [f32; 2]) -> Self {
        let side = |[x, y]: [f32; 2]| (bx - ax) * (y - ay) - (by - ay) * (x - ax);
        let mut part = Self::EMPTY;
        for (from, to) in self.edges() {
            let (before, after) = (side(from), side(to));
            if before >= 0.0 {
                part.push(from);
            }
            if (before >= 0.0) != (after >= 0.0) {
                let share = before / (before - after);
                part.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
            }
        }
        part
    }
}

impl OrientedBox {
    /// Its corners about a point, clockwise on screen.
    fn polygon(&self, (ox, oy): (f32, f32)) -> Polygon {
        let (sin, cos) = libm::sincosf(self.angle);
        let (cx, cy) = self.bbox.center();
        let (half_width, half_height) = (self.bbox.width() / 2.0, self.bbox.height() / 2.0);
        let mut polygon = Polygon::EMPTY;
        for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
            let (x, y) = (x * half_width, y * half_height);
            polygon.push([cx - ox + x * cos - y * sin, cy - oy + x * sin + y * cos]);
        }
        polygon
    }

    /// The overlap of two boxes in square pixels.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> f32 {
        // About the centre of one of them: far from the origin the products of coordinates lose their last digits.
        let origin = self.bbox.center();
        let theirs = other.polygon(origin);
        let mut shared = self.polygon(origin);
        for (from, to) in theirs.edges() {
            shared = shared.cut(from, to);
        }
        shared.area()
    }

    /// Intersection over union, `0..=1`; 0 where both are empty.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let intersection = self.intersection(other);
        let union = self.bbox.area() + other.bbox.area() - intersection;
        if union > 0.0 { (intersection / union).min(1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f32::consts::{FRAC_PI_2, FRAC_PI_4, SQRT_2};

    fn turned(bbox: BBox, angle: f32) -> OrientedBox {
        OrientedBox { bbox, angle }
    }

    #[test]
    fn overlaps_of_known_shapes() {
        let square = turned(BBox::from_cxcywh(500.0, 300.0, 2.0, 2.0), 0.0);
        // A square turned by 45 degrees shares an octagon with it.
        let diamond = turned(square.bbox, FRAC_PI_4);
        let octagon = 8.0 * (SQRT_2 - 1.0);
        assert!((square.intersection(&diamond) - octagon).abs() < 1e-4);
        // A flat box turned upright is the upright box.
        let flat = turned(BBox::from_cxcywh(10.0, 10.0, 8.0, 2.0), FRAC_PI_2);
        let upright = turned(BBox::from_cxcywh(10.0, 10.0, 2.0, 8.0), 0.0);
        assert!((flat.iou(&upright) - 1.0).abs() < 1e-5);
        assert_eq!(square.iou(&upright), 0.0);
    }
}
