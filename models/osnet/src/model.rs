//! The model as a whole.

use std::path::Path;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use eyespot_burn::{
    Conv, FeatureModel, FromWeights, Loader, WeightError, Weights, average_pool, max_pool_by, mean,
};
use eyespot_core::InputSize;
use eyespot_image::{Channels, Layout, Normalize, TensorFormat};

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
    network: Network,
}

#[derive(Module, Debug)]
struct Network {
    stem: ConvNorm,
    stages: Vec<Stage>,
    last: ConvNorm,
    feature: Linear,
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

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        match &self.transition {
            Some(transition) => average_pool(transition.relu(x), 2),
            None => x,
        }
    }
}

impl Network {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let x = max_pool_by(self.stem.relu(input), 3, 2);
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        let x = mean(self.last.relu(x)).flatten(1, 3);
        activation::relu(self.feature.forward(x))
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
            feature: loader.linear("fc.0", [widest, DIM], Some(norm("fc.1")))?,
        };
        Ok(Self { variant: config.variant, network })
    }
}

impl FeatureModel for Osnet {
    fn name(&self) -> &str {
        self.variant.name()
    }

    fn input(&self) -> InputSize {
        InputSize::new(128, 256)
    }

    fn tensor(&self) -> TensorFormat<Normalize> {
        TensorFormat::new(Layout::Planar, Channels::Rgb, Normalize::mean_std(MEAN, STD))
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        self.network.forward(input)
    }
}
