//! What networks compute with: tensors of Burn, or values whose way is recorded.

use burn::nn::conv::Conv2d;
use burn::tensor::{Tensor, activation, s};
use eyespot_convert::{Kernel, Recorded, Square};

use crate::layers;

/// Feature maps, `[batch, channels, height, width]`, and what a network does with them.
///
/// A network that is written on this trait runs on Burn's tensors, on any device that Burn has, and can be
/// [recorded](crate::record) for the engine of `eyespot-nn`, which is the faster one on CPUs and needs no heap.
pub trait FeatureMap: Clone {
    /// Rows of numbers, `[batch, rows, numbers]`: what a network gives.
    type Rows: Clone;

    /// A convolution.
    #[must_use]
    fn conv(self, layer: &Conv2d) -> Self;

    /// `x * sigmoid(x)`.
    #[must_use]
    fn silu(self) -> Self;

    /// `1 / (1 + exp(-x))`.
    #[must_use]
    fn sigmoid(self) -> Self;

    /// `max(x, 0)`.
    #[must_use]
    fn relu(self) -> Self;

    /// `min(max(x, 0), 6)`.
    #[must_use]
    fn relu6(self) -> Self;

    /// Shares of the channels that add up to 1 for each pixel.
    #[must_use]
    fn softmax(self) -> Self;

    /// The sum of both, of one shape.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// The product of both; of a single pixel it is taken for all.
    #[must_use]
    fn times(self, other: Self) -> Self;

    /// The channels of one after those of the other.
    #[must_use]
    fn concat<const N: usize>(maps: [Self; N]) -> Self;

    /// The maxima of odd squares around every pixel, or around those that a stride leaves.
    #[must_use]
    fn max_pool(self, kernel: usize, stride: usize) -> Self;

    /// The means of odd squares as in [`max_pool`](Self::max_pool), zeros beyond the edge.
    #[must_use]
    fn average_around(self, kernel: usize, stride: usize) -> Self;

    /// The mean of each square of so many pixels, side by side.
    #[must_use]
    fn average_pool(self, side: usize) -> Self;

    /// The mean of each channel: height and width become 1.
    #[must_use]
    fn mean(self) -> Self;

    /// Twice the height and width, each value repeated.
    #[must_use]
    fn upsample2(self) -> Self;

    /// Twice the height and width, with values between the pixels' centres interpolated linearly.
    #[must_use]
    fn upsample2_linear(self) -> Self;

    /// The channels with an even number and those with an odd one.
    #[must_use]
    fn halves(self) -> [Self; 2];

    /// Each 2x2 pixels become one with four times the channels, in the order top left, bottom left, top right, bottom
    /// right.
    #[must_use]
    fn focus(self) -> Self;

    /// A row for each channel.
    #[must_use]
    fn planes(self) -> Self::Rows;

    /// A row for each pixel.
    #[must_use]
    fn pixels(self) -> Self::Rows;

    /// The rows of one after those of the other.
    #[must_use]
    fn chain<const N: usize>(parts: [Self::Rows; N]) -> Self::Rows;
}

impl FeatureMap for Tensor<4> {
    type Rows = Tensor<3>;

    fn conv(self, layer: &Conv2d) -> Self {
        layer.forward(self)
    }

    fn silu(self) -> Self {
        layers::silu(self)
    }

    fn sigmoid(self) -> Self {
        layers::sigmoid(self)
    }

    fn relu(self) -> Self {
        layers::relu(self)
    }

    fn relu6(self) -> Self {
        layers::relu6(self)
    }

    fn softmax(self) -> Self {
        activation::softmax(self, 1)
    }

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn times(self, other: Self) -> Self {
        self * other
    }

    fn concat<const N: usize>(maps: [Self; N]) -> Self {
        layers::concat(maps)
    }

    fn max_pool(self, kernel: usize, stride: usize) -> Self {
        layers::max_pool_by(self, kernel, stride)
    }

    fn average_around(self, kernel: usize, stride: usize) -> Self {
        layers::average_pool_by(self, kernel, stride)
    }

