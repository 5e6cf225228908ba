//! Masks of one bit per pixel.

use crate::Mask;

/// A mask with its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskView<'a> {
    mask: Mask,
    bits: &'a [u8],
}

impl<'a> MaskView<'a> {
    pub(crate) fn new(mask: Mask, arena: &'a [u8]) -> Option<Self> {
        let bits = arena.get(mask.start()..mask.start() + mask.len())?;
        Some(Self { mask, bits })
    }

    /// Left edge of the mask's rectangle in the frame, pixels.
    #[must_use]
    pub const fn x(&self) -> u16 {
        self.mask.x
    }

    /// Top edge of the mask's rectangle in the frame, pixels.
    #[must_use]
    pub const fn y(&self) -> u16 {
        self.mask.y
    }

    /// Width of the rectangle in pixels.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.mask.width.get()
    }

    /// Height of the rectangle in pixels.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.mask.height.get()
    }

    /// The bits: rows from top to bottom, each padded to a byte, the leftmost pixel in the most significant bit.
    #[must_use]
    pub const fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// Is the pixel of the frame at `(x, y)` part of the object?
    #[must_use]
    pub fn contains(&self, x: u16, y: u16) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(self.x()), y.checked_sub(self.y())) else {
            return false;
        };
        x < self.width() && y < self.height() && self.bit(x, y)
    }

    /// Number of pixels that are set.
    #[must_use]
    pub fn area(&self) -> u32 {
        let row_bytes = usize::from(self.width()).div_ceil(8);
        // Padding bits do not count, whatever they hold.
        let last = match self.width() % 8 {
            0 => 0xff,
            used => !(0xff_u8 >> used),
        };
        self.bits
            .chunks_exact(row_bytes)
            .map(|row| {
                let (end, whole) = row.split_last().unwrap_or((&0, &[]));
                whole.iter().map(|byte| byte.count_ones()).sum::<u32>() + (end & last).count_ones()
            })
            .sum()
    }

    /// Number of pixels of the frame that are set in both.
    #[must_use]
    pub fn intersection(&self, other: &MaskView<'_>) -> u32 {
        let range = |a: u16, a_len: u16, b: u16, b_len: u16| {
            let end = (u32::from(a) + u32::from(a_len)).min(u32::from(b) + u32::from(b_len));
            a.max(b)..u16::try_from(end).unwrap_or(u16::MAX)
        };
        let rows = range(self.y(), self.height(), other.y(), other.height());
        let columns = range(self.x(), self.width(), other.x(), other.width());
        let both =
            |x: u16, y: u16| self.bit(x - self.x(), y - self.y()) && other.bit(x - other.x(), y - other.y());
        rows.map(|y| columns.clone().filter(|&x| both(x, y)).count() as u32).sum()
    }

    /// Intersection over union, `0..=1`; 0 where both are empty.
    #[must_use]
    pub fn iou(&self, other: &MaskView<'_>) -> f32 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0 { intersection as f32 / union as f32 } else { 0.0 }
    }

    /// A bit by its place in the rectangle.
    fn bit(&self, x: u16, y: u16) -> bool {
        let byte = usize::from(y) * usize::from(self.width()).div_ceil(8) + usize::from(x / 8);
        self.bits.get(byte).is_some_and(|byte| byte << (x % 8) & 0x80 != 0)
    }
}
