//! The blocks that the network is made of. Normalisation is folded in all published files.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

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

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let y = match &self.expand {
            Some(expand) => x.clone().conv(expand).relu6(),
            None => x.clone(),
        };
        let y = y.conv(&self.spatial).relu6().conv(&self.project);
        if self.shortcut { x.plus(y) } else { y }
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

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        x.conv(&self.0).conv(&self.1).relu()
    }
}
