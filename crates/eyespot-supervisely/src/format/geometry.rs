//! Shapes of objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Bitmap, FormatError, Shape};

/// A place, `x, y` in pixels.
pub type Point = [f64; 2];

/// Where an object is, in pixels of the image.
///
/// Coordinates are those of the Python SDK: whole pixels, corners included, so that a box of one pixel has
/// `left == right`. [`subpixel`](super::subpixel) converts to and from the edges that the platform stores.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Geometry {
    /// `rectangle`.
    Rectangle(Rectangle),
    /// `oriented_bbox`.
    OrientedBox(OrientedBox),
    /// `bitmap`: one bit per pixel.
    Bitmap(Bitmap),
    /// `polygon`.
    Polygon(Polygon),
    /// `line`: a path of two or more points.
    Line(Vec<Point>),
    /// `point`.
    Point(Point),
    /// `graph`: keypoints.
    Graph(Graph),
    /// Any other shape, as it came.
    Other {
        /// Name of the shape.
        shape: String,
        /// Its fields, and all other fields of the object.
        fields: Map<String, Value>,
    },
}

/// A box; all four sides belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rectangle {
    /// First column.
    pub left: f64,
    /// First row.
    pub top: f64,
    /// Last column.
    pub right: f64,
    /// Last row.
    pub bottom: f64,
}

/// A box that is rotated about its centre.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OrientedBox {
    /// The box before the rotation.
    pub rectangle: Rectangle,
    /// Radians, clockwise on screen.
    pub angle: f64,
}

/// An area with holes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Polygon {
    /// Its border.
    pub exterior: Vec<Point>,
    /// The borders of its holes.
    pub interior: Vec<Vec<Point>>,
}

/// Keypoints by the ids of their nodes in the class's [template](super::Template).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Graph {
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
}

/// A keypoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Node {
    /// Where it is.
    #[serde(with = "point")]
    pub loc: Point,
    /// Is it hidden?
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

impl Geometry {
    /// Which shape it is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Self::Rectangle(_) => Shape::Rectangle,
            Self::OrientedBox(_) => Shape::OrientedBox,
            Self::Bitmap(_) => Shape::Bitmap,
            Self::Polygon(_) => Shape::Polygon,
            Self::Line(_) => Shape::Line,
            Self::Point(_) => Shape::Point,
            Self::Graph(_) => Shape::Graph,
            Self::Other { shape, .. } => Shape::Other(shape.clone()),
        }
    }

    /// Takes the fields of a shape out of an object; what is no part of it stays.
    ///
    /// # Errors
    /// [`FormatError::Geometry`] where a field is missing or has another form.
    pub fn take(shape: &Shape, fields: &mut Map<String, Value>) -> Result<Self, FormatError> {
        Ok(match shape {
            Shape::Rectangle => {
                let points = Points::take(shape, fields)?;
                Self::Rectangle(Rectangle::of(shape, &points.exterior)?)
            }
            Shape::OrientedBox => {
                let corners: Vec<Point> = take(shape, fields, "points")?;
                let rectangle = Rectangle::of(shape, &corners)?;
                let angle = if fields.contains_key("angle") { take(shape, fields, "angle")? } else { 0.0 };
                Self::OrientedBox(OrientedBox { rectangle, angle })
            }
            Shape::Bitmap => Self::Bitmap(take(shape, fields, "bitmap")?),
            Shape::Polygon => {
                let Points { exterior, interior } = Points::take(shape, fields)?;
                Self::Polygon(Polygon { exterior, interior })
            }
            Shape::Line => Self::Line(Points::take(shape, fields)?.exterior),
            Shape::Point => match Points::take(shape, fields)?.exterior[..] {
                [point] => Self::Point(point),
                ref other => return Err(count(shape, "one point", other.len())),
            },
            Shape::Graph => Self::Graph(Graph { nodes: take(shape, fields, "nodes")? }),
            Shape::Any | Shape::Other(_) => {
                Self::Other { shape: shape.as_str().to_owned(), fields: std::mem::take(fields) }
            }
        })
    }

    /// Puts the fields of the shape into an object.
    pub fn put(&self, fields: &mut Map<String, Value>) {
        match self {
            Self::Rectangle(rectangle) => put_points(fields, &rectangle.corners(), &[]),
            Self::OrientedBox(OrientedBox { rectangle, angle }) => {
                fields.insert("points".into(), list(&rectangle.corners()));
                fields.insert("angle".into(), json!(angle));
            }
            Self::Bitmap(bitmap) => {
                let [x, y] = bitmap.origin;
                fields.insert("bitmap".into(), json!({"origin": [x, y], "data": bitmap.data}));
            }
            Self::Polygon(Polygon { exterior, interior }) => put_points(fields, exterior, interior),
            Self::Line(points) => put_points(fields, points, &[]),
            Self::Point(point) => put_points(fields, &[*point], &[]),
            Self::Graph(graph) => {
                fields.insert("nodes".into(), serde_json::to_value(&graph.nodes).unwrap_or_default());
            }
            Self::Other { fields: own, .. } => {
                fields.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
    }

    /// The shape's fields alone, as in figures of videos.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        self.put(&mut fields);
        Value::Object(fields)
    }

    /// The smallest rectangle around it; `None` for an unknown shape and for one without points.
    #[must_use]
    pub fn bounds(&self) -> Option<Rectangle> {
        match self {
            Self::Rectangle(rectangle) => Some(*rectangle),
            Self::OrientedBox(oriented) => Rectangle::around(oriented.corners()),
            Self::Bitmap(bitmap) => {
                let (width, height) = bitmap.size().ok()?;
                let [left, top] = bitmap.origin.map(|origin| origin as f64);
                let (right, bottom) = (left + f64::from(width) - 1.0, top + f64::from(height) - 1.0);
                Some(Rectangle { left, top, right, bottom })
            }
            Self::Polygon(polygon) => Rectangle::around(polygon.exterior.iter().copied()),
            Self::Line(points) => Rectangle::around(points.iter().copied()),
            Self::Point(point) => Rectangle::around([*point]),
            Self::Graph(graph) => Rectangle::around(graph.nodes.values().map(|node| node.loc)),
            Self::Other { .. } => None,
        }
    }
}

