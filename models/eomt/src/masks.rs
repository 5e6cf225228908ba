//! From tokens to masks: the pixels that patches become, and what a query looks for in them.

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Tensor, activation};
use eyespot_burn::{Conv, LayerNorm, Loader, WeightError};

use crate::Config;
use crate::layer::EPSILON;

/// The product of what queries look for and what pixels are.
#[derive(Debug, Clone)]
pub(crate) struct Masks {
    doublings: Vec<Doubling>,
    layers: Vec<Linear>,
}

impl Masks {
    pub(crate) fn load(loader: &mut Loader, config: &Config) -> Result<Self, WeightError> {
        let mut doublings = Vec::new();
        for index in 0..config.doublings {
            doublings.push(Doubling::load(loader, &format!("upscale_block.block.{index}"), config.width)?);
        }
        let layer = |part: &str| loader.linear(&format!("mask_head.{part}"), [config.width; 2], None);
        let layers = ["fc1", "fc2", "fc3"].map(layer).into_iter().collect::<Result<_, _>>()?;
        Ok(Self { doublings, layers })
    }

    /// Logits `[batch, queries, height * width]` of a mask for each query, from the tokens of patches in a grid of this
    /// height and width.
    pub(crate) fn forward(&self, queries: Tensor<3>, patches: Tensor<3>, grid: [usize; 2]) -> Tensor<3> {
        let [batch, _, width] = patches.dims();
        let map = patches.reshape([batch, grid[0], grid[1], width]);
        let map = self.doublings.iter().fold(map, |map, doubling| doubling.forward(map));
        let [_, height, columns, _] = map.dims();
        let pixels = map.reshape([batch, height * columns, width]);
        let last = self.layers.len().saturating_sub(1);
        let wanted = self.layers.iter().enumerate().fold(queries, |x, (index, layer)| {
            let x = layer.forward(x);
            if index < last { activation::gelu(x) } else { x }
        });
        wanted.matmul(pixels.swap_dims(1, 2))
    }
}

/// Twice the height and width. Maps lie with their channels last here.
#[derive(Debug, Clone)]
struct Doubling {
    /// `[width, width * 2 * 2]`.
    weight: Tensor<2>,
    bias: Tensor<1>,
    conv: Conv2d,
    norm: LayerNorm,
}

impl Doubling {
    fn load(loader: &mut Loader, name: &str, width: usize) -> Result<Self, WeightError> {
        let weight: Tensor<4> = loader.parameter(&format!("{name}.conv1.weight"), [width, width, 2, 2])?;
        Ok(Self {
            weight: weight.reshape([width, width * 4]),
            bias: loader.parameter(&format!("{name}.conv1.bias"), [width])?,
            conv: loader.conv(&format!("{name}.conv2"), Conv::depthwise(width, 3).unbiased(), None)?,
            norm: loader.layer_norm(&format!("{name}.layernorm2d"), width)?.with_epsilon(EPSILON),
        })
    }

    fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let [batch, height, columns, width] = map.dims();
        // A transposed convolution with a stride as large as its kernel is a product.
        let pixels = map.reshape([batch, height * columns, width]).matmul(self.weight.clone().unsqueeze());
        let pixels: Tensor<6> = pixels.reshape([batch, height, columns, width, 2, 2]);
        let pixels = pixels.permute([0, 3, 1, 4, 2, 5]).reshape([batch, width, 2 * height, 2 * columns]);
        let pixels = pixels + self.bias.clone().reshape([1, width, 1, 1]);
        let pixels = self.conv.forward(activation::gelu(pixels));
        self.norm.forward(pixels.permute([0, 2, 3, 1]))
    }
}
