//! A convolution with its normalisation.

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use eyespot_burn::{Conv, Loader, Norm, WeightError, relu};

/// The convolution `index` of a sequence, the normalisation behind it folded.
pub(crate) fn conv(loader: &mut Loader, name: &str, index: usize, conv: Conv) -> Result<Conv2d, WeightError> {
    let norm = format!("{name}.{}", index + 1);
    loader.conv(&format!("{name}.{index}"), conv, Some(Norm { name: &norm, epsilon: 1e-5 }))
}

pub(crate) fn conv_relu(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    relu(conv.forward(x))
}
