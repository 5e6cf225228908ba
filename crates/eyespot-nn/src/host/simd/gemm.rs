//! Products of pixels with packed weights: convolutions that read the image where it lies.

use super::vector::Simd;
use crate::graph::Activation;

/// Taps of a window that lie inside the image, for pixels that all have the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taps {
    /// How many.
    pub(crate) count: usize,
    /// Values of the image from one to the next.
    pub(crate) step: usize,
    /// Values of a column of weights from one to the next.
    pub(crate) weights: usize,
}

/// A run of output pixels whose windows lie at equal distances in the image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Number of pixels.
    pub(crate) count: usize,
    /// Values of the image from a pixel's window to the next one's.
    pub(crate) pitch: usize,
    /// Lines of the window.
    pub(crate) lines: Taps,
    /// Taps in a line.
    pub(crate) taps: Taps,
    /// Values of a tap that lie together.
    pub(crate) len: usize,
    /// The value of a column of weights that belongs to the first value of the first tap.
    pub(crate) start: usize,
    /// Values from one output pixel to the next.
    pub(crate) stride: usize,
}

impl Run {
    /// Values of the image from the first to the last that is read, and the same of a column of weights.
    pub(super) const fn reach(&self) -> [usize; 2] {
        if self.lines.count == 0 || self.taps.count == 0 || self.len == 0 {
            return [0, 0];
        }
        let (lines, taps) = (self.lines.count - 1, self.taps.count - 1);
        [
            (self.count - 1) * self.pitch + lines * self.lines.step + taps * self.taps.step + self.len,
            self.start + lines * self.lines.weights + taps * self.taps.weights + self.len,
        ]
    }
}

/// Which part of the sums a product adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// It sets them, bias included; later ones are added.
    pub(crate) first: bool,
    /// The activation follows.
    pub(crate) last: bool,
}

/// A run with a panel of weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) run: Run,
    /// The first value of the first window.
    pub(super) input: *const f32,
    /// As many whole vectors for each value of a window as the columns fill.
    pub(super) weights: *const f32,
    /// Whole vectors; `None` where the output has sums already.
    pub(super) bias: Option<*const f32>,
    /// Number of columns, at most [`Simd::ROWS`] vectors.
    pub(super) columns: usize,
    /// The first sum.
    pub(super) output: *mut f32,
    /// What follows.
    pub(super) activation: Activation,
}

/// Values in a line of the cache.
const LINE: usize = 16;

/// Rows that share a pointer.
const SHARE: usize = 3;

/// The same number. The compiler does not see that, and so can't turn a sum of two registers, which costs nothing in an
/// address, into a pointer of its own for each row: there are not enough registers for those.
#[inline(always)]
pub(super) fn opaque(number: usize) -> usize {
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    {
        let mut number = number;
        // SAFETY: no instruction at all.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags));
        }
        number
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    number
}

/// What becomes of the sums of a tile.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sums {
    /// Biases are added, which are whole vectors.
    Biased(*const f32),
    /// And they are kept between two limits.
    Clamped(*const f32, [f32; 2]),
    /// They are added to what the output has.
    Added,
}

impl Sums {
    /// What tiles do, and what is left of the activation then.
    pub(super) const fn of(bias: Option<*const f32>, activation: Activation) -> (Self, Activation) {
        match (bias, activation) {
            (Some(bias), Activation::Clamp(low, high)) => {
                (Self::Clamped(bias, [low, high]), Activation::None)
            }
            (Some(bias), _) => (Self::Biased(bias), activation),
            (None, _) => (Self::Added, activation),
        }
    }
}

/// Multiplies a value of each row with the columns. Written out: a loop over the rows might stay one.
macro_rules! multiply {
    ($S:ty, $acc:ident, $columns:ident, $rows:expr, $low:ident, $value:expr, [$($row:literal)+]) => {
        $(if $row < $rows {
            let value = <$S>::splat($value($row / SHARE, $row % SHARE));
            let last = $columns.len() - 1;
            for (at, (acc, column)) in $acc[$row].iter_mut().zip($columns).enumerate() {
                let low = $low && at == last;
                *acc = if low { <$S>::fma_low(value, column, *acc) } else { <$S>::fma(value, column, *acc) };
            }
        })+
    };
}

/// Multiplies the value of each row that lies `$ahead` from the next one.
macro_rules! step {
    ($S:ty, $acc:ident, $rows:expr, $vectors:expr, $low:ident, $groups:ident, $places:ident, $weights:ident, $ahead:literal) => {
        let mut columns = [<$S>::splat(0.0); $vectors];
        for (at, column) in columns.iter_mut().enumerate() {
            let from = $weights.wrapping_add(($ahead * $vectors + at) * <$S>::LANES);
            *column = if $low && at + 1 == $vectors { <$S>::load_low(from) } else { <$S>::load(from) };
        }
        let value =
            |group: usize, row: usize| *$groups[group].wrapping_byte_add($places[row]).wrapping_add($ahead);
        multiply!($S, $acc, columns, $rows, $low, value, [0 1 2 3 4 5 6 7 8 9 10 11 12 13]);
    };
}

