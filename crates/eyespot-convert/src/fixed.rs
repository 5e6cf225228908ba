//! Real numbers as integers, as TensorFlow Lite computes them.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, Rescale};
use eyespot_nn::host::SHORT_BITS;

use crate::ir::Quant;

/// A factor as a multiplier in `2^30..2^31` and a shift, positive to the left; 0 where it is too small to matter.
pub(crate) fn multiplier(factor: f64) -> (i32, i8) {
    if factor == 0.0 || !factor.is_finite() {
        return (0, 0);
    }
    // factor = fraction * 2^exponent with a fraction in 1/2..1.
    let bits = factor.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    let mut fixed = (fraction * 2f64.powi(31)).round() as i64;
    if fixed == 1 << 31 {
        fixed /= 2;
        exponent += 1;
    }
    if exponent < -31 {
        return (0, 0);
    }
    if exponent > 30 {
        return (i32::MAX, 30);
    }
    (fixed as i32, exponent as i8)
}

/// Bits of the scales of sums.
const SUM: i32 = 10;
/// Most and least bits of a short factor: more gain no accuracy, fewer would cost some.
const BITS: [i32; 2] = [4, 8];

/// The factor, or one that is up to 1/2^(bits - 1) larger and has a multiplier of few bits, so that hosts scale sums with
/// it in a few instructions. The least factor is 1/2^12: in steps of the output nothing depends on weights that are finer.
pub(crate) fn short(factor: f64) -> f64 {
    let (multiplier, shift) = multiplier(factor);
    let [least, most] = BITS;
    let bits = (SHORT_BITS + i32::from(shift)).min(most);
    if bits < least || multiplier == 0 {
        return 2f64.powi(least - SHORT_BITS);
    }
    if shift > 0 {
        return factor;
    }
    // The multiplier is the factor's fraction: its unit becomes 1/2^bits.
    let unit = 2f64.powi(i32::from(shift) - bits);
    let short = (factor / unit).ceil() * unit;
    // At the next power of two there is one place less to shift.
    if short < 1.0 { short } else { factor }
}

/// Rounds a multiplier to so many bits, if that is any.
fn round(scale: &mut Rescale, bits: i32) {
    if scale.multiplier == 0 || bits < 1 {
        return;
    }
    let unit = 1i64 << (31 - bits);
    match i32::try_from((i64::from(scale.multiplier) + unit / 2) / unit * unit) {
        Ok(multiplier) => scale.multiplier = multiplier,
        // Up to the next power of two.
        Err(_) => (scale.multiplier, scale.shift) = (1 << 30, scale.shift.saturating_add(1)),
    }
}

/// The integers of a sum, rounded so that it is a sum of two products on hosts, with no rounding in between.
pub(crate) fn short_binary(kind: BinaryKind, numbers: BinaryNumbers) -> BinaryNumbers {
    let BinaryNumbers::I8 { mut a, mut b, mut output, left_shift, clamp } = numbers else { return numbers };
    if kind == BinaryKind::Mul {
        let bits = (SHORT_BITS + i32::from(output.shift)).min(BITS[1]);
        if output.shift <= 0 && bits >= BITS[0] {
            round(&mut output, bits);
        }
    } else {
        // Sides to 1/2^10 of the common step; the result's multiplier has as many bits, which the sides make up for.
        for side in [&mut a, &mut b] {
            let bits = SUM + i32::from(side.shift);
            round(side, bits);
        }
        round(&mut output, SUM);
    }
    BinaryNumbers::I8 { a, b, output, left_shift, clamp }
}

/// A factor and a zero point.
pub(crate) fn rescale(factor: f64, zero: i8) -> Rescale {
    let (multiplier, shift) = multiplier(factor);
    Rescale { zero, multiplier, shift }
}

/// The factor from a sum of `count` values to their mean; the division goes into the multiplier.
pub(crate) fn mean_rescale(from: Quant, to: Quant, count: u32) -> Rescale {
    let (multiplier, shift) = multiplier(f64::from(from.scale) / f64::from(to.scale));
    let bits = (31 - count.leading_zeros() as i32).min(31 + i32::from(shift)).clamp(0, 31);
    let divided = (i64::from(multiplier) << bits) / i64::from(count.max(1));
    Rescale { zero: to.zero, multiplier: divided as i32, shift: shift - bits as i8 }
}

