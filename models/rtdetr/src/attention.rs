//! Attention: of all to all, and of queries to places in an image.

use burn::nn::Linear;
use burn::tensor::ops::GridSampleOptions;
use burn::tensor::{Tensor, activation, s};
use eyespot_burn::{Loader, WeightError};

use crate::config::{LEVELS, POINTS};

/// How far apart places may lie, in boxes.
const OFFSET_SCALE: f32 = 0.5;

/// Each element looks at all (Vaswani et al., arXiv:1706.03762), positions added to what it asks and is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

impl Attention {
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        size: usize,
        heads: usize,
    ) -> Result<Self, WeightError> {
        let mut linear = |part: &str| loader.linear(&format!("{name}.{part}_proj"), [size; 2], None);
        Ok(Self {
            query: linear("q")?,
            key: linear("k")?,
            value: linear("v")?,
            output: linear("out")?,
            heads,
        })
    }

    pub(crate) fn forward(&self, x: Tensor<3>, position: Tensor<3>) -> Tensor<3> {
        let [batch, len, size] = x.dims();
        let inner = size / self.heads;
        let split = |x: Tensor<3>| x.reshape([batch, len, self.heads, inner]).swap_dims(1, 2);
        let placed = x.clone() + position;
        let query = split(self.query.forward(placed.clone())) / (inner as f32).sqrt();
        let weights = activation::softmax(query.matmul(split(self.key.forward(placed)).swap_dims(2, 3)), 3);
        let found = weights.matmul(split(self.value.forward(x)));
        self.output.forward(found.swap_dims(1, 2).reshape([batch, len, size]))
    }
}

/// Each query looks at some places around its box in all levels (Zhu et al., "Deformable DETR", arXiv:2010.04159).
#[derive(Debug, Clone)]
pub(crate) struct Deformable {
    offsets: Linear,
    weights: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

impl Deformable {
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        size: usize,
        heads: usize,
    ) -> Result<Self, WeightError> {
        let places = heads * LEVELS * POINTS;
        // A constant.
        loader.ignore(&format!("{name}.n_points_scale"));
        let mut linear = |part: &str, output| loader.linear(&format!("{name}.{part}"), [size, output], None);
        Ok(Self {
            offsets: linear("sampling_offsets", 2 * places)?,
            weights: linear("attention_weights", places)?,
            value: linear("value_proj", size)?,
            output: linear("output_proj", size)?,
            heads,
        })
    }

    /// `queries` with their `boxes` (centre and size, in parts of the image) look at `memory`, the pixels of levels of
    /// these heights and widths.
    pub(crate) fn forward(
        &self,
        queries: Tensor<3>,
        boxes: &Tensor<3>,
        memory: Tensor<3>,
        sizes: &[[usize; 2]],
    ) -> Tensor<3> {
        let [batch, count, size] = queries.dims();
        let (heads, inner, places) = (self.heads, size / self.heads, LEVELS * POINTS);
        let center = boxes.clone().slice(s![.., .., 0..2]).unsqueeze_dim::<4>(2);
        let extent = boxes.clone().slice(s![.., .., 2..4]).unsqueeze_dim::<4>(2);
        let offsets = self.offsets.forward(queries.clone()).reshape([batch, count, heads * places, 2]);
        let at = center + offsets * extent * (OFFSET_SCALE / POINTS as f32);
        // From -1 at one edge of the image to 1 at the other.
        let grid = (at * 2.0 - 1.0).reshape([batch, count, heads, places * 2]).swap_dims(1, 2).reshape([
            batch * heads,
            count,
            places,
            2,
        ]);
        let weights = self.weights.forward(queries).reshape([batch, count, heads, places]);
        let weights =
            activation::softmax(weights, 3).swap_dims(1, 2).reshape([batch * heads, 1, count, places]);
        let value = self.value.forward(memory);
        let (mut start, mut sampled) = (0, Vec::with_capacity(sizes.len()));
        for (level, &[height, width]) in sizes.iter().enumerate() {
            let end = start + height * width;
            let pixels = value.clone().slice(s![.., start..end, ..]).swap_dims(1, 2);
            let pixels = pixels.reshape([batch * heads, inner, height, width]);
            let grid = grid.clone().slice(s![.., .., level * POINTS..(level + 1) * POINTS, ..]);
            sampled.push(pixels.grid_sample_2d(grid, GridSampleOptions::default()));
            start = end;
        }
        let found = (Tensor::cat(sampled, 3) * weights).sum_dim(3);
        self.output.forward(found.reshape([batch, size, count]).swap_dims(1, 2))
    }
}
