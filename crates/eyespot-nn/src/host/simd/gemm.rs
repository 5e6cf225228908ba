//! Products of a block of rows with packed weights.

use super::vector::Simd;

/// Values of a row that are multiplied before the sums go back to memory: a tile's rows stay in the first cache.
pub(crate) const DEPTH: usize = 384;

/// Values from one packed row to the next. The rows of a tile start in different sets of the cache.
pub(crate) const PITCH: usize = DEPTH + 16;

/// Vectors in a panel of weights.
pub(crate) const PANEL: usize = 2;

/// A block of rows, times panels of weights, to a block of sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Rows, [`PITCH`] apart.
    pub(super) rows: *const f32,
    /// Number of rows.
    pub(super) count: usize,
    /// Values of each row, at most [`DEPTH`].
    pub(super) depth: usize,
    /// Packed weights: panels of [`PANEL`] vectors of columns, the last of one where that is enough.
    pub(super) weights: *const f32,
    /// Values in a column of weights.
    pub(super) column: usize,
    /// The value of a column that belongs to the first value of the rows.
    pub(super) start: usize,
    /// A bias per column, padded to whole vectors, for the first values of the rows; `None` adds to the sums that are
    /// there.
    pub(super) bias: Option<*const f32>,
    /// Number of columns.
    pub(super) columns: usize,
    /// The sums.
    pub(super) sums: *mut f32,
    /// Values from one row of sums to the next.
    pub(super) stride: usize,
}

/// A tile: `ROWS` rows and `VECTORS` vectors of columns, of which the last has `last` values.
///
/// # Safety
/// The CPU has the instructions of `S`, and the block's pointers reach as far as its numbers say.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    block: &Block,
    rows: *const f32,
    weights: *const f32,
    bias: Option<*const f32>,
    sums: *mut f32,
    last: usize,
) {
    // SAFETY: all places lie inside what the caller vouches for: rows below `ROWS`, values below `depth`, and columns
    // below `columns`; the weights and biases have whole vectors.
    unsafe {
        let mut acc = [[S::splat(0.0); VECTORS]; ROWS];
        let mut weights = weights;
        let mut rows = rows;
        let end = rows.add(block.depth);
        while rows < end {
            let mut columns = [S::splat(0.0); VECTORS];
            for (at, column) in columns.iter_mut().enumerate() {
                *column = S::load(weights.add(at * S::LANES));
            }
            for (row, acc) in acc.iter_mut().enumerate() {
                let value = S::splat(*rows.add(row * PITCH));
                for (acc, column) in acc.iter_mut().zip(columns) {
                    *acc = S::fma(value, column, *acc);
                }
            }
            rows = rows.add(1);
            weights = weights.add(VECTORS * S::LANES);
        }
        for (row, acc) in acc.into_iter().enumerate() {
            for (at, value) in acc.into_iter().enumerate() {
                let to = sums.add(row * block.stride + at * S::LANES);
                let whole = at + 1 < VECTORS || last == S::LANES;
                let before = match bias {
                    Some(bias) => S::load(bias.add(at * S::LANES)),
                    None if whole => S::load(to),
                    None => S::load_some(to, last),
                };
                let value = S::add(value, before);
                if whole {
                    S::store(to, value);
                } else {
                    S::store_some(to, value, last);
                }
            }
        }
    }
}

/// All tiles of a block. `$tile` is [`tile`] compiled for the instruction set.
macro_rules! tiles {
    ($S:ty, $block:expr, $tile:ident, [$($rows:literal)+]) => {{
        let block: &Block = $block;
        let lanes = <$S as Simd>::LANES;
        let mut column = 0;
        while column < block.columns {
            let width = (block.columns - column).min(PANEL * lanes);
            let narrow = width <= lanes;
            let last = if narrow { width } else { width - lanes };
            let bias = block.bias.map(|bias| bias.add(column));
            let vectors = if narrow { 1 } else { PANEL };
            let weights = block.weights.add(column * block.column + block.start * vectors * lanes);
            let mut row = 0;
            let mut left = block.count.div_ceil(<$S as Simd>::ROWS);
            while left > 0 {
                // Tiles of about the same height.
                let height = (block.count - row).div_ceil(left);
                let rows = block.rows.add(row * PITCH);
                let sums = block.sums.add(row * block.stride + column);
                match (height, narrow) {
                    $(
                        ($rows, false) => $tile::<$rows, 2>(block, rows, weights, bias, sums, last),
                        ($rows, true) => $tile::<$rows, 1>(block, rows, weights, bias, sums, last),
                    )+
                    _ => unreachable!("a tile is at most as high as the registers allow"),
                }
                row += height;
                left -= 1;
            }
            column += width;
        }
    }};
}

pub(super) use tiles;
