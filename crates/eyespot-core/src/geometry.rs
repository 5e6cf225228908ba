//! Boxes.

/// An axis-aligned box in pixels: `x1, y1` is the top-left corner, `x2, y2` the bottom-right one (exclusive, so
/// that the width is `x2 - x1`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BBox {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
}

impl BBox {
    /// A box from its corners.
    #[must_use]
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// A box from its top-left corner and size.
    #[must_use]
    pub const fn from_xywh(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x1: x, y1: y, x2: x + width, y2: y + height }
    }

    /// A box from its centre and size.
    #[must_use]
    pub const fn from_cxcywh(cx: f32, cy: f32, width: f32, height: f32) -> Self {
        Self { x1: cx - width / 2.0, y1: cy - height / 2.0, x2: cx + width / 2.0, y2: cy + height / 2.0 }
    }

    /// `[x1, y1, x2, y2]`.
    #[must_use]
    pub const fn xyxy(&self) -> [f32; 4] {
        [self.x1, self.y1, self.x2, self.y2]
    }

    /// Width in pixels; negative if the corners are swapped.
    #[must_use]
    pub const fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// Height in pixels; negative if the corners are swapped.
    #[must_use]
    pub const fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Centre `(x, y)`.
    #[must_use]
    pub const fn center(&self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// Area in square pixels, 0 for an empty or inverted box.
    #[must_use]
    pub const fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// All four coordinates are finite and the box has a positive width and height.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.x1.is_finite()
            && self.y1.is_finite()
            && self.x2.is_finite()
            && self.y2.is_finite()
            && self.x2 > self.x1
            && self.y2 > self.y1
    }

    /// The overlap of two boxes in square pixels.
    #[must_use]
    pub const fn intersection(&self, other: &Self) -> f32 {
        let width = self.x2.min(other.x2) - self.x1.max(other.x1);
        let height = self.y2.min(other.y2) - self.y1.max(other.y1);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, `0..=1`; 0 where both are empty.
    #[must_use]
    pub const fn iou(&self, other: &Self) -> f32 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }

    /// Intersection over the smaller of the two areas, `0..=1`; 1 where one box contains the other.
    #[must_use]
    pub const fn ios(&self, other: &Self) -> f32 {
        let smaller = self.area().min(other.area());
        if smaller > 0.0 { self.intersection(other) / smaller } else { 0.0 }
    }

    /// The smallest box around both.
    #[must_use]
    pub const fn union_box(&self, other: &Self) -> Self {
        Self {
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
            x2: self.x2.max(other.x2),
            y2: self.y2.max(other.y2),
        }
    }

    /// Moved by `dx, dy`.
    #[must_use]
    pub const fn translated(&self, dx: f32, dy: f32) -> Self {
        Self { x1: self.x1 + dx, y1: self.y1 + dy, x2: self.x2 + dx, y2: self.y2 + dy }
    }

    /// Cut to `0..=width, 0..=height`. What lies outside becomes an empty box on the border. A coordinate that is not a
    /// number stays as it is.
    #[must_use]
    pub const fn clipped(&self, width: f32, height: f32) -> Self {
        // `f32::clamp` panics where the limit is negative or not a number, and brings the formatting of floats, 25 KiB,
        // into the flash of a microcontroller.
        const fn cut(value: f32, limit: f32) -> f32 {
            if value > limit {
                limit
            } else if value < 0.0 {
                0.0
            } else {
                value
            }
        }
        Self {
            x1: cut(self.x1, width),
            y1: cut(self.y1, height),
            x2: cut(self.x2, width),
            y2: cut(self.y2, height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_and_ios_of_known_boxes() {
        let a = BBox::new(0.0, 0.0, 10.0, 10.0);
        let b = BBox::new(5.0, 0.0, 15.0, 10.0);
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert!((a.ios(&b) - 0.5).abs() < 1e-6);
        assert_eq!(a.iou(&a), 1.0);
        let inside = BBox::new(2.0, 2.0, 4.0, 4.0);
        assert_eq!(a.ios(&inside), 1.0);
        let empty = BBox::new(3.0, 3.0, 3.0, 3.0);
        assert_eq!(empty.iou(&empty), 0.0);
    }

    #[test]
    fn clipping_takes_any_numbers() {
        let bbox = BBox::new(-5.0, 2.0, 20.0, 30.0);
        assert_eq!(bbox.clipped(10.0, 25.0), BBox::new(0.0, 2.0, 10.0, 25.0));
        assert!(!bbox.clipped(-1.0, 25.0).is_valid());
        assert_eq!(bbox.clipped(f32::NAN, f32::INFINITY), BBox::new(0.0, 2.0, 20.0, 30.0));
        assert!(!BBox::new(f32::NAN, 0.0, 1.0, 1.0).clipped(10.0, 10.0).is_valid());
    }

    #[test]
    fn validity_stops_non_finite_and_inverted_boxes() {
        assert!(BBox::new(0.0, 0.0, 1.0, 1.0).is_valid());
        assert!(!BBox::new(f32::NAN, 0.0, 1.0, 1.0).is_valid());
        assert!(!BBox::new(0.0, 0.0, f32::INFINITY, 1.0).is_valid());
        assert!(!BBox::new(1.0, 0.0, 0.0, 1.0).is_valid());
        assert!(!BBox::new(0.0, 0.0, 0.0, 1.0).is_valid());
    }
}
