//! Softmax. The quantised one is gemmlowp's fixed-point arithmetic, which TensorFlow Lite's reference kernels and
//! TensorFlow Lite Micro share: exponentials with 5 integer bits, their sum with 12.

use super::requant::{high_mul, rounding_shift};

/// exp of a number in `-2^5..=0` with 26 fractional bits; the result has 31 fractional bits.
fn exp_of_negative(value: i32) -> i32 {
    // The fraction in -1/4..0, and how many quarters (and powers of two of them) remain.
    const QUARTER: i32 = 1 << 24;
    let fraction = (value & (QUARTER - 1)) - QUARTER;
    let mut result = exp_of_fraction(fraction.wrapping_shl(5));
    let remainder = fraction.wrapping_sub(value);
    // exp(-2^k) for k = -2..=4 with 31 fractional bits.
    const POWERS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    for (at, power) in POWERS.into_iter().enumerate() {
        if remainder & (1 << (24 + at)) != 0 {
            result = high_mul(result, power);
        }
    }
    if value == 0 { i32::MAX } else { result }
}

/// exp of a number in `-1/4..0`, 31 fractional bits: a polynomial of degree 4 about -1/8.
fn exp_of_fraction(value: i32) -> i32 {
    const EXP_OF_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = value.wrapping_add(1 << 28);
    let x2 = high_mul(x, x);
    let x3 = high_mul(x2, x);
    let x4 = high_mul(x2, x2);
    let quarter_x4 = rounding_shift(x4, 2);
    let tail = rounding_shift(high_mul(quarter_x4.wrapping_add(x3), THIRD).wrapping_add(x2), 1);
    EXP_OF_MINUS_EIGHTH.saturating_add(high_mul(EXP_OF_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// 1 / (1 + x) for x in `0..=1`, 31 fractional bits: three steps of Newton and Raphson.
fn one_over_one_plus(x: i32) -> i32 {
    // Constants of the first guess, 48/17 and -32/17, with 29 fractional bits.
    const GUESS: i32 = 1_515_870_810;
    const SLOPE: i32 = -1_010_580_540;
    // Half of (x + 1), rounded half up.
    let sum = i64::from(x) + i64::from(i32::MAX);
    let half = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let mut result = GUESS.wrapping_add(high_mul(half, SLOPE));
    for _ in 0..3 {
        let product = high_mul(half, result);
        let error = (1 << 29) - product;
        result = result.wrapping_add(shift_left(high_mul(result, error), 2));
    }
    shift_left(result, 1)
}

/// A saturating shift to the left.
fn shift_left(value: i32, bits: u32) -> i32 {
    (i64::from(value) << bits).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// The exponential of a difference to the largest value, 31 fractional bits.
pub(crate) fn exp_of_difference(multiplier: i32, shift: i8, difference: i32) -> i32 {
    exp_of_negative(high_mul(difference.wrapping_shl(shift.max(0) as u32), multiplier))
}

/// An exponential as it is summed up: 12 integer bits, 19 fractional ones.
pub(crate) fn summand(exp: i32) -> i32 {
    rounding_shift(exp, 12)
}

/// What divides by a sum.
pub(crate) struct Division {
    inverse: i32,
    bits: u32,
}

impl Division {
    /// By a sum of [`summand`]s.
    pub(crate) fn by(sum: i32) -> Self {
        let headroom = sum.leading_zeros();
        let unit = ((sum as u32).wrapping_shl(headroom) as i32).wrapping_sub(i32::MIN);
        let bits = 12u32.saturating_sub(headroom).min(31) + 31 - 8;
        Self { inverse: one_over_one_plus(unit), bits: bits.min(31) }
    }

    /// An exponential's share of the sum as an output.
    pub(crate) fn of(&self, exp: i32) -> i8 {
        let share = rounding_shift(high_mul(self.inverse, exp), self.bits);
        share.saturating_sub(128).clamp(-128, 127) as i8
    }
}

/// Softmax over the channels of each pixel, in place.
pub(crate) fn softmax_i8(multiplier: i32, shift: i8, diff_min: i32, values: &mut [i8], channels: usize) {
    let exp = |difference: i32| exp_of_difference(multiplier, shift, difference);
    for pixel in values.chunks_exact_mut(channels) {
        let max = pixel.iter().fold(i8::MIN, |max, &value| max.max(value));
        let difference = |value: i8| i32::from(value) - i32::from(max);
        let mut sum = 0i32;
        for &value in pixel.iter() {
            if difference(value) >= diff_min {
                sum = sum.wrapping_add(summand(exp(difference(value))));
            }
        }
        let division = Division::by(sum);
        for value in pixel {
            *value =
                if difference(*value) >= diff_min { division.of(exp(difference(*value))) } else { i8::MIN };
        }
    }
}

/// Softmax over the channels of each pixel, in place.
pub(crate) fn softmax_f32(values: &mut [f32], channels: usize) {
    for pixel in values.chunks_exact_mut(channels) {
        let max = pixel.iter().fold(f32::NEG_INFINITY, |max, &value| if value > max { value } else { max });
        let mut sum = 0.0;
        for value in pixel.iter_mut() {
            *value = libm::expf(*value - max);
            sum += *value;
        }
        for value in pixel {
            *value /= sum;
        }
    }
}