impl Rectangle {
    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> f64 {
        self.right - self.left + 1.0
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> f64 {
        self.bottom - self.top + 1.0
    }

    pub(crate) const fn corners(&self) -> [Point; 2] {
        [[self.left, self.top], [self.right, self.bottom]]
    }

    /// From two opposite corners in any order.
    fn of(shape: &Shape, corners: &[Point]) -> Result<Self, FormatError> {
        let [a, b] = corners else { return Err(count(shape, "two corners", corners.len())) };
        Ok(Self { left: a[0].min(b[0]), top: a[1].min(b[1]), right: a[0].max(b[0]), bottom: a[1].max(b[1]) })
    }

    /// The smallest one around points; `None` for none.
    fn around(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        points.into_iter().fold(None, |bounds: Option<Self>, [x, y]| {
            let Self { left, top, right, bottom } =
                bounds.unwrap_or(Self { left: x, top: y, right: x, bottom: y });
            Some(Self { left: left.min(x), top: top.min(y), right: right.max(x), bottom: bottom.max(y) })
        })
    }
}

impl OrientedBox {
    /// The corners after the rotation, clockwise from the one that was the top-left one.
    #[must_use]
    pub fn corners(&self) -> [Point; 4] {
        let Rectangle { left, top, right, bottom } = self.rectangle;
        let (cx, cy) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let (sin, cos) = self.angle.sin_cos();
        [[left, top], [right, top], [right, bottom], [left, bottom]].map(|[x, y]| {
            let (dx, dy) = (x - cx, y - cy);
            [cx + dx * cos - dy * sin, cy + dx * sin + dy * cos]
        })
    }
}

/// The form that most shapes share.
#[derive(Deserialize)]
struct Points {
    exterior: Vec<Point>,
    #[serde(default)]
    interior: Vec<Vec<Point>>,
}

impl Points {
    fn take(shape: &Shape, fields: &mut Map<String, Value>) -> Result<Self, FormatError> {
        take(shape, fields, "points")
    }
}

fn put_points(fields: &mut Map<String, Value>, exterior: &[Point], interior: &[Vec<Point>]) {
    let interior: Vec<Value> = interior.iter().map(|hole| list(hole)).collect();
    fields.insert("points".into(), json!({"exterior": list(exterior), "interior": interior}));
}

fn take<T: serde::de::DeserializeOwned>(
    shape: &Shape,
    fields: &mut Map<String, Value>,
    key: &'static str,
) -> Result<T, FormatError> {
    let wrong = |reason| FormatError::Geometry { shape: shape.as_str().to_owned(), reason };
    let value = fields.remove(key).ok_or_else(|| wrong(format!("`{key}` is missing")))?;
    serde_json::from_value(value).map_err(|error| wrong(format!("`{key}`: {error}")))
}

fn count(shape: &Shape, expected: &str, got: usize) -> FormatError {
    let reason = format!("{expected} expected, {got} given");
    FormatError::Geometry { shape: shape.as_str().to_owned(), reason }
}

fn list(points: &[Point]) -> Value {
    points.iter().map(|point| Value::from(point.map(number).to_vec())).collect()
}

/// Whole numbers are written without a point, as the SDK reads them.
fn number(value: f64) -> Value {
    // Every whole number below 2^53 is exact in both types.
    let whole = value as i64;
    if whole as f64 == value && value.abs() < 9e15 { whole.into() } else { value.into() }
}

/// A point, its whole numbers without a point.
pub(super) mod point {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        point: &super::Point,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        point.map(super::number).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<super::Point, D::Error> {
        <[f64; 2]>::deserialize(deserializer)
    }
}
