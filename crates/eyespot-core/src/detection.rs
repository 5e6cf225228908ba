//! What a predictor says about one object.

use core::num::{NonZeroI16, NonZeroU16, NonZeroU32};

use crate::{BBox, ClassId};

/// Identity of an object over time. Unique within one tracker until it is reset; never zero, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrackId(pub NonZeroU32);

impl TrackId {
    /// A track id from its number; `None` for 0.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        match NonZeroU32::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// Rotation of an oriented box about its centre, clockwise on screen (from the x axis towards the y axis),
/// `-π..=π`, in steps of π/32767.
///
/// Stored in two bytes that a [`Detection`] without rotation would leave empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Angle(NonZeroI16);

impl Angle {
    /// From radians; any finite angle is wrapped into `-π..=π`, a non-finite one gives `None`.
    #[must_use]
    pub fn from_radians(radians: f32) -> Option<Self> {
        if !radians.is_finite() {
            return None;
        }
        let (turn, half) = (core::f32::consts::TAU, core::f32::consts::PI);
        // Both ends of the range stay where they are.
        let wrapped =
            if radians.abs() <= half { radians } else { radians - turn * libm::roundf(radians / turn) };
        let steps = libm::roundf(wrapped / half * 32767.0).clamp(-32767.0, 32767.0) as i16;
        // Zero is the niche of `Option`: flipping the sign bit moves it to the one step that is never used.
        NonZeroI16::new(steps ^ i16::MIN).map(Self)
    }

    /// In radians, `-π..=π`.
    #[must_use]
    pub fn radians(self) -> f32 {
        f32::from(self.0.get() ^ i16::MIN) / 32767.0 * core::f32::consts::PI
    }
}

/// Where the bits of a mask lie: a rectangle in the frame and an offset into the mask arena.
///
/// One bit per pixel, the most significant bit of a byte leftmost, each row padded to a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// Left edge in the frame, pixels.
    pub x: u16,
    /// Top edge in the frame, pixels.
    pub y: u16,
    /// Width in pixels.
    pub width: NonZeroU16,
    /// Height in pixels.
    pub height: NonZeroU16,
    /// First byte in the mask arena.
    pub(crate) offset: u32,
}

impl Mask {
    /// Bytes that the bits of a mask of this size take.
    #[must_use]
    pub const fn bytes(width: u16, height: u16) -> usize {
        (width as usize).div_ceil(8) * height as usize
    }

    /// Bytes that the bits of this mask take in the arena.
    #[must_use]
    pub const fn len(&self) -> usize {
        Self::bytes(self.width.get(), self.height.get())
    }

    /// Always `false`: a mask has at least one pixel.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    pub(crate) const fn start(&self) -> usize {
        self.offset as usize
    }
}

/// A run of entries in the keypoint arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub(crate) start: u16,
    pub(crate) len: NonZeroU16,
}

impl Span {
    pub(crate) const fn start(&self) -> usize {
        self.start as usize
    }

    pub(crate) const fn len(&self) -> usize {
        self.len.get() as usize
    }
}

/// A keypoint of an object.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keypoint {
    /// Horizontal position in pixels.
    pub x: f32,
    /// Vertical position in pixels.
    pub y: f32,
    /// Confidence that it is visible there, `0..=1`.
    pub score: f32,
}

/// One detected object. 44 bytes, `Copy`; the bits of a mask and the keypoints lie in the arenas of the
/// [`Predictions`](crate::Predictions) that hold it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Detection {
    /// Where it is, in pixels of the frame. For an oriented box: the box before rotation about its centre.
    pub bbox: BBox,
    /// Confidence, `0..=1`.
    pub score: f32,
    /// What it is.
    pub class: ClassId,
    /// Rotation of an oriented box; `None` for an upright one.
    pub angle: Option<Angle>,
    /// Which object it is over time; `None` until a tracker has confirmed it.
    pub track: Option<TrackId>,
    /// Where its mask lies, if it has one.
    pub(crate) mask: Option<Mask>,
    /// Where its keypoints lie, if it has any.
    pub(crate) keypoints: Option<Span>,
}

impl Detection {
    /// A detection with a plain box.
    #[must_use]
    pub const fn new(bbox: BBox, score: f32, class: ClassId) -> Self {
        Self { bbox, score, class, ..Self::ZERO }
    }

    /// Best score first; equal scores have an order that depends on nothing but the detections.
    #[must_use]
    pub fn by_score(&self, other: &Self) -> core::cmp::Ordering {
        (other.score.total_cmp(&self.score))
            .then(self.class.cmp(&other.class))
            .then(self.bbox.x1.total_cmp(&other.bbox.x1))
            .then(self.bbox.y1.total_cmp(&other.bbox.y1))
    }

    /// The detection that an unused slot holds. All bits are zero, so that static storage costs no flash.
    pub(crate) const ZERO: Self = Self {
        bbox: BBox { x1: 0.0, y1: 0.0, x2: 0.0, y2: 0.0 },
        score: 0.0,
        class: ClassId(0),
        angle: None,
        track: None,
        mask: None,
        keypoints: None,
    };

    /// Has it a mask?
    #[must_use]
    pub const fn has_mask(&self) -> bool {
        self.mask.is_some()
    }

    /// Has it keypoints?
    #[must_use]
    pub const fn has_keypoints(&self) -> bool {
        self.keypoints.is_some()
    }

    /// The box is valid and the score lies in `0..=1`.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.bbox.is_valid() && (0.0..=1.0).contains(&self.score)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TrackId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "#{}", self.get());
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Detection {
    fn format(&self, f: defmt::Formatter<'_>) {
        let BBox { x1, y1, x2, y2 } = self.bbox;
        defmt::write!(
            f,
            "class {} {} ({}, {}, {}, {}) {}",
            self.class.0,
            self.score,
            x1,
            y1,
            x2,
            y2,
            self.track
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detection_takes_44_bytes() {
        assert_eq!(size_of::<Detection>(), 44);
        assert_eq!(size_of::<Option<Mask>>(), 12);
        assert_eq!(size_of::<Option<Angle>>(), 2);
    }

    #[test]
    fn angles_round_trip_within_a_step() {
        let step = core::f32::consts::PI / 32767.0;
        for degrees in -180..=180 {
            let radians = (degrees as f32).to_radians();
            let angle = Angle::from_radians(radians).unwrap();
            let error = (angle.radians() - radians).abs();
            assert!(error <= step, "{degrees}");
        }
        let beyond = Angle::from_radians(7.0).unwrap().radians();
        assert!((beyond - (7.0 - core::f32::consts::TAU)).abs() <= step);
        assert!(Angle::from_radians(f32::NAN).is_none());
    }
}
