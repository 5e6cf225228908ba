//! The model as a whole.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use eyespot_burn::{BurnModel, DetectorHead, FromWeights, InputFormat, Loader, WeightError, Weights, labels};
use eyespot_core::{InputSize, ModelSpec};
use eyespot_decode::{
    Activation, Background, BoxFormat, Boxes, Candidates, DecodeError, DecodeOptions, Matrix, Scores,
};
use eyespot_image::{Channels, Fit, Letterbox, Normalize};

use crate::backbone::Backbone;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::{Config, Variant};

/// An RT-DETRv2 detector (Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection", arXiv:2304.08069; Lv et al.,
/// "RT-DETRv2", arXiv:2407.17140). It needs no suppression.
#[derive(Debug, Clone)]
pub struct RtDetr {
    head: RtDetrHead,
    backbone: Backbone,
    encoder: Encoder,
    decoder: Decoder,
}

/// What the outputs of an RT-DETRv2 detector mean.
#[derive(Debug, Clone, Copy)]
pub struct RtDetrHead {
    variant: Option<Variant>,
    classes: u16,
    labels: &'static [&'static str],
}

impl RtDetr {
    /// Loads weights as Hugging Face's `RTDetrV2ForObjectDetection` names them: safetensors or a `PyTorch` checkpoint, or what
    /// [`eyespot_burn::convert`] wrote. The shape of the network and the number of classes follow from the weights.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, WeightError> {
        eyespot_burn::load(path, device)
    }

    /// Which of the published sizes it is; `None` for another shape.
    #[must_use]
    pub const fn variant(&self) -> Option<Variant> {
        self.head.variant
    }
}

impl FromWeights for RtDetr {
    type Config = Config;

    fn detect(weights: &Weights) -> Result<Config, WeightError> {
        Config::of(weights)
    }

    fn named(name: &str) -> Option<Config> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name).map(Variant::config)
    }

    fn build(config: Config, loader: &mut Loader) -> Result<Self, WeightError> {
        let backbone = Backbone::load(loader, &config)?;
        let encoder = Encoder::load(loader, &config)?;
        let decoder = Decoder::load(loader, &config)?;
        // Class ids have 16 bits.
        let classes = u16::try_from(decoder.classes()).map_err(|_| WeightError::Shape {
            name: "enc_score_head.weight".to_owned(),
            found: vec![decoder.classes(), config.decoder],
            expected: vec![usize::from(u16::MAX), config.decoder],
        })?;
        let head = RtDetrHead { variant: config.variant(), classes, labels: labels(classes) };
        Ok(Self { head, backbone, encoder, decoder })
    }
}

impl BurnModel for RtDetr {
    type Head = RtDetrHead;

    fn head(&self) -> &RtDetrHead {
        &self.head
    }

    /// Logits and boxes of each query.
    fn forward(&self, input: Tensor<4>) -> Vec<Tensor<3>> {
        self.decoder.forward(self.encoder.forward(self.backbone.forward(input))).into()
    }
}

impl DetectorHead for RtDetrHead {
    fn spec(&self) -> ModelSpec<'_> {
        let name = self.variant.map_or("rtdetr", Variant::name);
        // Hugging Face's default, which is that of the paper's speed measurements too.
        ModelSpec { conf: 0.5, ..ModelSpec::boxes(name, Some(InputSize::square(640)), self.labels) }
    }

    fn input_format(&self) -> InputFormat {
        InputFormat {
            channels: Channels::Rgb,
            normalize: Normalize::UNIT,
            pad: 114,
            fit: Fit::Stretch,
            multiple: 32,
        }
    }

    fn iou(&self) -> Option<f32> {
        None
    }

    fn decode(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let [logits, boxes] = *results else {
            return Err(DecodeError::Length { expected: 2, actual: results.len() });
        };
        let input = letterbox.target();
        let queries = boxes.len() / 4;
        let boxes = Boxes {
            values: Matrix::new(boxes, queries, 4)?,
            format: BoxFormat::CenterSize,
            scale: [input.width, input.height].map(f32::from),
        };
        let scores = Scores::Classes {
            values: Matrix::new(logits, queries, usize::from(self.classes))?,
            objectness: None,
            activation: Activation::Sigmoid,
            background: Background::None,
        };
        boxes.decode(&scores, options, candidates)
    }
}
