//! Real factors as integers, as TensorFlow Lite computes them.

use eyespot_nn::graph::Rescale;

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

/// A factor and a zero point.
pub(crate) fn rescale(factor: f64, zero: i8) -> Rescale {
    let (multiplier, shift) = multiplier(factor);
    Rescale { zero, multiplier, shift }
}

/// The integers of a quantised softmax: multiplier, shift and the smallest difference that counts.
pub(crate) fn softmax(beta: f32, scale: f32) -> (i32, i8, i32) {
    let factor = (f64::from(beta) * f64::from(scale) * f64::from(1 << 26)).min(f64::from(i32::MAX));
    let (multiplier, shift) = multiplier(factor);
    let radius = (31.0 * 2f64.powi(26) / 2f64.powi(i32::from(shift.max(0)))).floor();
    (multiplier, shift, -(radius as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_are_normalised() {
        assert_eq!(multiplier(1.0), (1 << 30, 1));
        assert_eq!(multiplier(0.5), (1 << 30, 0));
        assert_eq!(multiplier(0.75), (1_610_612_736, 0));
        assert_eq!(multiplier(1.0 - 1e-12), (1 << 30, 1));
        assert_eq!(multiplier(1e-12), (0, 0));
    }
}
