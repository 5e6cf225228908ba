//! 3x3 filters over rows of bytes, each row from the three above, at and below it.

/// Majority of the 3x3 neighbourhood: a pixel is set where at least five of nine are. Opens and closes in one step.
/// Pixels beyond the border repeat those at it.
pub(crate) fn majority(above: &[u8], at: &[u8], below: &[u8], out: &mut [u8]) {
    window(
        above,
        at,
        below,
        out,
        |a, b, c| u8::from(a > 0) + u8::from(b > 0) + u8::from(c > 0),
        |left, at, right| u8::from(left + at + right >= 5),
    );
}

/// A pixel is set where any of its 3x3 neighbourhood is.
pub(crate) fn dilate(above: &[u8], at: &[u8], below: &[u8], out: &mut [u8]) {
    window(above, at, below, out, |a, b, c| a | b | c, |left, at, right| u8::from(left | at | right > 0));
}

/// Keeps of `out` what has a 2 within `reach` columns, in its own row or one of its neighbours.
pub(crate) fn keep_near_strong(above: &[u8], at: &[u8], below: &[u8], out: &mut [u8], reach: usize) {
    let strong = |x: usize| above[x] == 2 || at[x] == 2 || below[x] == 2;
    let width = out.len();
    // Each pixel is decided when the scan is `reach` columns ahead of it.
    let mut last = None;
    for ahead in 0..width + reach {
        if ahead < width && strong(ahead) {
            last = Some(ahead);
        }
        if let Some(x) = ahead.checked_sub(reach)
            && last.is_none_or(|last| last + reach < x)
        {
            out[x] = 0;
        }
    }
}

fn window(
    above: &[u8],
    at: &[u8],
    below: &[u8],
    out: &mut [u8],
    column: impl Fn(u8, u8, u8) -> u8,
    combine: impl Fn(u8, u8, u8) -> u8,
) {
    let mut columns = above.iter().zip(at).zip(below).map(|((&a, &b), &c)| column(a, b, c));
    let Some(mut middle) = columns.next() else { return };
    let mut left = middle;
    for out in out {
        let right = columns.next().unwrap_or(middle);
        *out = combine(left, middle, right);
        (left, middle) = (middle, right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_drops_specks_and_fills_holes() {
        let rows = [[0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 1]];
        let mut out = [9; 6];
        majority(&rows[0], &rows[1], &rows[2], &mut out);
        assert_eq!(out, [0, 0, 0, 1, 1, 1]);
        dilate(&rows[1], &rows[1], &[0, 0, 0, 0, 0, 0], &mut out);
        assert_eq!(out, [1, 1, 1, 1, 1, 1]);
        dilate(&[0, 0, 0, 0, 0, 0], &[0, 2, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 1], &mut out);
        assert_eq!(out, [1, 1, 1, 0, 1, 1]);
    }

    #[test]
    fn what_is_far_from_strong_is_dropped() {
        let none = [0; 8];
        let mut out = [1; 8];
        keep_near_strong(&none, &[1, 1, 1, 1, 1, 1, 1, 1], &[0, 0, 0, 2, 0, 0, 0, 0], &mut out, 2);
        assert_eq!(out, [0, 1, 1, 1, 1, 1, 0, 0]);
        keep_near_strong(&none, &none, &none, &mut out, 20);
        assert_eq!(out, none);
    }
}
