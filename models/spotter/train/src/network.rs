//! The network: eight convolutions, one prediction per cell of a grid.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};

use crate::data::CLASSES;

/// Input channels, output channels and stride of the convolutions of 3 x 3. Together they take a cell of the grid from
/// 16 pixels, and each sees 87.
const BODY: [(usize, usize, usize); 7] =
    [(1, 8, 2), (8, 16, 2), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)];

/// A convolution with its normalisation; the activation is a rectifier.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub(crate) conv: Conv2d,
    pub(crate) norm: BatchNorm,
}

impl Block {
    fn new((from, to, stride): (usize, usize, usize), device: &Device) -> Self {
        let conv = Conv2dConfig::new([from, to], [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false);
        Self { conv: conv.init(device), norm: BatchNormConfig::new(to).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        activation::relu(self.norm.forward(self.conv.forward(x)))
    }
}

#[derive(Module, Debug)]
pub(crate) struct Spotter {
    pub(crate) body: Vec<Block>,
    pub(crate) objectness: Conv2d,
    pub(crate) boxes: Conv2d,
    pub(crate) classes: Conv2d,
}

/// What the network says of each cell: `[batch, channels, rows, columns]`.
pub(crate) struct Output {
    /// Before the sigmoid.
    pub(crate) objectness: Tensor<4>,
    /// Before tanh and sigmoid.
    pub(crate) boxes: Tensor<4>,
    /// Before the softmax.
    pub(crate) classes: Tensor<4>,
}

impl Spotter {
    pub(crate) fn new(device: &Device) -> Self {
        let last = BODY[BODY.len() - 1].1;
        let head = |channels: usize| Conv2dConfig::new([last, channels], [1, 1]).init(device);
        Self {
            body: BODY.iter().map(|&layer| Block::new(layer, device)).collect(),
            objectness: head(1),
            boxes: head(4),
            classes: head(CLASSES),
        }
    }

    pub(crate) fn forward(&self, images: Tensor<4>) -> Output {
        let x = self.body.iter().fold(images, |x, block| block.forward(x));
        Output {
            objectness: self.objectness.forward(x.clone()),
            boxes: self.boxes.forward(x.clone()),
            classes: self.classes.forward(x),
        }
    }
}