    fn average_pool(self, side: usize) -> Self {
        layers::average_pool(self, side)
    }

    fn mean(self) -> Self {
        layers::mean(self)
    }

    fn upsample2(self) -> Self {
        layers::upsample2(self)
    }

    fn upsample2_linear(self) -> Self {
        let [_, _, height, width] = self.dims();
        layers::resize(self, [2 * height, 2 * width])
    }

    fn halves(self) -> [Self; 2] {
        let [batch, channels, height, width] = self.dims();
        let pairs = self.reshape([batch, channels / 2, 2, height * width]);
        [0, 1].map(|parity| {
            let half = pairs.clone().slice(s![.., .., parity..parity + 1, ..]);
            half.reshape([batch, channels / 2, height, width])
        })
    }

    fn focus(self) -> Self {
        let [batch, channels, height, width] = self.dims();
        let squares = self.reshape([batch, channels, height / 2, 2, width / 2, 2]);
        squares.permute([0, 5, 3, 1, 2, 4]).reshape([batch, 4 * channels, height / 2, width / 2])
    }

    fn planes(self) -> Tensor<3> {
        self.flatten(2, 3)
    }

    fn pixels(self) -> Tensor<3> {
        self.planes().swap_dims(1, 2)
    }

    fn chain<const N: usize>(parts: [Tensor<3>; N]) -> Tensor<3> {
        Tensor::cat(parts.into(), 1)
    }
}

impl FeatureMap for Recorded {
    type Rows = Self;

    fn conv(self, layer: &Conv2d) -> Self {
        let values = |tensor: burn::tensor::TensorData| tensor.try_into_vec_as::<f32>().unwrap_or_default();
        let padding = match layer.padding {
            burn::nn::PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
            _ => [0; 4],
        };
        Self::conv(
            &self,
            Kernel {
                shape: layer.weight.dims(),
                weights: values(layer.weight.val().into_data()),
                bias: layer.bias.as_ref().map(|bias| values(bias.val().into_data())),
                stride: layer.stride,
                padding,
                groups: layer.groups,
            },
        )
    }

    fn silu(self) -> Self {
        Self::silu(&self)
    }

    fn sigmoid(self) -> Self {
        Self::sigmoid(&self)
    }

    fn relu(self) -> Self {
        self.clamp(0.0, f32::INFINITY)
    }

    fn relu6(self) -> Self {
        self.clamp(0.0, 6.0)
    }

    fn softmax(self) -> Self {
        Self::softmax(&self)
    }

    fn plus(self, other: Self) -> Self {
        self.add(&other)
    }

    fn times(self, other: Self) -> Self {
        self.mul(&other)
    }

    fn concat<const N: usize>(maps: [Self; N]) -> Self {
        Self::concat(&maps, 1)
    }

    fn max_pool(self, side: usize, stride: usize) -> Self {
        Self::max_pool(&self, Square { side, stride, padding: side / 2 })
    }

    fn average_around(self, side: usize, stride: usize) -> Self {
        Self::average_pool(&self, Square { side, stride, padding: side / 2 })
    }

    fn average_pool(self, side: usize) -> Self {
        Self::average_pool(&self, Square { side, stride: side, padding: 0 })
    }

    fn mean(self) -> Self {
        Self::mean(&self)
    }

    fn upsample2(self) -> Self {
        self.twice(false)
    }

    fn upsample2_linear(self) -> Self {
        self.twice(true)
    }

    fn halves(self) -> [Self; 2] {
        [0, 1].map(|parity| self.every_second(1, parity))
    }

    fn focus(self) -> Self {
        let squares = [(0, 0), (1, 0), (0, 1), (1, 1)];
        Self::concat(&squares.map(|(y, x)| self.every_second(2, y).every_second(3, x)), 1)
    }

    fn planes(self) -> Self {
        Self::planes(&self)
    }

    fn pixels(self) -> Self {
        Self::pixels(&self)
    }

    fn chain<const N: usize>(parts: [Self; N]) -> Self {
        Self::concat(&parts, 1)
    }
}
