//! The model as a whole.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::Device;
use eyespot_burn::{Conv, FeatureHead, FeatureMap, FromWeights, Loader, PortableModel, WeightError, Weights};
use eyespot_core::InputSize;
use eyespot_image::{Channels, Normalize};

use crate::blocks::{ConvNorm, OmniScale, norm};
use crate::{Config, Variant};

/// Numbers per feature.
const DIM: usize = 512;

/// The first convolution.
const STEM: &str = "conv1.conv.weight";

/// Mean and standard deviation of the levels of ImageNet's photos, red, green and blue.
const MEAN: [f32; 3] = [0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0];
const STD: [f32; 3] = [0.229 * 255.0, 0.224 * 255.0, 0.225 * 255.0];

/// An OSNet re-identification network (Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification", ICCV
/// 2019, arXiv:1905.00953): 256 x 128 pixels to 512 numbers.
#[derive(Debug, Clone)]
pub struct Osnet {
    variant: Variant,
    head: FeatureHead,
    network: Network,
}

#[derive(Module, Debug)]
struct Network {
    stem: ConvNorm,
    stages: Vec<Stage>,
    last: ConvNorm,
    feature: Conv2d,
}

/// Two blocks, and between stages a convolution and half the size.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<OmniScale>,
    transition: Option<ConvNorm>,
}

impl Stage {
    fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
        is_last: bool,
    ) -> Result<Self, WeightError> {
        let blocks = vec![
            OmniScale::load(loader, &format!("{name}.0"), [input, output])?,
            OmniScale::load(loader, &format!("{name}.1"), [output, output])?,
        ];
        let transition = (!is_last)
            .then(|| ConvNorm::load(loader, &format!("{name}.2.0"), Conv::new(output, output, 1)))
            .transpose()?;
        Ok(Self { blocks, transition })
    }

    fn forward<M: FeatureMap>(&self, x: M) -> M {
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        match &self.transition {
            Some(transition) => transition.relu(x).average_pool(2),
            None => x,
        }
    }
}

impl Network {
    fn forward<M: FeatureMap>(&self, image: M) -> M::Rows {
        let x = self.stem.relu(image).max_pool(3, 2);
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        self.last.relu(x).mean().conv(&self.feature).relu().pixels()
    }
}

/// What surrounds a network of this width.
fn head_of(variant: Variant) -> FeatureHead {
    FeatureHead {
        name: variant.name(),
        input: InputSize::new(128, 256),
        channels: Channels::Rgb,
        normalize: Normalize::mean_std(MEAN, STD),
        dim: DIM,
    }
}

impl Osnet {
    /// Loads weights of any variant: the `.pth` file that torchreid publishes or writes, its ONNX export, safetensors,
    /// or what [`convert`](Self::convert) wrote. The variant follows from the shapes; the classifier of the training is
    /// left out.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, WeightError> {
        eyespot_burn::load(path, device)
    }

    /// Loads weights and saves them in the format that loads fastest.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn convert(
        source: impl AsRef<Path>,
        target: impl AsRef<Path>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        eyespot_burn::convert(source, target, device)
    }

    /// Which of the published widths it is.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        self.variant
    }
}

impl FromWeights for Osnet {
    type Config = Config;

    fn detect(weights: &Weights) -> Result<Config, WeightError> {
        let expected = || vec![0, 3, 7, 7];
        let Some(stem) = weights.shape(STEM).or_else(|| weights.layers().next()) else {
            return Err(WeightError::Missing { name: STEM.to_owned(), expected: expected() });
        };
        let width = stem.first().copied().unwrap_or_default();
        let mut configs = Variant::ALL.map(Variant::config).into_iter();
        configs.find(|config| config.channels[0] == width).ok_or_else(|| WeightError::Shape {
            name: STEM.to_owned(),
            found: stem.to_vec(),
            expected: expected(),
        })
    }

    fn named(name: &str) -> Option<Config> {
        name.parse().ok().map(Variant::config)
    }

    fn build(config: Config, loader: &mut Loader) -> Result<Self, WeightError> {
        let [stem, wide, wider, widest] = config.channels;
        loader.ignore("classifier");
        let network = Network {
            stem: ConvNorm::load(loader, "conv1", Conv::new(3, stem, 7).stride(2))?,
            stages: vec![
                Stage::load(loader, "conv2", [stem, wide], false)?,
                Stage::load(loader, "conv3", [wide, wider], false)?,
                Stage::load(loader, "conv4", [wider, widest], true)?,
            ],
            last: ConvNorm::load(loader, "conv5", Conv::new(widest, widest, 1))?,
            feature: loader.dense("fc.0", [widest, DIM], Some(norm("fc.1")))?,
        };
        Ok(Self { variant: config.variant, head: head_of(config.variant), network })
    }
}

impl PortableModel for Osnet {
    type Head = FeatureHead;

    fn head(&self) -> &FeatureHead {
        &self.head
    }

    fn name(head: &FeatureHead) -> &str {
        head.name
    }

    fn restore(name: &str, channels: usize) -> Option<FeatureHead> {
        (channels == DIM).then(|| name.parse().ok().map(head_of)).flatten()
    }

    fn network<M: FeatureMap>(&self, image: M) -> Vec<M::Rows> {
        vec![self.network.forward(image)]
    }
}
