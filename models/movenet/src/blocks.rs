//! The blocks that the network is made of. Normalisation is folded in all published files.

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use eyespot_burn::{Conv, Loader, WeightError, relu6};

/// An inverted residual (Sandler et al., `MobileNetV2`, arXiv:1801.04381).
#[derive(Debug, Clone)]
pub(crate) struct Bottleneck {
    expand: Option<Conv2d>,
    spatial: Conv2d,
    project: Conv2d,
    shortcut: bool,
}

impl Bottleneck {
    /// `factor` times as many channels inside; with `halving`, half the size.
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
        factor: usize,
        halving: bool,
    ) -> Result<Self, WeightError> {
        let hidden = factor * input;
        let spatial = Conv::depthwise(hidden, 3);
        let spatial = if halving { spatial.halving() } else { spatial };
        let expand = (factor > 1)
            .then(|| loader.conv(&format!("{name}.expand"), Conv::new(input, hidden, 1), None))
            .transpose()?;
        Ok(Self {
            expand,
            spatial: loader.conv(&format!("{name}.depthwise"), spatial, None)?,
            project: loader.conv(&format!("{name}.project"), Conv::new(hidden, output, 1), None)?,
            shortcut: !halving && input == output,
        })
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = match &self.expand {
            Some(expand) => relu6(expand.forward(x.clone())),
            None => x.clone(),
        };
        let y = self.project.forward(relu6(self.spatial.forward(y)));
        if self.shortcut { x + y } else { y }
    }
}

/// A depthwise and a pointwise convolution.
#[derive(Debug, Clone)]
pub(crate) struct Separable(Conv2d, Conv2d);

impl Separable {
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
    ) -> Result<Self, WeightError> {
        let depthwise = loader.conv(&format!("{name}.depthwise"), Conv::depthwise(input, 3), None)?;
        Ok(Self(depthwise, loader.conv(&format!("{name}.pointwise"), Conv::new(input, output, 1), None)?))
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        eyespot_burn::relu(self.1.forward(self.0.forward(x)))
    }
}
