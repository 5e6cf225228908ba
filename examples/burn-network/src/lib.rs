#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{DataError, Device, Tensor, TensorData, activation};
use network::made_up::{BODY, HEADS, Layer, SIDE};

/// The made-up network in Burn.
#[derive(Debug)]
pub struct Network {
    body: Vec<Conv2d>,
    heads: Vec<Conv2d>,
    device: Device,
}

impl Network {
    /// The network on the CPU. Its weights are copied to the heap.
    #[must_use]
    pub fn new() -> Self {
        let device = Device::flex();
        let all = |layers: &[Layer]| layers.iter().map(|&layer| conv(layer, &device)).collect();
        Self { body: all(&BODY), heads: all(&HEADS), device }
    }

    /// What the network gives for an image of [`SIDE`] x [`SIDE`] pixels: the outputs one after the other, each channel by channel.
    ///
    /// # Errors
    /// Those of Burn where it can't read its own tensors.
    pub fn run(&self, image: Vec<f32>) -> Result<Vec<f32>, DataError> {
        let image = Tensor::<4>::from_data(TensorData::new(image, [1, 1, SIDE, SIDE]), &self.device);
        let x = self.body.iter().fold(image, |x, conv| activation::relu(conv.forward(x)));
        let mut outputs = Vec::new();
        for head in &self.heads {
            outputs.extend(head.forward(x.clone()).into_data().try_into_vec::<f32>()?);
        }
        Ok(outputs)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

fn conv(layer: Layer, device: &Device) -> Conv2d {
    let Layer { from, to, kernel, stride } = layer;
    let pad = kernel / 2;
    let config = Conv2dConfig::new([from, to], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad));
    let weights = TensorData::new(layer.weights().collect(), [to, from, kernel, kernel]);
    let bias = TensorData::new(layer.bias().collect(), [to]);
    let mut conv = config.init(device);
    conv.weight = Param::from_tensor(Tensor::from_data(weights, device));
    conv.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
    conv
}
