//! Fixed-point scaling as TensorFlow Lite does it, rounding twice.

/// `a * b / 2^31`, rounded to nearest, halves up; saturates where both are the smallest number.
#[inline]
pub(crate) const fn high_mul(a: i32, b: i32) -> i32 {
    let product = (a as i64 * b as i64 + (1 << 30)) >> 31;
    if product > i32::MAX as i64 { i32::MAX } else { product as i32 }
}

/// `value / 2^shift`, rounded to nearest, halves away from zero.
#[inline]
pub(crate) const fn rounding_shift(value: i32, shift: u32) -> i32 {
    let mask = (1u32 << (shift & 31)).wrapping_sub(1) as i32;
    let remainder = value & mask;
    let threshold = (mask >> 1) + (value < 0) as i32;
    value.wrapping_shr(shift) + (remainder > threshold) as i32
}

/// `value * multiplier / 2^31 * 2^shift`. The multiplier lies in `2^30..2^31`, or is 0.
#[inline]
pub(crate) const fn scale(value: i32, multiplier: i32, shift: i8) -> i32 {
    let (left, right) = if shift > 0 { (shift as u32, 0) } else { (0, -(shift as i32) as u32) };
    rounding_shift(high_mul(value.wrapping_shl(left), multiplier), right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: a truncating division after a nudge that depends on the sign.
    fn high_mul_by_definition(a: i32, b: i32) -> i32 {
        if a == b && a == i32::MIN {
            return i32::MAX;
        }
        let product = i64::from(a) * i64::from(b);
        let nudge = if product >= 0 { 1i64 << 30 } else { 1 - (1i64 << 30) };
        ((product + nudge) / (1i64 << 31)) as i32
    }

    proptest! {
        #[test]
        fn the_product_is_the_defined_one(a: i32, b: i32) {
            prop_assert_eq!(high_mul(a, b), high_mul_by_definition(a, b));
        }

        #[test]
        fn shifts_round_halves_away_from_zero(value: i32, shift in 0u32..=31) {
            let exact = f64::from(value) / 2f64.powi(shift as i32);
            prop_assert_eq!(f64::from(rounding_shift(value, shift)), exact.round());
        }
    }

    #[test]
    fn the_extremes() {
        assert_eq!(high_mul(i32::MIN, i32::MIN), i32::MAX);
        assert_eq!(scale(100, 1 << 30, 1), 100);
        assert_eq!(scale(-3, 1 << 30, 0), -1);
        assert_eq!(scale(-5, 1 << 30, -1), -1);
    }
}
