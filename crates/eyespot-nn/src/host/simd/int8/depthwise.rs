//! Convolutions of each channel for itself.
//!
//! Input rows that lie in one window are interleaved first: the values of a column and channel, one row after the other,
//! are a group, so that the product of groups adds several taps at once.

use super::scale::{How, Limits, PER_LANE, Scaling, Short, Whole};
use super::vector::{Format, Int};

/// A row of the output and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Groups of all columns and channels; one plane after the other for windows with more rows than a group.
    pub(super) planes: *const u8,
    /// Bytes of a plane.
    pub(super) plane: usize,
    /// Planes, and how often the window is multiplied.
    pub(super) counts: [usize; 2],
    pub(super) channels: usize,
    /// Columns of the window, from one to the next, and from one output to the next.
    pub(super) columns: [usize; 3],
    /// Width of the output.
    pub(super) width: usize,
    /// For each vector of channels: `[pass, plane, column]`.
    pub(super) weights: *const u8,
    /// Whole vectors.
    pub(super) bias: *const i32,
    pub(super) scales: *const i32,
    pub(super) how: How,
    pub(super) limits: Limits,
}

/// Computes a row.
///
/// # Safety
/// The CPU has the instructions of `S`, and the pointers reach as far as the numbers say, those of the planes a whole
/// vector further.
#[inline(always)]
pub(super) unsafe fn row<S: Int>(row: &Row, out: *mut i8) {
    // SAFETY: as the caller says.
    unsafe {
        match row.how {
            How::Right => channels::<S, Whole<false>>(row, out),
            How::Left => channels::<S, Whole<true>>(row, out),
            How::Short => channels::<S, Short>(row, out),
        }
    }
}

/// # Safety
/// As for [`row`].
#[inline(always)]
unsafe fn channels<S: Int, By: Scaling<S>>(row: &Row, out: *mut i8) {
    let vectors = row.channels.div_ceil(S::LANES);
    let weights = row.counts[0] * row.counts[1] * row.columns[0] * 4 * S::LANES;
    for vector in 0..vectors {
        let channel = vector * S::LANES;
        let n = (row.channels - channel).min(S::LANES);
        // SAFETY: pixels below the width, channels below their number.
        unsafe {
            let own = Row {
                planes: row.planes.add(4 * channel),
                weights: row.weights.add(vector * weights),
                bias: row.bias.add(channel),
                scales: row.scales.add(channel * PER_LANE),
                ..*row
            };
            let out = out.add(channel);
            let mut x = 0;
            while x + 8 <= row.width {
                pixels::<S, By, 8>(&own, x, out, n);
                x += 8;
            }
            while x < row.width {
                if row.width >= 4 {
                    // The last ones may be done twice.
                    pixels::<S, By, 4>(&own, x.min(row.width - 4), out, n);
                    x += 4;
                } else {
                    pixels::<S, By, 1>(&own, x, out, n);
                    x += 1;
                }
            }
        }
    }
}

/// Does something for each of up to 8 neighbours. Written out: a loop might stay one and need their sums in memory.
macro_rules! each {
    ($count:expr, $at:ident => $body:expr) => {
        each!($count, $at => $body, [0 1 2 3 4 5 6 7])
    };
    ($count:expr, $at:ident => $body:expr, [$($number:literal)+]) => {
        $(if $number < $count {
            let $at = $number;
            $body
        })+
    };
}

/// Rescales and stores the sums of four neighbours at a time.
macro_rules! four {
    ($S:ty, $By:ty, $count:expr, $acc:ident, $scale:ident, $row:ident, $to:ident, $n:ident, $([$first:literal: $($at:literal)+])+) => {
        $(if $first + 4 <= $count {
            // The remainder is for counts whose code never runs.
            let values = [$(<$By as Scaling<$S>>::scale($acc[$at % $count], &$scale)),+];
            let places = [$($to.wrapping_add($at * $row.channels)),+];
            <$S>::store_four(places, values, &$row.limits, $n);
        })+
    };
}

/// A vector of channels of `N` neighbours.
///
/// # Safety
/// As for [`row`].
#[inline(always)]
unsafe fn pixels<S: Int, By: Scaling<S>, const N: usize>(row: &Row, x: usize, out: *mut i8, n: usize) {
    let [kernel, dilation, stride] = row.columns;
    let step = 4 * row.channels;
    let mut weights = row.weights;
    // SAFETY: as the caller says.
    unsafe {
        let mut acc = [S::load(row.bias); N];
        for _ in 0..row.counts[1] {
            for plane in 0..row.counts[0] {
                let mut from = row.planes.add(plane * row.plane + x * stride * step);
                for _ in 0..kernel {
                    let column = S::load_groups(weights);
                    each!(N, at => {
                        let inputs = S::load_groups(from.wrapping_add(at * stride * step));
                        acc[at] = S::dot(acc[at], inputs, column);
                    });
                    weights = weights.add(4 * S::LANES);
                    from = from.wrapping_add(dilation * step);
                }
            }
        }
        let scale = By::load(row.scales);
        let to = out.add(x * row.channels);
        if N >= 4 {
            four!(S, By, N, acc, scale, row, to, n, [0: 0 1 2 3] [4: 4 5 6 7]);
        } else {
            each!(N, at => {
                let values = By::scale(acc[at], &scale);
                S::store_bytes(to.add(at * row.channels), values, &row.limits, n);
            });
        }
    }
}

/// Makes groups of the values of rows; the compiler finds the vectors.
#[inline(always)]
pub(super) fn interleave<S: Int>(rows: [&[i8]; 4], groups: &mut [u32]) {
    let len = groups.len();
    let [Some(a), Some(b), Some(c), Some(d)] = rows.map(|row| row.get(..len)) else { return };
    if S::FORMAT == Format::Words {
        for (at, group) in groups.iter_mut().enumerate() {
            *group = u32::from(i16::from(a[at]) as u16) | (i32::from(b[at]) << 16) as u32;
        }
        return;
    }
    let flip = if S::FORMAT == Format::Raised { 0x8080_8080 } else { 0 };
    for (at, group) in groups.iter_mut().enumerate() {
        let [a, b, c, d] = [a[at], b[at], c[at], d[at]].map(|value| u32::from(value as u8));
        *group = (a | b << 8 | c << 16 | d << 24) ^ flip;
    }
}
