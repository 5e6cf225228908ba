//! Constants of rescaling, packed for vectors.
//!
//! An output is `round(v / 2^right)`, halves away from zero, of `v = floor((sum * multiplier + 2^30) / 2^31)`. With a shift
//! that is `(v + 2^(right - 1) - (v < 0)) >> right`. The summand can be added before the first division, and the sign of
//! the sum can stand for that of `v`: where they differ, `v` is 0 and so is the result.

use std::vec::Vec;

/// From scaled sums to outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) zero: i8,
    /// Smallest and largest output.
    pub(crate) clamp: [i8; 2],
}

/// Numbers for each lane: multiplier, shift to the right, to the left, the logical shift that leaves 1 of a negative sum (0
/// where there is no shift to the right), and the summand of the first division (64 bits), those of the even lanes first.
pub(super) const PER_LANE: usize = 6;

/// No sum, shifted to the left, may reach this: all that is added to it must fit 32 bits.
const BOUND: u64 = 1 << 30;

/// Multipliers and shifts of channels.
#[derive(Debug)]
pub(crate) struct Scales {
    packed: Vec<i32>,
    lanes: usize,
    /// Some shifts go to the left.
    pub(super) left: bool,
}

impl Scales {
    /// Packs multipliers and shifts of channels whose sums lie in `-bound..=bound`. `None` where a number lies outside what
    /// vectors can do.
    pub(super) fn new(lanes: usize, channels: impl Iterator<Item = (i32, i8, u64)>) -> Option<Self> {
        let channels: Vec<_> = channels.collect();
        let mut left = false;
        for &(multiplier, shift, bound) in &channels {
            let bits = if shift > 0 { shift as u32 & 31 } else { 0 };
            left |= bits > 0;
            if multiplier < 0 || bound >= BOUND || bound << bits >= BOUND {
                return None;
            }
        }
        let mut packed = Vec::new();
        for channels in channels.chunks(lanes) {
            // Few channels are there twice: then a vector holds two pixels.
            let half = lanes / 2;
            let place = |at: usize| if channels.len() <= half { at % half } else { at };
            let all = || (0..lanes).map(|at| channels.get(place(at)).copied().unwrap_or((0, 0, 0)));
            let right = |shift: i8| if shift > 0 { 0 } else { -i32::from(shift) & 31 };
            packed.extend(all().map(|(multiplier, _, _)| multiplier));
            packed.extend(all().map(|(_, shift, _)| right(shift)));
            packed.extend(all().map(|(_, shift, _)| if shift > 0 { i32::from(shift) & 31 } else { 0 }));
            packed.extend(all().map(|(_, shift, _)| if right(shift) > 0 { 31 } else { 32 }));
            for odd in [0, 1] {
                for (_, shift, _) in all().skip(odd).step_by(2) {
                    let half = (1i64 << right(shift)) >> 1;
                    let summand = (1i64 << 30) + (half << 31);
                    packed.extend([summand as i32, (summand >> 32) as i32]);
                }
            }
        }
        Some(Self { packed, lanes, left })
    }

    /// The numbers of the channels from `channel` on, the first of a vector.
    pub(super) fn from(&self, channel: usize) -> &[i32] {
        self.packed.get(channel / self.lanes * (PER_LANE * self.lanes)..).unwrap_or(&[])
    }
}
