//! Masks as runs: where an object is one blob, a few bytes per row instead of all its bits.

use eyespot_core::{Mask, MaskRect, MaskView};

use crate::schema::MaskHead;

/// The runs of a mask over its rows, without their padding: zeros, ones, zeros, ...
#[derive(Debug, Clone)]
pub(crate) struct Runs<'a> {
    bits: &'a [u8],
    width: u16,
    height: u16,
    x: u16,
    y: u16,
    ones: bool,
}

impl<'a> Runs<'a> {
    pub(crate) const fn new(mask: &MaskView<'a>) -> Self {
        Self { bits: mask.bits(), width: mask.width(), height: mask.height(), x: 0, y: 0, ones: false }
    }
}

impl Iterator for Runs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.y == self.height {
            return None;
        }
        let row_bytes = Mask::bytes(self.width, 1);
        let same = if self.ones { 0xff } else { 0 };
        let start = u32::from(self.y) * u32::from(self.width) + u32::from(self.x);
        while self.y < self.height {
            let row = self.bits.get(usize::from(self.y) * row_bytes..)?.get(..row_bytes)?;
            let (byte, shift) = (usize::from(self.x / 8), self.x % 8);
            // Pixels of this run are leading zeros of the difference.
            let pixels = ((row.get(byte)? ^ same) << shift).leading_zeros() as u16;
            if pixels < 8 - shift {
                self.x += pixels;
            } else {
                let whole = row.iter().skip(byte + 1).take_while(|&&byte| byte == same).count();
                let next = byte + 1 + whole;
                let pixels = row.get(next).map_or(0, |byte| (byte ^ same).leading_zeros() as usize);
                self.x = u16::try_from(next * 8 + pixels).unwrap_or(u16::MAX);
            }
            if self.x < self.width {
                break;
            }
            (self.x, self.y) = (0, self.y + 1);
        }
        let len = u32::from(self.y) * u32::from(self.width) + u32::from(self.x) - start;
        self.ones = !self.ones;
        Some(len)
    }
}

/// How a mask is sent in the fewest bytes, and how many bytes or runs these are.
pub(crate) fn head(mask: &MaskView<'_>) -> (MaskHead, u32) {
    let rect = MaskRect { x: mask.x(), y: mask.y(), width: mask.width(), height: mask.height() }.into();
    let bits = mask.bits().len();
    let (mut bytes, mut count) = (0, 0);
    for run in Runs::new(mask) {
        bytes += varint_len(run);
        count += 1;
        if bytes >= bits {
            return (MaskHead::Bits(rect), bits as u32);
        }
    }
    (MaskHead::Runs(rect), count)
}

const fn varint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Writes the bits of runs; `bits` has the bytes of a mask of this size, and the runs end where it ends.
pub(crate) fn fill(bits: &mut [u8], width: u16, runs: impl Iterator<Item = u32>) {
    bits.fill(0);
    let row_bytes = Mask::bytes(width, 1);
    let (mut x, mut row) = (0, 0);
    let mut ones = false;
    for mut run in runs {
        while run > 0 {
            let piece = run.min(u32::from(width) - x);
            if ones && let Some(row) = bits.get_mut(row * row_bytes..(row + 1) * row_bytes) {
                set(row, x as usize, (x + piece) as usize);
            }
            (x, run) = (x + piece, run - piece);
            if x == u32::from(width) {
                (x, row) = (0, row + 1);
            }
        }
        ones = !ones;
    }
}

/// Sets the pixels `start..end` of a row; not empty.
fn set(row: &mut [u8], start: usize, end: usize) {
    let (first, last) = (start / 8, (end - 1) / 8);
    let Some(bytes) = row.get_mut(first..=last) else { return };
    let inner = bytes.len();
    for (index, byte) in bytes.iter_mut().enumerate() {
        let mut mask = 0xff_u8;
        if index == 0 {
            mask &= 0xff >> (start % 8);
        }
        if index + 1 == inner {
            mask &= 0xff << (7 - (end - 1) % 8);
        }
        *byte |= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_core::{BBox, ClassId, Detection, Predictions, PredictionsStorage as _};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn runs_of_a_known_mask() {
        let mut storage = Predictions::<1, 8>::new();
        let mut out = storage.view_mut();
        let index = out.push(Detection::new(BBox::new(0.0, 0.0, 9.0, 9.0), 0.5, ClassId(0))).unwrap();
        // Ten pixels wide; the padding is set and must not count.
        let bits = [0b1110_0000, 0b0111_1111, 0b1000_0000, 0b1011_1111];
        assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 10, height: 2 }, &bits));
        let mask = storage.view().masks().next().unwrap().unwrap();
        assert_eq!(Runs::new(&mask).collect::<Vec<_>>(), [0, 3, 6, 2, 7, 1, 1]);
    }

    proptest! {
        #[test]
        fn runs_and_bits_are_the_same_mask(
            width in 1u16..70,
            height in 1u16..12,
            seed in prop::collection::vec(prop_oneof![Just(0u8), Just(255), any::<u8>()], 9 * 12),
        ) {
            let bits = &seed[..Mask::bytes(width, height)];
            let mut storage = Predictions::<1, 128>::new();
            let mut out = storage.view_mut();
            let index = out.push(Detection::new(BBox::new(0.0, 0.0, 9.0, 9.0), 0.5, ClassId(0))).unwrap();
            let rect = MaskRect { x: 1, y: 2, width, height };
            prop_assert!(out.set_mask(index, rect, bits));
            let mask = storage.view().masks().next().unwrap().unwrap();
            let runs: Vec<u32> = Runs::new(&mask).collect();
            prop_assert_eq!(runs.iter().sum::<u32>(), u32::from(width) * u32::from(height));
            prop_assert!(runs.iter().skip(1).all(|&run| run > 0));

            let mut back = vec![0xaa; bits.len()];
            fill(&mut back, width, runs.into_iter());
            let row_bytes = Mask::bytes(width, 1);
            for y in 0..height {
                for x in 0..width {
                    let at = usize::from(y) * row_bytes + usize::from(x / 8);
                    let pixel = |bits: &[u8]| bits[at] << (x % 8) & 0x80;
                    prop_assert_eq!(pixel(&back), pixel(bits), "{} {}", x, y);
                }
            }
        }
    }
}
