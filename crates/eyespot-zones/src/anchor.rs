//! Points, and the one that stands for an object.

use eyespot_core::BBox;

/// A point in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Point {
    /// Horizontal position.
    pub x: f32,
    /// Vertical position, downwards.
    pub y: f32,
}

impl Point {
    /// A point from its coordinates.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub(crate) const fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }

    pub(crate) const fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// Positive where `other` lies clockwise of `self` on the screen.
    pub(crate) const fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    /// Distance from the segment `a`-`b`, pixels.
    pub(crate) fn distance(self, a: Self, b: Self) -> f32 {
        let (along, to) = (b.minus(a), self.minus(a));
        let length = along.dot(along);
        let share = if length > 0.0 { (to.dot(along) / length).clamp(0.0, 1.0) } else { 0.0 };
        let rest = to.minus(Self::new(along.x * share, along.y * share));
        libm::sqrtf(rest.dot(rest))
    }
}

impl From<(f32, f32)> for Point {
    fn from((x, y): (f32, f32)) -> Self {
        Self { x, y }
    }
}

/// Which point of its box stands for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Anchor {
    /// The middle of the lower edge: where a person or a car meets the ground.
    #[default]
    Bottom,
    /// The centre: for cameras that look straight down.
    Center,
    /// The middle of the upper edge.
    Top,
}

impl Anchor {
    /// The point of the box.
    #[must_use]
    pub const fn of(self, bbox: &BBox) -> Point {
        let (x, y) = bbox.center();
        match self {
            Self::Bottom => Point { x, y: bbox.y2 },
            Self::Center => Point { x, y },
            Self::Top => Point { x, y: bbox.y1 },
        }
    }
}
