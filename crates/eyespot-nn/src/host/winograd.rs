//! Convolutions of 3 x 3 with stride 1 by F(2 x 2, 3 x 3) (Lavin and Gray, arXiv:1509.09308): tiles of 4 x 4 pixels become
//! 16 combinations, each is multiplied with as many combinations of the weights, and what comes out is combined to 2 x 2
//! outputs. That takes 16 products where the definition has 36, and nearly twice the memory for weights.

use std::vec;
use std::vec::Vec;

use super::conv::Conv;
use super::geometry::Geometry;
use super::simd::{self, Level};
use crate::graph::{Activation, Shape, Window};

/// Combinations of a tile.
const POINTS: usize = 16;

/// With fewer channels the transforms take longer than what they save.
const CHANNELS: u32 = 16;

/// Values of the combinations of a block of tiles, inputs and products together: they stay in the second cache.
const BLOCK: usize = 1 << 16;

/// Tiles of a block at least, whatever memory that takes: the weights of all combinations go by once for each.
const TILES: usize = 16;

/// A convolution of 3 x 3.
#[derive(Debug)]
pub(super) struct Winograd {
    level: Level,
    geometry: Geometry,
    /// One for each combination.
    products: Vec<Conv>,
    bias: Vec<f32>,
    activation: Activation,
    /// A line of padding.
    zeros: Vec<f32>,
}

