//! Dot products of bytes: where the time goes.

/// The sum of bytes.
pub(super) fn sum(values: &[i8]) -> i32 {
    values.iter().map(|&value| i32::from(value)).sum()
}

/// A dot product.
#[inline]
pub(super) fn dot_1x1(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
}

/// The dot products of two columns with two rows of weights: `[a0 b0, a0 b1, a1 b0, a1 b1]`. All of one length.
#[inline]
pub(super) fn dot_2x2(a: [&[i8]; 2], b: [&[i8]; 2]) -> [i32; 4] {
    let mut sums = [0i32; 4];
    let len = a[0].len();
    let (a0, a1, b0, b1) = (&a[0][..len], &a[1][..len], &b[0][..len], &b[1][..len]);
    for at in 0..len {
        let [x0, x1, w0, w1] = [a0[at], a1[at], b0[at], b1[at]].map(i32::from);
        sums[0] = sums[0].wrapping_add(x0 * w0);
        sums[1] = sums[1].wrapping_add(x0 * w1);
        sums[2] = sums[2].wrapping_add(x1 * w0);
        sums[3] = sums[3].wrapping_add(x1 * w1);
    }
    sums
}
