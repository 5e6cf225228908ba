//! Constants of rescaling, packed for vectors.
//!
//! An output is `round(v / 2^right)`, halves away from zero, of `v = floor((sum * multiplier + 2^30) / 2^31)`. With a shift
//! that is `(v + 2^(right - 1) - (v < 0)) >> right`. The summand can be added before the first division, and the sign of
//! the sum can stand for that of `v`: where they differ, `v` is 0 and so is the result.

use std::vec::Vec;

use crate::kernels::requant;

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

/// How the sums of a channel are scaled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Channel {
    pub(super) multiplier: i32,
    pub(super) shift: i8,
    /// What the sums start with.
    pub(super) bias: i32,
    /// The largest sum without it, of either sign.
    pub(super) reach: u64,
}

/// Numbers of a lane.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    multiplier: i32,
    right: i32,
    left: i32,
    sign: i32,
    summand: i64,
}

/// Multipliers and shifts of channels.
#[derive(Debug)]
pub(crate) struct Scales {
    packed: Vec<i32>,
    lanes: usize,
    /// Some shifts go to the left.
    pub(super) left: bool,
}

impl Scales {
    /// Packs multipliers and shifts, and gives what sums start with. `None` where a number lies outside what vectors can
    /// do; with `any_sum` they can scale every sum.
    pub(super) fn new(lanes: usize, any_sum: bool, channels: &[Channel]) -> Option<(Self, Vec<i32>)> {
        let (mut all, mut biases) = (Vec::new(), Vec::new());
        for channel in channels {
            let (lane, bias) = lane(channel, any_sum)?;
            all.push(lane);
            biases.push(bias);
        }
        let mut packed = Vec::new();
        for channels in all.chunks(lanes) {
            // Few channels are there twice: then a vector holds two pixels.
            let half = lanes / 2;
            let place = |at: usize| if channels.len() <= half { at % half } else { at };
            let lane = |at: usize| channels.get(place(at)).copied().unwrap_or_default();
            let numbers: [fn(Lane) -> i32; 4] =
                [|lane| lane.multiplier, |lane| lane.right, |lane| lane.left, |lane| lane.sign];
            for number in numbers {
                packed.extend((0..lanes).map(|at| number(lane(at))));
            }
            for odd in [0, 1] {
                for at in (odd..lanes).step_by(2) {
                    let summand = lane(at).summand;
                    packed.extend([summand as i32, (summand >> 32) as i32]);
                }
            }
        }
        let left = all.iter().any(|lane| lane.left > 0);
        Some((Self { packed, lanes, left }, biases))
    }

    /// The numbers of the channels from `channel` on, the first of a vector.
    pub(super) fn from(&self, channel: usize) -> &[i32] {
        self.packed.get(channel / self.lanes * (PER_LANE * self.lanes)..).unwrap_or(&[])
    }
}

/// The numbers of a channel and what its sums start with.
fn lane(&Channel { multiplier, shift, bias, reach }: &Channel, any_sum: bool) -> Option<(Lane, i32)> {
    let (left, right) = if shift > 0 { (i32::from(shift) & 31, 0) } else { (0, -i32::from(shift) & 31) };
    let half = (1i64 << right) >> 1;
    let sign = if right > 0 { 31 } else { 32 };
    let lane = Lane { multiplier, right, left, sign, summand: (1 << 30) + (half << 31) };
    let most = reach.checked_add(bias.unsigned_abs().into())?;
    if multiplier < 0 {
        return None;
    }
    if any_sum || most < BOUND && most << left < BOUND {
        return Some((lane, bias));
    }
    // A channel whose weights say next to nothing beside its bias. Its sums must not wrap.
    let ends = [i64::from(bias) - reach as i64, i64::from(bias) + reach as i64].map(i32::try_from);
    let [Ok(low), Ok(high)] = ends else { return None };
    let [low, high] = [low, high].map(|sum| requant::scale(sum, multiplier, shift));
    if left == 0 && low == high {
        // All outputs are one.
        return Some((Lane { sign: 32, summand: i64::from(low) << 31, ..Lane::default() }, 0));
    }
    // Or the bias decides the sign: it goes into the summand, scaled.
    let (factor, scaled) = (u64::from(multiplier.unsigned_abs()), i64::from(bias) * i64::from(multiplier));
    let fits = left == 0
        && reach < BOUND.min(bias.unsigned_abs().into())
        && ((most * factor) >> 31) + half as u64 + 2 < 1 << 31;
    let negative = i64::from(right > 0 && bias < 0) << 31;
    fits.then_some((Lane { sign: 32, summand: lane.summand + scaled - negative, ..lane }, 0))
}
