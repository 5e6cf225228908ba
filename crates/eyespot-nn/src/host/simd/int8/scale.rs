//! Constants of rescaling, packed for vectors.
//!
//! An output is `round(v / 2^right)`, halves away from zero, of `v = floor((sum * multiplier + 2^30) / 2^31)`. With a shift
//! that is `(v + 2^(right - 1) - (v < 0)) >> right`. The summand can be added before the first division, and the sign of
//! the sum can stand for that of `v`: where they differ, `v` is 0 and so is the result.
//!
//! Where the multiplier is a whole number of few bits, `x = sum * multiplier / 2^(31 + right)` is one of a coarse grid, all
//! of whose values floats can tell apart: the output is `x`, moved by `1 / 2^(right + 1)` away from zero and by half a step
//! of the grid upwards, to the nearest whole number. No value is left half-way between two.

use std::vec::Vec;

use super::SHORT_BITS;
use super::vector::Int;
use crate::kernels::requant;

/// From scaled sums to outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) zero: i8,
    /// Smallest and largest output.
    pub(crate) clamp: [i8; 2],
}

impl Limits {
    /// What is left to do after scaling, where the outputs have that zero point.
    pub(super) fn after(scales: &Scales, zero: i8, clamp: [i8; 2]) -> Self {
        Self { zero: if scales.how == How::Short { 0 } else { zero }, clamp }
    }
}

/// How the sums of some channels become outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// By whole numbers, shifted to the right.
    Right,
    /// Some are shifted to the left.
    Left,
    /// By floats; the zero point is in the numbers.
    Short,
}

/// A [`How`] that the compiler knows.
pub(super) trait Scaling<S: Int> {
    /// The numbers of a vector of channels.
    type Numbers: Copy;

    /// # Safety
    /// As for the functions of [`Int`].
    unsafe fn load(from: *const i32) -> Self::Numbers;

    /// # Safety
    /// As for the functions of [`Int`].
    unsafe fn scale(sums: S::I32, numbers: &Self::Numbers) -> S::I32;
}

/// [`How::Right`] and, with `LEFT`, [`How::Left`].
pub(super) struct Whole<const LEFT: bool>;

impl<S: Int, const LEFT: bool> Scaling<S> for Whole<LEFT> {
    type Numbers = S::Scale;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> S::Scale {
        // SAFETY: as the caller says.
        unsafe { S::load_scale(from) }
    }

    #[inline(always)]
    unsafe fn scale(sums: S::I32, numbers: &S::Scale) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe { S::rescale::<LEFT>(sums, numbers) }
    }
}

/// [`How::Short`].
pub(super) struct Short;

impl<S: Int> Scaling<S> for Short {
    /// Factor, what is added, and what is added with the sign of the sum.
    type Numbers = [S::F32; 3];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> [S::F32; 3] {
        // SAFETY: as the caller says.
        unsafe { [0, 1, 2].map(|number| S::load_floats(from.add(number * S::LANES))) }
    }

    #[inline(always)]
    unsafe fn scale(sums: S::I32, numbers: &[S::F32; 3]) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe { S::rescale_short(sums, numbers) }
    }
}

/// Numbers for each lane: multiplier, shift to the right, to the left, the logical shift that leaves 1 of a negative sum (0
/// where there is no shift to the right), and the summand of the first division (64 bits), those of the even lanes first.
/// With [`How::Short`] there are three floats instead.
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

/// What an instruction set can do with sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    pub(super) lanes: usize,
    /// [`Int::ANY_SUM`].
    pub(super) any_sum: bool,
    /// [`Int::SHORT`].
    pub(super) short: bool,
}

/// Multipliers and shifts of channels.
#[derive(Debug)]
pub(crate) struct Scales {
    packed: Vec<i32>,
    lanes: usize,
    pub(super) how: How,
}

impl Scales {
    /// Packs multipliers and shifts, and gives what sums start with. `None` where a number lies outside what vectors can
    /// do. `zero` is the zero point of the outputs.
    pub(super) fn new(can: Abilities, channels: &[Channel], zero: i8) -> Option<(Self, Vec<i32>)> {
        let lanes = can.lanes;
        let short: Option<Vec<[f32; 3]>> = channels.iter().map(|channel| channel.short(zero)).collect();
        if let Some(all) = short.filter(|_| can.short) {
            let packed = pack(lanes, &all, |channels, packed| {
                for number in [0, 1, 2] {
                    packed.extend((0..lanes).map(|at| channels(at)[number].to_bits() as i32));
                }
                packed.resize(packed.len() + (PER_LANE - 3) * lanes, 0);
            });
            let biases = channels.iter().map(|channel| channel.bias).collect();
            return Some((Self { packed, lanes, how: How::Short }, biases));
        }
        let (mut all, mut biases) = (Vec::new(), Vec::new());
        for channel in channels {
            let (lane, bias) = lane(channel, can.any_sum)?;
            all.push(lane);
            biases.push(bias);
        }
        let packed = pack(lanes, &all, |lane, packed| {
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
        });
        let how = if all.iter().any(|lane| lane.left > 0) { How::Left } else { How::Right };
        Some((Self { packed, lanes, how }, biases))
    }

    /// The numbers of the channels from `channel` on, the first of a vector.
    pub(super) fn from(&self, channel: usize) -> &[i32] {
        self.packed.get(channel / self.lanes * (PER_LANE * self.lanes)..).unwrap_or(&[])
    }
}

/// Numbers in whole vectors of channels: `write` gets those of a vector by lane.
fn pack<T: Copy + Default>(
    lanes: usize,
    all: &[T],
    mut write: impl FnMut(&dyn Fn(usize) -> T, &mut Vec<i32>),
) -> Vec<i32> {
    let mut packed = Vec::new();
    for channels in all.chunks(lanes) {
        // Few channels are there twice: then a vector holds two pixels.
        let half = lanes / 2;
        let place = |at: usize| if channels.len() <= half { at % half } else { at };
        write(&|at| channels.get(place(at)).copied().unwrap_or_default(), &mut packed);
    }
    packed
}

impl Channel {
    /// The numbers of [`How::Short`]; `None` where the multiplier has too many bits, or a sum might be too large.
    fn short(&self, zero: i8) -> Option<[f32; 3]> {
        let zero = f32::from(zero);
        if self.multiplier == 0 {
            return Some([0.0, zero, 0.0]);
        }
        let (bits, right) = (31 - self.multiplier.trailing_zeros() as i32, -i32::from(self.shift));
        let largest = self.reach.checked_add(self.bias.unsigned_abs().into())?;
        if self.multiplier < 0 || right < 0 || bits + right > SHORT_BITS || largest > i32::MAX as u64 {
            return None;
        }
        let power = |exponent: i32| f32::from_bits(((127 + exponent) as u32) << 23);
        let factor = self.multiplier as f32 * power(-31 - right);
        // The results must fit, too.
        (largest as f32 * factor < 1e9).then_some(())?;
        let half = power(-(bits + right + 1));
        Some([factor, zero + half, if right > 0 { power(-(right + 1)) } else { 0.0 }])
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
