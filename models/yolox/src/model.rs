//! The model as a whole.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use eyespot_burn::{
    DetectorHead, FeatureMap, FromWeights, InputFormat, Loader, PortableModel, WeightError, Weights, labels,
};
use eyespot_core::{ErrorKind, ModelSpec};
use eyespot_decode::yolox::{Head as Grid, STRIDES};
use eyespot_decode::{Candidates, DecodeError, DecodeOptions};
use eyespot_image::{Channels, Fit, Letterbox, Normalize};

use crate::backbone::Backbone;
use crate::head::Head;
use crate::neck::Neck;
use crate::{Config, Variant};

/// Input channels of the stem.
const STEM: &str = "backbone.backbone.stem.conv.conv.weight";

/// A YOLOX detector (Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430).
#[derive(Debug, Clone)]
pub struct Yolox {
    head: YoloxHead,
    network: Network,
}

/// What the outputs of a YOLOX detector mean.
#[derive(Debug, Clone, Copy)]
pub struct YoloxHead {
    variant: Variant,
    classes: u16,
    labels: &'static [&'static str],
}

#[derive(Module, Debug)]
struct Network {
    backbone: Backbone,
    neck: Neck,
    head: Head,
}

/// The number of labels is not that of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelError {
    /// Classes of the model.
    pub classes: usize,
    /// Labels that were given.
    pub labels: usize,
}

impl core::fmt::Display for LabelError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the model has {} classes but {} labels were given", self.classes, self.labels)
    }
}

impl core::error::Error for LabelError {}

impl eyespot_core::Error for LabelError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl Yolox {
    /// Loads weights of any variant: the published `.pth` or ONNX file, safetensors, or what [`convert`](Self::convert)
    /// wrote. Variant and number of classes follow from the shapes.
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

    /// With other names for its classes. Without them, 80 classes have those of [`COCO`](crate::COCO) and others a number.
    ///
    /// # Errors
    /// [`LabelError`] where they are not as many as the classes.
    pub fn with_labels(mut self, labels: &'static [&'static str]) -> Result<Self, LabelError> {
        let classes = usize::from(self.head.classes);
        if labels.len() != classes {
            return Err(LabelError { classes, labels: labels.len() });
        }
        self.head.labels = labels;
        Ok(self)
    }

    /// Which of the published sizes it is.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        self.head.variant
    }
}

impl FromWeights for Yolox {
    type Config = Config;

    fn detect(weights: &Weights) -> Result<Config, WeightError> {
        let expected = || vec![0, 12, 3, 3];
        // Of a graph, the first convolution.
        let Some(stem) = weights.shape(STEM).or_else(|| weights.layers().next()) else {
            return Err(WeightError::Missing { name: STEM.to_owned(), expected: expected() });
        };
        let mut configs = Variant::ALL.map(Variant::config).into_iter();
        configs.find(|config| *stem == [config.width, 12, 3, 3]).ok_or_else(|| WeightError::Shape {
            name: STEM.to_owned(),
            found: stem.to_vec(),
            expected: expected(),
        })
    }

    fn named(name: &str) -> Option<Config> {
        name.parse().ok().map(Variant::config)
    }

    fn build(config: Config, loader: &mut Loader) -> Result<Self, WeightError> {
        let network = Network {
            backbone: Backbone::load(loader, config)?,
            neck: Neck::load(loader, config)?,
            head: Head::load(loader, config)?,
        };
        let classes = network.head.classes();
        // Class ids have 16 bits.
        let classes = u16::try_from(classes).map_err(|_| WeightError::Shape {
            name: "head.cls_preds.0.weight".to_owned(),
            found: vec![classes, config.channels()[0], 1, 1],
            expected: vec![usize::from(u16::MAX), config.channels()[0], 1, 1],
        })?;
        Ok(Self { head: YoloxHead::new(config.variant, classes), network })
    }
}

impl YoloxHead {
    fn new(variant: Variant, classes: u16) -> Self {
        Self { variant, classes, labels: labels(classes) }
    }
}

impl PortableModel for Yolox {
    type Head = YoloxHead;

    fn head(&self) -> &YoloxHead {
        &self.head
    }

    fn name(head: &YoloxHead) -> &str {
        head.variant.name()
    }

    fn restore(name: &str, channels: usize) -> Option<YoloxHead> {
        let classes = channels.checked_sub(5)?.try_into().ok()?;
        Some(YoloxHead::new(name.parse().ok()?, classes))
    }

    fn network<M: FeatureMap>(&self, image: M) -> Vec<M::Rows> {
        let Network { backbone, neck, head } = &self.network;
        vec![head.forward(neck.forward(backbone.forward(image)))]
    }

    /// The objectness: the score of a class is a part of it.
    fn bounds(results: &[Tensor<3>]) -> Option<Tensor<2>> {
        results.first().map(|rows| rows.clone().narrow(2, 4, 1).squeeze_dim(2))
    }
}

impl DetectorHead for YoloxHead {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes(self.variant.name(), Some(self.variant.input()), self.labels)
    }

    fn input_format(&self) -> InputFormat {
        InputFormat {
            channels: Channels::Bgr,
            normalize: Normalize::LEVELS,
            pad: 114,
            fit: Fit::TopLeft,
            multiple: 32,
        }
    }

    fn iou(&self) -> Option<f32> {
        Some(0.45)
    }

    fn decode(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let raw = results.first().copied().unwrap_or_default();
        Grid::new(letterbox.target(), &STRIDES, self.classes).decode(raw, options, candidates)
    }
}
