//! The blocks that OSNet is made of.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, Norm, WeightError};

/// What torchreid adds to variances.
const EPSILON: f32 = 1e-5;

/// The norm of a layer.
pub(crate) const fn norm(name: &str) -> Norm<'_> {
    Norm { name, epsilon: EPSILON }
}

/// A convolution and its normalisation, folded.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    conv: Conv2d,
}

impl ConvNorm {
    pub(crate) fn load(loader: &mut Loader, name: &str, conv: Conv) -> Result<Self, WeightError> {
        let bn = format!("{name}.bn");
        Ok(Self { conv: loader.conv(&format!("{name}.conv"), conv, Some(norm(&bn)))? })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        x.conv(&self.conv)
    }

    pub(crate) fn relu<M: FeatureMap>(&self, x: M) -> M {
        self.forward(x).relu()
    }
}

/// A 3x3 convolution in two parts: over the channels, then over the pixels.
#[derive(Module, Debug)]
struct Light {
    pointwise: Conv2d,
    depthwise: Conv2d,
}

impl Light {
    fn load(loader: &mut Loader, name: &str, channels: usize) -> Result<Self, WeightError> {
        let pointwise = Conv::new(channels, channels, 1).unbiased();
        let bn = format!("{name}.bn");
        Ok(Self {
            pointwise: loader.conv(&format!("{name}.conv1"), pointwise, None)?,
            depthwise: loader.conv(
                &format!("{name}.conv2"),
                Conv::depthwise(channels, 3),
                Some(norm(&bn)),
            )?,
        })
    }

    fn forward<M: FeatureMap>(&self, x: M) -> M {
        x.conv(&self.pointwise).conv(&self.depthwise).relu()
    }
}

/// Weighs the channels of a stream by what is in the whole of it.
#[derive(Module, Debug)]
struct Gate {
    squeeze: Conv2d,
    expand: Conv2d,
}

impl Gate {
    fn load(loader: &mut Loader, name: &str, channels: usize) -> Result<Self, WeightError> {
        let hidden = channels / 16;
        Ok(Self {
            squeeze: loader.conv(&format!("{name}.fc1"), Conv::new(channels, hidden, 1), None)?,
            expand: loader.conv(&format!("{name}.fc2"), Conv::new(hidden, channels, 1), None)?,
        })
    }

    /// The sum of the weighed streams.
    fn forward<M: FeatureMap>(&self, streams: [M; 4]) -> M {
        let [first, rest @ ..] = streams.map(|stream| {
            let weights = stream.clone().mean().conv(&self.squeeze).relu().conv(&self.expand);
            stream.times(weights.sigmoid())
        });
        rest.into_iter().fold(first, M::plus)
    }
}

/// Four streams that see 3, 5, 7 and 9 pixels of the input each way, weighed and added (figure 4 of the paper).
#[derive(Module, Debug)]
pub(crate) struct OmniScale {
    reduce: ConvNorm,
    streams: Vec<Vec<Light>>,
    gate: Gate,
    expand: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl OmniScale {
    pub(crate) fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
    ) -> Result<Self, WeightError> {
        let channels = output / 4;
        let reduce = ConvNorm::load(loader, &format!("{name}.conv1"), Conv::new(input, channels, 1))?;
        let mut stream = |letter, length| {
            (0..length)
                .map(|index| {
                    // The first stream is a single layer and has no number.
                    let number = if length == 1 { String::new() } else { format!(".{index}") };
                    Light::load(loader, &format!("{name}.conv2{letter}{number}"), channels)
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let streams = vec![stream('a', 1)?, stream('b', 2)?, stream('c', 3)?, stream('d', 4)?];
        let gate = Gate::load(loader, &format!("{name}.gate"), channels)?;
        let expand = ConvNorm::load(loader, &format!("{name}.conv3"), Conv::new(channels, output, 1))?;
        let shortcut = (input != output)
            .then(|| ConvNorm::load(loader, &format!("{name}.downsample"), Conv::new(input, output, 1)))
            .transpose()?;
        Ok(Self { reduce, streams, gate, expand, shortcut })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let reduced = self.reduce.relu(x.clone());
        let stream = |index: usize| {
            let layers = self.streams.get(index).into_iter().flatten();
            layers.fold(reduced.clone(), |x, layer| layer.forward(x))
        };
        let sum = self.gate.forward([stream(0), stream(1), stream(2), stream(3)]);
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        self.expand.forward(sum).plus(shortcut).relu()
    }
}