/// The integers of a quantised softmax: multiplier, shift and the smallest difference that counts.
pub(crate) fn softmax(beta: f32, scale: f32) -> (i32, i8, i32) {
    let factor = (f64::from(beta) * f64::from(scale) * f64::from(1 << 26)).min(f64::from(i32::MAX));
    let (multiplier, shift) = multiplier(factor);
    let radius = (31.0 * 2f64.powi(26) / 2f64.powi(i32::from(shift.max(0)))).floor();
    (multiplier, shift, -(radius as i32))
}

/// The integers of a sum, difference or product.
pub(crate) fn binary_numbers(
    kind: BinaryKind,
    a: Quant,
    b: Quant,
    output: Quant,
    clamp: [i8; 2],
) -> BinaryNumbers {
    if kind == BinaryKind::Mul {
        let factor = f64::from(a.scale) * f64::from(b.scale) / f64::from(output.scale);
        let result = rescale(factor, output.zero);
        return BinaryNumbers::I8 {
            a: rescale(1.0, a.zero),
            b: rescale(1.0, b.zero),
            output: result,
            left_shift: 0,
            clamp,
        };
    }
    let common = 2.0 * f64::from(a.scale.max(b.scale));
    BinaryNumbers::I8 {
        a: rescale(f64::from(a.scale) / common, a.zero),
        b: rescale(f64::from(b.scale) / common, b.zero),
        output: rescale(common / (f64::from(1 << 20) * f64::from(output.scale)), output.zero),
        left_shift: 20,
        clamp,
    }
}

/// A function of single values in floating point.
pub(crate) fn apply(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::None => x,
        Activation::Clamp(low, high) => x.clamp(low, high),
        Activation::LeakyRelu(slope) => {
            if x < 0.0 {
                x * slope
            } else {
                x
            }
        }
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::HardSigmoid(factor, summand) => (x * factor + summand).clamp(0.0, 1.0),
        Activation::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
    }
}

/// The table of a function for the 256 quantised values.
pub(crate) fn table(from: Quant, to: Quant, function: impl Fn(f32) -> f32) -> Vec<i8> {
    let inverse = 1.0 / to.scale;
    (-128i32..=127)
        .map(|value| {
            let x = from.scale * (value - i32::from(from.zero)) as f32;
            let steps = (function(x) * inverse).round() + f32::from(to.zero);
            steps.clamp(-128.0, 127.0) as i8
        })
        .collect()
}

/// Biases less the share of the input's zero point.
pub(crate) fn fold_zero(
    weights: &[i8],
    bias: &[i64],
    weight_zero: i64,
    input_zero: i64,
    depthwise: bool,
) -> Vec<i32> {
    let channels = bias.len();
    let count = weights.len() / channels.max(1);
    bias.iter()
        .enumerate()
        .map(|(channel, bias)| {
            let sum: i64 = (0..count)
                .map(|at| weights[if depthwise { at * channels + channel } else { channel * count + at }])
                .map(|weight| i64::from(weight) - weight_zero)
                .sum();
            // The engine's sums wrap in the same way.
            (bias - input_zero * sum) as i32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_factors_have_few_bits_and_are_hardly_larger() {
        for at in 1..4000 {
            let factor = f64::from(at) / 4001.0;
            let short = short(factor);
            let (multiplier, shift) = multiplier(short);
            let bits = 31 - multiplier.trailing_zeros() as i32;
            if factor < 0.99 {
                assert!(bits - i32::from(shift) <= SHORT_BITS && bits <= BITS[1], "{factor}");
            }
            assert!(short >= factor && short <= factor * (1.0 + 2f64.powi(1 - BITS[0])), "{factor}: {short}");
        }
        assert_eq!(short(1e-9), 2f64.powi(-12));
    }

    #[test]
    fn multipliers_are_normalised() {
        assert_eq!(multiplier(1.0), (1 << 30, 1));
        assert_eq!(multiplier(0.5), (1 << 30, 0));
        assert_eq!(multiplier(0.75), (1_610_612_736, 0));
        assert_eq!(multiplier(1.0 - 1e-12), (1 << 30, 1));
        assert_eq!(multiplier(1e-12), (0, 0));
    }
}
