//! The blocks that the network is made of.

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use eyespot_burn::{Conv, Loader, Norm, WeightError, relu};

/// A convolution without the normalisation behind it, which is folded.
pub(crate) fn conv(loader: &mut Loader, [name, norm]: [&str; 2], conv: Conv) -> Result<Conv2d, WeightError> {
    loader.conv(name, conv, Some(Norm { name: norm, epsilon: 1e-5 }))
}

/// Fully connected layers with `ReLU` between them.
#[derive(Debug, Clone)]
pub(crate) struct Mlp(Vec<Linear>);

impl Mlp {
    /// From so many numbers to so many, layer by layer.
    pub(crate) fn load(loader: &mut Loader, name: &str, sizes: &[usize]) -> Result<Self, WeightError> {
        let layers = sizes
            .windows(2)
            .enumerate()
            .map(|(index, pair)| loader.linear(&format!("{name}.layers.{index}"), [pair[0], pair[1]], None));
        Ok(Self(layers.collect::<Result<_, _>>()?))
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let last = self.0.len().saturating_sub(1);
        self.0.iter().enumerate().fold(x, |x, (index, layer)| {
            let x = layer.forward(x);
            if index < last { relu(x) } else { x }
        })
    }
}

/// Pixels in rows: `[batch, height * width, channels]`.
pub(crate) fn flatten(x: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width]).swap_dims(1, 2)
}
