//! Products of pixels with packed weights.

use super::scale::{How, Limits, PER_LANE, Scaling, Short, Whole};
use super::vector::Int;

/// A run of output pixels whose windows lie at equal distances in memory. Distances are bytes; the values of a tap are
/// groups of four bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Number of pixels.
    pub(crate) count: usize,
    /// From a pixel's window to the next one's.
    pub(crate) pitch: usize,
    /// Lines of the window, and from one to the next.
    pub(crate) lines: [usize; 2],
    /// Taps in a line, and from one to the next.
    pub(crate) taps: [usize; 2],
    /// Groups of a tap.
    pub(crate) groups: usize,
    /// How often the whole window is multiplied: weights that are too large for a byte are sums of several.
    pub(crate) passes: usize,
}

impl Run {
    /// Bytes from the first to the last that is read.
    pub(super) const fn reach(&self) -> usize {
        let ([lines, line], [taps, tap]) = (self.lines, self.taps);
        (self.count - 1) * self.pitch + (lines - 1) * line + (taps - 1) * tap + 4 * self.groups
    }

    /// Groups that a column of weights has.
    pub(super) const fn depth(&self) -> usize {
        self.passes * self.lines[0] * self.taps[0] * self.groups
    }
}

/// A run with a panel of weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) run: Run,
    /// The first byte of the first window.
    pub(super) input: *const u8,
    /// As many whole vectors for each group of a window as the columns fill.
    pub(super) weights: *const u8,
    /// Whole vectors.
    pub(super) bias: *const i32,
    /// Whole vectors of [`super::scale::Scales`].
    pub(super) scales: *const i32,
    pub(super) how: How,
    /// Number of columns, at most [`Int::ROWS`] vectors.
    pub(super) columns: usize,
    /// The first output.
    pub(super) output: *mut i8,
    /// Outputs from one pixel to the next.
    pub(super) stride: usize,
    pub(super) limits: Limits,
}

/// Room for the sums of any tile.
pub(super) const SUMS: usize = 12 * 2 * 16;

/// Rows that share a pointer.
const SHARE: usize = 3;

/// The same number. The compiler does not see that, and so can't turn a sum of two registers, which costs nothing in an
/// address, into a pointer of its own for each row: there are not enough registers for those.
#[inline(always)]
fn opaque(number: usize) -> usize {
    super::super::gemm::opaque(number)
}

/// Multiplies a group of each row with the columns. Written out: a loop over the rows might stay one.
macro_rules! multiply {
    ($S:ty, $acc:ident, $columns:ident, $rows:expr, $at:expr, [$($row:literal)+]) => {
        $(if $row < $rows {
            let group = <$S>::splat_group($at($row / SHARE, $row % SHARE));
            for (acc, column) in $acc[$row].iter_mut().zip($columns) {
                *acc = <$S>::dot(*acc, group, column);
            }
        })+
    };
}

/// Multiplies the group of each row that lies `$ahead` from the next one.
macro_rules! step {
    ($S:ty, $acc:ident, $rows:expr, $vectors:expr, $groups:ident, $places:ident, $weights:ident, $ahead:literal) => {
        let mut columns = [<$S>::load_groups($weights.wrapping_add($ahead * $vectors * 4 * <$S>::LANES)); $vectors];
        for (at, column) in columns.iter_mut().enumerate().skip(1) {
            *column = <$S>::load_groups($weights.wrapping_add(($ahead * $vectors + at) * 4 * <$S>::LANES));
        }
        let at = |group: usize, row: usize| $groups[group].wrapping_add($places[row]).wrapping_add(4 * $ahead);
        multiply!($S, $acc, columns, $rows, at, [0 1 2 3 4 5 6 7 8 9 10 11]);
    };
}

/// Stores the sums. Written out: a loop over the rows would need them in memory.
macro_rules! store {
    ($S:ty, $acc:ident, $rows:expr, $vectors:expr, $sums:ident, [$($row:literal)+]) => {
        $(if $row < $rows {
            for at in 0..$vectors {
                <$S>::store($sums.add(($row * $vectors + at) * <$S>::LANES), $acc[$row][at]);
            }
        })+
    };
}

/// The sums of a tile: `ROWS` pixels and `VECTORS` vectors of columns.
///
/// # Safety
/// The CPU has the instructions of `S`, the run's pointers reach as far as its numbers say, and there is room for the sums.
#[inline(always)]
pub(super) unsafe fn tile<S: Int, const ROWS: usize, const VECTORS: usize>(
    run: &Run,
    input: *const u8,
    weights: *const u8,
    bias: *const i32,
    sums: *mut i32,
) {
    // SAFETY: all places lie inside what the caller vouches for: pixels below `ROWS`, groups below their number. Pointers
    // of rows that are not there are made but not followed.
    unsafe {
        let mut start = [S::splat(0); VECTORS];
        for (at, start) in start.iter_mut().enumerate() {
            *start = S::load(bias.add(at * S::LANES));
        }
        let mut acc = [start; ROWS];
        let (pitch, step) = (run.pitch, 4 * VECTORS * S::LANES);
        let mut weights = weights;
        for _ in 0..run.passes {
            let mut line = input;
            for _ in 0..run.lines[0] {
                let mut tap = line;
                for _ in 0..run.taps[0] {
                    let groups: [*const u8; 4] =
                        core::array::from_fn(|group| tap.wrapping_add(group * SHARE * pitch));
                    let mut places = [0, 1, 2].map(|row| opaque(row * pitch));
                    let mut left = run.groups;
                    while left >= 2 {
                        step!(S, acc, ROWS, VECTORS, groups, places, weights, 0);
                        step!(S, acc, ROWS, VECTORS, groups, places, weights, 1);
                        places = places.map(|place| opaque(place + 8));
                        weights = weights.wrapping_add(2 * step);
                        left -= 2;
                    }
                    if left > 0 {
                        step!(S, acc, ROWS, VECTORS, groups, places, weights, 0);
                        weights = weights.wrapping_add(step);
                    }
                    tap = tap.wrapping_add(run.taps[1]);
                }
                line = line.wrapping_add(run.lines[1]);
            }
        }
        store!(S, acc, ROWS, VECTORS, sums, [0 1 2 3 4 5 6 7 8 9 10 11]);
    }
}

