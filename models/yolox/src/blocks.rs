//! The blocks that YOLOX is made of.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, Norm, WeightError};

/// A convolution, its normalisation folded, and the activation `x * sigmoid(x)`.
#[derive(Module, Debug)]
pub(crate) struct ConvSilu {
    conv: Conv2d,
}

impl ConvSilu {
    pub(crate) fn load(loader: &mut Loader, name: &str, conv: Conv) -> Result<Self, WeightError> {
        let norm = format!("{name}.bn");
        let norm = Norm { name: &norm, epsilon: 1e-3 };
        Ok(Self { conv: loader.conv(&format!("{name}.conv"), conv, Some(norm))? })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        x.conv(&self.conv).silu()
    }
}

/// A 3x3 convolution, or in YOLOX-nano a depthwise one and a pointwise one.
#[derive(Module, Debug)]
pub(crate) struct Spatial {
    depthwise: Option<ConvSilu>,
    conv: ConvSilu,
}

impl Spatial {
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
        stride: usize,
        depthwise: bool,
    ) -> Result<Self, WeightError> {
        if !depthwise {
            let conv = Conv::new(input, output, 3).stride(stride);
            return Ok(Self { depthwise: None, conv: ConvSilu::load(loader, name, conv)? });
        }
        let conv = Conv::depthwise(input, 3).stride(stride);
        Ok(Self {
            depthwise: Some(ConvSilu::load(loader, &format!("{name}.dconv"), conv)?),
            conv: ConvSilu::load(loader, &format!("{name}.pconv"), Conv::new(input, output, 1))?,
        })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let x = match &self.depthwise {
            Some(depthwise) => depthwise.forward(x),
            None => x,
        };
        self.conv.forward(x)
    }
}

#[derive(Module, Debug)]
struct Bottleneck {
    conv1: ConvSilu,
    conv2: Spatial,
    shortcut: bool,
}

impl Bottleneck {
    fn forward<M: FeatureMap>(&self, x: M) -> M {
        if self.shortcut {
            let y = self.conv2.forward(self.conv1.forward(x.clone()));
            y.plus(x)
        } else {
            self.conv2.forward(self.conv1.forward(x))
        }
    }
}

/// A cross-stage partial layer with three convolutions (Wang et al., arXiv:1911.11929).
#[derive(Module, Debug)]
pub(crate) struct Csp {
    conv1: ConvSilu,
    conv2: ConvSilu,
    bottlenecks: Vec<Bottleneck>,
    conv3: ConvSilu,
}

/// The shape of a [`Csp`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct CspShape {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) depth: usize,
    pub(crate) shortcut: bool,
    pub(crate) depthwise: bool,
}

impl Csp {
    pub(crate) fn load(loader: &mut Loader, name: &str, shape: CspShape) -> Result<Self, WeightError> {
        let CspShape { input, output, depth, shortcut, depthwise } = shape;
        let hidden = output / 2;
        let conv1 = ConvSilu::load(loader, &format!("{name}.conv1"), Conv::new(input, hidden, 1))?;
        let conv2 = ConvSilu::load(loader, &format!("{name}.conv2"), Conv::new(input, hidden, 1))?;
        let bottlenecks = (0..depth)
            .map(|index| {
                let name = format!("{name}.m.{index}");
                let conv1 = Conv::new(hidden, hidden, 1);
                Ok(Bottleneck {
                    conv1: ConvSilu::load(loader, &format!("{name}.conv1"), conv1)?,
                    conv2: Spatial::load(loader, &format!("{name}.conv2"), [hidden; 2], 1, depthwise)?,
                    shortcut,
                })
            })
            .collect::<Result<_, _>>()?;
        let conv3 = ConvSilu::load(loader, &format!("{name}.conv3"), Conv::new(2 * hidden, output, 1))?;
        Ok(Self { conv1, conv2, bottlenecks, conv3 })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let main = self.conv1.forward(x.clone());
        let side = self.conv2.forward(x);
        let main = self.bottlenecks.iter().fold(main, |x, bottleneck| bottleneck.forward(x));
        self.conv3.forward(M::concat([main, side]))
    }
}

/// Spatial pyramid pooling: maxima of 5x5, 9x9 and 13x13 pixels beside the input.
#[derive(Module, Debug)]
pub(crate) struct Spp {
    conv1: ConvSilu,
    conv2: ConvSilu,
}

impl Spp {
    pub(crate) fn load(loader: &mut Loader, name: &str, channels: usize) -> Result<Self, WeightError> {
        let hidden = channels / 2;
        Ok(Self {
            conv1: ConvSilu::load(loader, &format!("{name}.conv1"), Conv::new(channels, hidden, 1))?,
            conv2: ConvSilu::load(loader, &format!("{name}.conv2"), Conv::new(4 * hidden, channels, 1))?,
        })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let x = self.conv1.forward(x);
        // A maximum over 5x5 maxima is one over 9x9: the same values as three poolings of 5, 9 and 13, for less.
        let pool5 = x.clone().max_pool(5, 1);
        let pool9 = pool5.clone().max_pool(5, 1);
        let pool13 = pool9.clone().max_pool(5, 1);
        self.conv2.forward(M::concat([x, pool5, pool9, pool13]))
    }
}