/// A tile: `ROWS` pixels and `VECTORS` vectors of columns, of which the last has `last` values; with `LOW` at most
/// [`Simd::LOW`].
///
/// # Safety
/// The CPU has the instructions of `S`, and the block's pointers reach as far as its numbers say.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize, const LOW: bool>(
    run: &Run,
    input: *const f32,
    weights: *const f32,
    sums: &Sums,
    output: *mut f32,
    last: usize,
) {
    // SAFETY: all places lie inside what the caller vouches for: pixels below `ROWS`, taps below their numbers, and
    // columns below `columns`; the weights and biases have whole vectors. Pointers of rows that are not there are made
    // but not followed.
    unsafe {
        let mut acc = [[S::splat(0.0); VECTORS]; ROWS];
        let (pitch, step) = (run.pitch, VECTORS * S::LANES);
        let (mut line, mut line_weights) = (input, weights.wrapping_add(run.start * step));
        for _ in 0..run.lines.count {
            let (mut tap, mut tap_weights) = (line, line_weights);
            for _ in 0..run.taps.count {
                let groups: [*const f32; 5] =
                    core::array::from_fn(|group| tap.wrapping_add(group * SHARE * pitch));
                let mut places = [0, 1, 2].map(|row| opaque(row * pitch * size_of::<f32>()));
                let mut weights = tap_weights;
                // The next tile of these lines, half a cache line for each value of a window: rather too far.
                let mut ahead = tap.wrapping_add(ROWS * pitch);
                let mut left = run.len;
                while left >= 2 {
                    step!(S, acc, ROWS, VECTORS, LOW, groups, places, weights, 0);
                    step!(S, acc, ROWS, VECTORS, LOW, groups, places, weights, 1);
                    S::prefetch(ahead);
                    ahead = ahead.wrapping_add(LINE);
                    places = places.map(|place| opaque(place + 2 * size_of::<f32>()));
                    weights = weights.wrapping_add(2 * step);
                    left -= 2;
                }
                if left > 0 {
                    step!(S, acc, ROWS, VECTORS, LOW, groups, places, weights, 0);
                }
                tap = tap.wrapping_add(run.taps.step);
                tap_weights = tap_weights.wrapping_add(run.taps.weights * step);
            }
            line = line.wrapping_add(run.lines.step);
            line_weights = line_weights.wrapping_add(run.lines.weights * step);
        }
        // Asked once, and not for each row.
        let stride = run.stride;
        match *sums {
            Sums::Biased(bias) => {
                give::<S, ROWS, VECTORS, LOW, true, false>(acc, bias, [0.0; 2], output, stride, last);
            }
            Sums::Clamped(bias, limits) => {
                give::<S, ROWS, VECTORS, LOW, true, true>(acc, bias, limits, output, stride, last);
            }
            Sums::Added => {
                give::<S, ROWS, VECTORS, LOW, false, false>(acc, output, [0.0; 2], output, stride, last);
            }
        }
    }
}

/// Writes the sums of a tile, with their biases or, without `BIASED`, with what was there; with `CLAMPED` between limits.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn give<
    S: Simd,
    const ROWS: usize,
    const VECTORS: usize,
    const LOW: bool,
    const BIASED: bool,
    const CLAMPED: bool,
>(
    acc: [[S::F32; VECTORS]; ROWS],
    bias: *const f32,
    limits: [f32; 2],
    output: *mut f32,
    stride: usize,
    last: usize,
) {
    // SAFETY: as the caller says.
    unsafe {
        for (row, acc) in acc.into_iter().enumerate() {
            for (at, value) in acc.into_iter().enumerate() {
                let to = output.add(row * stride + at * S::LANES);
                let end = at + 1 == VECTORS;
                let whole = !end || !LOW && last == S::LANES;
                // A masked store takes long, and whoever reads what it wrote waits.
                let half = end && LOW && last == S::LOW;
                let before = if BIASED {
                    S::load(bias.add(at * S::LANES))
                } else if whole {
                    S::load(to)
                } else {
                    S::load_some(to, last)
                };
                let mut value = S::add(value, before);
                if CLAMPED {
                    value = S::min(S::splat(limits[1]), S::max(S::splat(limits[0]), value));
                }
                if whole {
                    S::store(to, value);
                } else if half {
                    S::store_low(to, value);
                } else {
                    S::store_some(to, value, last);
                }
            }
        }
    }
}

/// All tiles of a block. `$tile` is [`tile`] and `$finish` [`super::maps::finish`], compiled for the instruction set, and
/// the numbers are the sizes that tiles have: vectors of columns, and the rows for each.
macro_rules! tiles {
    ($S:ty, $block:expr, $tile:ident, $finish:ident, [$($vectors:literal: [$($rows:literal)+])+]) => {{
        let Block { run, input, weights, bias, columns, output, activation } = $block;
        let lanes = <$S as Simd>::LANES;
        let vectors = columns.div_ceil(lanes);
        let last = *columns - (vectors - 1) * lanes;
        let low = last <= <$S as Simd>::LOW && <$S as Simd>::LOW < lanes;
        let (sums, activation) = Sums::of(*bias, *activation);
        let mut row = 0;
        let mut left = run.count.div_ceil(<$S as Simd>::ROWS[vectors - 1]);
        while left > 0 {
            // Tiles of about the same height.
            let height = (run.count - row).div_ceil(left);
            let (input, output) = (input.add(row * run.pitch), output.add(row * run.stride));
            match (vectors, height) {
                $($(
                    ($vectors, $rows) if low => {
                        $tile::<$rows, $vectors, true>(run, input, *weights, &sums, output, last);
                    }
                    ($vectors, $rows) => $tile::<$rows, $vectors, false>(run, input, *weights, &sums, output, last),
                )+)+
                _ => unreachable!("a tile is at most as large as the registers allow"),
            }
            // While the tile is in the first cache.
            $finish(activation, output, [height, run.stride], *columns);
            row += height;
            left -= 1;
        }
    }};
}

pub(super) use tiles;