/// Sums of some rows become outputs.
///
/// # Safety
/// The CPU has the instructions of `S`, the sums are there, and so is room for the outputs of `rows` pixels of the block.
#[inline(always)]
pub(super) unsafe fn finish<S: Int>(block: &Block, sums: *const i32, output: *mut i8, rows: usize) {
    // SAFETY: as the caller says.
    unsafe {
        match block.how {
            How::Right => finish_rows::<S, Whole<false>>(block, sums, output, rows),
            How::Left => finish_rows::<S, Whole<true>>(block, sums, output, rows),
            How::Short => finish_rows::<S, Short>(block, sums, output, rows),
        }
    }
}

/// # Safety
/// As for [`finish`].
#[inline(always)]
unsafe fn finish_rows<S: Int, By: Scaling<S>>(block: &Block, sums: *const i32, output: *mut i8, rows: usize) {
    let vectors = block.columns.div_ceil(S::LANES);
    for vector in 0..vectors {
        let n = (block.columns - vector * S::LANES).min(S::LANES);
        // SAFETY: as the caller of `finish` says; scales come in whole vectors.
        unsafe {
            let scale = By::load(block.scales.add(vector * PER_LANE * S::LANES));
            let from = sums.add(vector * S::LANES);
            let to = output.add(vector * S::LANES);
            if rows < 4 || !S::FOURS {
                for row in 0..rows {
                    let values = By::scale(S::load(from.add(row * vectors * S::LANES)), &scale);
                    S::store_bytes(to.add(row * block.stride), values, &block.limits, n);
                }
                continue;
            }
            let (step, stride) = (vectors * S::LANES, block.stride);
            let mut row = 0;
            // Few channels: two pixels in a vector.
            while S::FOURS && 2 * n <= S::LANES && row + 8 <= rows {
                let from = from.add(row * step);
                let values = [
                    By::scale(S::load_halves(from, from.add(step)), &scale),
                    By::scale(S::load_halves(from.add(2 * step), from.add(3 * step)), &scale),
                    By::scale(S::load_halves(from.add(4 * step), from.add(5 * step)), &scale),
                    By::scale(S::load_halves(from.add(6 * step), from.add(7 * step)), &scale),
                ];
                S::store_halves(to.add(row * stride), stride, values, &block.limits, n);
                row += 8;
            }
            // Four at a time; the last ones may be done twice.
            while row < rows {
                let first = row.min(rows - 4);
                let (from, to) = (from.add(first * step), to.add(first * stride));
                let values = [
                    By::scale(S::load(from), &scale),
                    By::scale(S::load(from.add(step)), &scale),
                    By::scale(S::load(from.add(2 * step)), &scale),
                    By::scale(S::load(from.add(3 * step)), &scale),
                ];
                let places = [to, to.add(stride), to.add(2 * stride), to.add(3 * stride)];
                S::store_four(places, values, &block.limits, n);
                row += 4;
            }
        }
    }
}

/// All tiles of a block. `$tile` and `$finish` are [`tile`] and [`finish`], compiled for the instruction set, and the
/// numbers are the sizes that tiles have: vectors of columns, and the rows for each.
macro_rules! tiles {
    ($S:ty, $block:expr, $tile:ident, $finish:ident, [$($vectors:literal: [$($rows:literal)+])+]) => {{
        let Block { run, input, weights, bias, columns, output, stride, .. } = *$block;
        let vectors = columns.div_ceil(<$S as Int>::LANES);
        let mut sums = core::mem::MaybeUninit::<[i32; super::gemm::SUMS]>::uninit();
        let sums: *mut i32 = sums.as_mut_ptr().cast();
        let mut row = 0;
        let mut left = run.count.div_ceil(<$S as Int>::ROWS[vectors - 1]);
        while row < run.count {
            // Tiles of about the same height, fours where they are stored together.
            let mut height = (run.count - row).div_ceil(left);
            if <$S as Int>::FOURS {
                let most = <$S as Int>::ROWS[vectors - 1].min(run.count - row);
                height = height.next_multiple_of(4).min(most);
            }
            let (input, output) = (input.add(row * run.pitch), output.add(row * stride));
            match (vectors, height) {
                $($(
                    ($vectors, $rows) => $tile::<$rows, $vectors>(&run, input, weights, bias, sums),
                )+)+
                _ => unreachable!("a tile is at most as large as the registers allow"),
            }
            $finish($block, sums, output, height);
            row += height;
            left = (left - 1).max(1);
        }
    }};
}

pub(super) use tiles;
