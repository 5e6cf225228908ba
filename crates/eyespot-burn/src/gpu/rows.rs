//! Which rows of a network's results come back.

use burn::tensor::{DType, Int, Tensor};

use super::Reading;
use crate::BurnError;

/// So many rows of an image come back in one piece.
const SLOTS: usize = 256;
/// Sums of rows are made of sums of so many: a device adds one after the other.
const BLOCK: usize = 64;

/// Rows of one image's results that may hold something.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Which rows, in their order.
    rows: Vec<usize>,
    /// Their values, of each result, and how many there are in a row.
    values: Vec<(Vec<f32>, usize)>,
}

/// The rows of a batch that count, on their way to the host.
#[derive(Debug)]
pub(crate) struct Selection {
    reading: Reading,
    /// Rows of an image.
    count: usize,
    /// Values in a row of each result.
    widths: Vec<usize>,
}

impl Selection {
    /// Takes from results (`[images, rows, values]` each) the rows whose bound, of `[images, rows]`, reaches `conf`. What is
    /// not a number is taken.
    pub(crate) fn start(results: &[Tensor<3>], bounds: Tensor<2>, conf: f32) -> Self {
        let [images, count] = bounds.dims();
        // Rows are counted: half precision ends at 2048.
        let bounds = bounds.cast(DType::F32);
        let keep = bounds.lower_elem(conf).bool_not().float().cast(DType::F32);
        let places = places(keep);
        let device = places.device();
        // Behind the last one there is nothing: the last row stands in.
        let first = Tensor::<1, Int>::arange_step(0..(images * count) as i64, count, (&device, DType::I32));
        let chosen =
            places.clone().clamp_max(count as f32 - 1.0).int().cast(DType::I32) + first.reshape([images, 1]);
        let chosen = chosen.flatten::<1>(0, 1);
        let values = results.iter().map(|result| {
            let [_, _, width] = result.dims();
            let rows =
                result.clone().reshape([images * count, width]).select(0, chosen.clone()).cast(DType::F32);
            rows.reshape([images, SLOTS + 1, width])
        });
        // One way back for all.
        let places = places.reshape([images, SLOTS + 1, 1]);
        let widths = results.iter().map(|result| result.dims()[2]).collect();
        let together = Tensor::cat(std::iter::once(places).chain(values).collect(), 2);
        Self { reading: Reading::start(vec![together]), count, widths }
    }

    /// The number of all rows of an image.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Waits for the rows of each image. `None` where an image has too many.
    pub(crate) fn wait(self) -> Result<Option<Vec<Kept>>, BurnError> {
        let Self { reading, count, widths } = self;
        let data = reading.wait()?.concat();
        let line = 1 + widths.iter().sum::<usize>();
        let mut kept = Vec::with_capacity(data.len() / (line * (SLOTS + 1)));
        for lines in data.chunks_exact(line * (SLOTS + 1)) {
            let values = widths.iter().map(|&width| (Vec::new(), width)).collect();
            let mut image = Kept { rows: Vec::new(), values };
            for line in lines.chunks_exact(line) {
                let Some((&place, mut rest)) = line.split_first() else { continue };
                if place >= count as f32 {
                    break;
                }
                image.rows.push(place as usize);
                for (values, width) in &mut image.values {
                    let (own, others) = rest.split_at((*width).min(rest.len()));
                    values.extend_from_slice(own);
                    rest = others;
                }
            }
            if image.rows.len() > SLOTS {
                return Ok(None);
            }
            kept.push(image);
        }
        Ok(Some(kept))
    }
}

/// For each slot the row of its one, in order; the number of rows (rounded up) where there are no more.
/// `keep` is `[images, rows]` of ones and zeros; the result is `[images, SLOTS + 1]`.
fn places(keep: Tensor<2>) -> Tensor<2> {
    let [images, count] = keep.dims();
    let blocks = count.div_ceil(BLOCK);
    let keep = match blocks * BLOCK - count {
        0 => keep,
        rest => keep.pad([(0, rest)], 0.0_f32),
    };
    // How many there are up to each row.
    let within = keep.reshape([images, blocks, BLOCK]).cumsum(2);
    let of_block = within.clone().narrow(2, BLOCK - 1, 1).reshape([images, blocks]);
    let before = of_block.clone().cumsum(1) - of_block;
    let upto = (within + before.reshape([images, blocks, 1])).reshape([images, 1, blocks * BLOCK]);
    // The row of slot `n` comes behind all rows up to which there are no more than `n`.
    let device = upto.device();
    let slots = Tensor::<1, Int>::arange(0..SLOTS as i64 + 1, (&device, DType::I32)).float().cast(DType::F32);
    let slots = slots.reshape([1, SLOTS + 1, 1]);
    let shape = [images, SLOTS + 1, blocks * BLOCK];
    let behind = upto.expand(shape).lower_equal(slots.expand(shape)).float().cast(DType::F32);
    behind.sum_dim(2).reshape([images, SLOTS + 1])
}

/// Results in which most rows are zeros. The memory is kept.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    results: Vec<Vec<f32>>,
    filled: Vec<usize>,
}

impl Sparse {
    /// One image's results with the rows that were kept; `count` is the number of all rows.
    pub(crate) fn fill(&mut self, kept: &Kept, count: usize) -> &[Vec<f32>] {
        self.results.resize_with(kept.values.len(), Vec::new);
        for (result, &(ref values, width)) in self.results.iter_mut().zip(&kept.values) {
            if result.len() != count * width {
                result.clear();
                result.resize(count * width, 0.0);
            }
            let row = |row: usize| row * width..(row + 1) * width;
            for &old in &self.filled {
                if let Some(values) = result.get_mut(row(old)) {
                    values.fill(0.0);
                }
            }
            for (&new, values) in kept.rows.iter().zip(values.chunks_exact(width.max(1))) {
                if let Some(place) = result.get_mut(row(new)) {
                    place.copy_from_slice(values);
                }
            }
        }
        self.filled.clone_from(&kept.rows);
        &self.results
    }
}