impl Winograd {
    /// `None` where this is not the way.
    pub(super) fn new(
        level: Level,
        window: Window,
        [input, output]: [Shape; 2],
        [weights, bias]: [&[[u8; 4]]; 2],
        activation: Activation,
    ) -> Option<Self> {
        let Window { kernel, stride, dilation, pad } = window;
        let fits =
            kernel == [3; 2] && stride == [1; 2] && dilation == [1; 2] && pad.iter().all(|&pad| pad <= 2);
        let tiles = output.h.div_ceil(2) * output.w.div_ceil(2);
        if !fits || input.c.min(output.c) < CHANNELS || (tiles as usize) < TILES {
            return None;
        }
        let (from, to) = (input.c as usize, output.c as usize);
        if weights.len() != 9 * from * to || bias.len() != to {
            return None;
        }
        let one = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] };
        let shapes = [input.c, output.c].map(|channels| Shape::new(1, tiles, channels));
        let zeros = vec![[0; 4]; to];
        let mut combined = vec![[0; 4]; from * to];
        let products = (0..POINTS).map(|point| {
            combine(weights, point, &mut combined);
            Conv::new(level, one, shapes, [&combined, &zeros], Activation::None)
        });
        Some(Self {
            level,
            geometry: Geometry { window, input, output },
            products: products.collect(),
            bias: bias.iter().map(|&value| simd::constant(value)).collect(),
            activation,
            zeros: vec![0.0; input.w as usize * from],
        })
    }

    /// Tiles of a line.
    const fn columns(&self) -> usize {
        (self.geometry.output.w as usize).div_ceil(2)
    }

    /// Channels of the input and of the output.
    const fn channels(&self) -> [usize; 2] {
        [self.geometry.input.c as usize, self.geometry.output.c as usize]
    }

    /// Lines of tiles in a block.
    fn block(&self) -> usize {
        let values = POINTS * self.channels().iter().sum::<usize>();
        (BLOCK / values)
            .max(TILES)
            .div_ceil(self.columns())
            .min((self.geometry.output.h as usize).div_ceil(2))
    }

    /// Rows of the output that are worth a thread: whole tiles.
    pub(super) fn chunk(&self, threads: usize) -> usize {
        let tiles = (self.geometry.output.h as usize).div_ceil(2);
        2 * tiles.div_ceil(threads)
    }

    /// Values of four lines that are combined, the pixels that the last tile reaches over the end included.
    const fn line(&self) -> usize {
        (2 * self.columns() + 2) * self.geometry.input.c as usize
    }

    /// Floats of memory that a thread needs.
    pub(super) fn band(&self) -> usize {
        let [from, to] = self.channels();
        let tiles = self.block() * self.columns();
        POINTS * tiles * (from + to) + (4 * self.line()).max(8 * self.columns() * to)
    }

    /// Whole rows of the output, from row `first` on, which is even.
    pub(super) fn compute(&self, input: &[f32], first: usize, output: &mut [f32], band: &mut [f32]) {
        let [from, to] = self.channels();
        let (columns, block) = (self.columns(), self.block());
        let row = self.geometry.output.w as usize * to;
        for (number, output) in output.chunks_mut(2 * block * row).enumerate() {
            let first = first + 2 * number * block;
            let lines = (output.len() / row).div_ceil(2);
            let tiles = lines * columns;
            let (inputs, rest) = band.split_at_mut(POINTS * tiles * from);
            let (products, lent) = rest.split_at_mut(POINTS * tiles * to);
            for line in 0..lines {
                self.take(input, first + 2 * line, line, inputs, lent);
            }
            let points = inputs.chunks_exact(tiles * from).zip(products.chunks_exact_mut(tiles * to));
            for (product, (input, output)) in self.products.iter().zip(points) {
                product.compute(input, 0, output);
            }
            for (line, output) in output.chunks_mut(2 * row).enumerate() {
                self.give(products, line, output, lent);
            }
        }
    }

    /// The combinations of a line of tiles, from row `y` of the output on.
    fn take(&self, input: &[f32], y: usize, line: usize, inputs: &mut [f32], lent: &mut [f32]) {
        let Shape { h, w, c } = self.geometry.input;
        let (channels, width) = (c as usize, w as usize * c as usize);
        let [top, left] = self.geometry.window.pad.map(usize::from);
        let lines = [0, 1, 2, 3].map(|at| {
            let y = (y + at).checked_sub(top).filter(|&y| y < h as usize);
            y.and_then(|y| input.get(y * width..(y + 1) * width)).unwrap_or(&self.zeros)
        });
        let (start, len) = (left * channels, self.line());
        let inside = width.min(len - start);
        let mut combined = lent.chunks_exact_mut(len);
        let mut combined: [&mut [f32]; 4] = core::array::from_fn(|_| combined.next().unwrap_or_default());
        for combined in &mut combined {
            combined[..start].fill(0.0);
            combined[start + inside..].fill(0.0);
        }
        self.level.winograd_lines(lines, combined.each_mut().map(|line| &mut line[start..start + inside]));
        let points = self.columns() * channels;
        let plane = inputs.len() / POINTS;
        for (combined, planes) in combined.iter().zip(inputs.chunks_exact_mut(4 * plane)) {
            let mut planes = planes.chunks_exact_mut(plane);
            let to = core::array::from_fn(|_| {
                planes.next().map(|plane| &mut plane[line * points..(line + 1) * points]).unwrap_or_default()
            });
            self.level.winograd_pixels(combined, channels, to);
        }
    }

    /// Two rows of the output, or the last one.
    fn give(&self, products: &[f32], line: usize, output: &mut [f32], lent: &mut [f32]) {
        let points = self.columns() * self.channels()[1];
        let plane = products.len() / POINTS;
        let of = |point: usize| &products[point * plane + line * points..][..points];
        let (upper, lower) = lent[..8 * points].split_at_mut(4 * points);
        for (column, (upper, lower)) in
            upper.chunks_exact_mut(points).zip(lower.chunks_exact_mut(points)).enumerate()
        {
            self.level.winograd_sums([0, 4, 8, 12].map(|row| of(row + column)), [upper, lower]);
        }
        let row = self.geometry.output.w as usize * self.bias.len();
        for (sums, output) in [upper, lower].into_iter().zip(output.chunks_exact_mut(row)) {
            let sums = [0, 1, 2, 3].map(|column| &sums[column * points..(column + 1) * points]);
            self.level.winograd_outputs(sums, &self.bias, output);
            self.level.activate(self.activation, output);
        }
    }
}

/// A combination of the nine weights of each pair of channels.
fn combine(weights: &[[u8; 4]], point: usize, combined: &mut [[u8; 4]]) {
    const ROWS: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    let (down, along) = (ROWS[point / 4], ROWS[point % 4]);
    let pairs = combined.len();
    for (at, to) in combined.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (y, down) in down.iter().enumerate() {
            for (x, along) in along.iter().enumerate() {
                sum += down * along * f32::from_le_bytes(weights[(3 * y + x) * pairs + at]);
            }
        }
        *to = sum.to_le_bytes();
    }
}
