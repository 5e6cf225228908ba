//! A convolution with its normalisation.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, Norm, WeightError};

/// The convolution `index` of a sequence, the normalisation behind it folded.
pub(crate) fn conv(loader: &mut Loader, name: &str, index: usize, conv: Conv) -> Result<Conv2d, WeightError> {
    let norm = format!("{name}.{}", index + 1);
    loader.conv(&format!("{name}.{index}"), conv, Some(Norm { name: &norm, epsilon: 1e-5 }))
}

pub(crate) fn conv_relu<M: FeatureMap>(conv: &Conv2d, x: M) -> M {
    x.conv(conv).relu()
}
