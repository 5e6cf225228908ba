//! The model as a whole.

use std::path::Path;

use burn::tensor::Device;
use eyespot_burn::{
    DetectorHead, FeatureMap, FromWeights, InputFormat, Loader, PortableModel, WeightError, Weights, labels,
};
use eyespot_core::ModelSpec;
use eyespot_decode::fastestdet::{Head as Grid, TRAINED};
use eyespot_decode::{Candidates, DecodeError, DecodeOptions};
use eyespot_image::{Channels, Fit, Letterbox, Normalize};

use crate::backbone::Backbone;
use crate::head::{Head, Neck};

/// The first convolutions: no other family has all of them. NanoDet begins with the first two.
const SIGNATURE: [(&str, [usize; 4]); 3] = [
    ("backbone.first_conv.0.weight", [24, 3, 3, 3]),
    ("backbone.stage2.0.branch_proj.0.weight", [24, 1, 3, 3]),
    ("backbone.stage2.0.branch_proj.2.weight", [24, 24, 1, 1]),
];

/// FastestDet (github.com/dog-qiuqiu/FastestDet, BSD-3-Clause): 0.24 million parameters, one box per cell of a grid with
/// a stride of 16.
#[derive(Debug, Clone)]
pub struct FastestDet {
    backbone: Backbone,
    neck: Neck,
    output: Head,
    head: FastestDetHead,
}

/// What the output of FastestDet means.
#[derive(Debug, Clone, Copy)]
pub struct FastestDetHead {
    classes: u16,
    labels: &'static [&'static str],
}

/// Its name in the manifest.
const NAME: &str = "fastestdet/fastestdet";

impl FastestDet {
    /// Loads weights: the published `.pth` or ONNX file, safetensors, or what [`eyespot_burn::convert`] wrote. The
    /// number of classes follows from the shapes.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, WeightError> {
        eyespot_burn::load(path, device)
    }
}

impl FromWeights for FastestDet {
    type Config = ();

    fn detect(weights: &Weights) -> Result<(), WeightError> {
        let mut layers = weights.layers();
        for (name, expected) in SIGNATURE {
            let Some(found) = weights.shape(name).or_else(|| layers.next()) else {
                return Err(WeightError::Missing { name: name.to_owned(), expected: expected.to_vec() });
            };
            if *found != expected {
                let (found, expected) = (found.to_vec(), expected.to_vec());
                return Err(WeightError::Shape { name: name.to_owned(), found, expected });
            }
        }
        Ok(())
    }

    fn named(name: &str) -> Option<()> {
        (name == NAME).then_some(())
    }

    fn build((): (), loader: &mut Loader) -> Result<Self, WeightError> {
        let (backbone, neck) = (Backbone::load(loader)?, Neck::load(loader)?);
        let output = Head::load(loader)?;
        // Class ids have 16 bits.
        let classes = u16::try_from(output.classes()).map_err(|_| WeightError::Shape {
            name: "detect_head.cls_layers.conv5x5.3.weight".to_owned(),
            found: vec![output.classes(), 96, 1, 1],
            expected: vec![usize::from(u16::MAX), 96, 1, 1],
        })?;
        Ok(Self { backbone, neck, output, head: FastestDetHead::new(classes) })
    }
}

impl FastestDetHead {
    fn new(classes: u16) -> Self {
        Self { classes, labels: labels(classes) }
    }
}

impl PortableModel for FastestDet {
    type Head = FastestDetHead;

    fn head(&self) -> &FastestDetHead {
        &self.head
    }

    fn name(_: &FastestDetHead) -> &str {
        NAME
    }

    fn restore(name: &str, channels: usize) -> Option<FastestDetHead> {
        let classes = channels.checked_sub(5)?.try_into().ok()?;
        (name == NAME).then(|| FastestDetHead::new(classes))
    }

    fn network<M: FeatureMap>(&self, image: M) -> Vec<M::Rows> {
        vec![self.output.forward(self.neck.forward(self.backbone.forward(image)))]
    }
}

impl DetectorHead for FastestDetHead {
    fn spec(&self) -> ModelSpec<'_> {
        // The score is a product: what its authors show has 0.65 and more, which is 0.45 for other detectors.
        ModelSpec { conf: 0.45, ..ModelSpec::boxes(NAME, Some(TRAINED), self.labels) }
    }

    fn input_format(&self) -> InputFormat {
        InputFormat {
            channels: Channels::Bgr,
            normalize: Normalize::UNIT,
            pad: 114,
            fit: Fit::Stretch,
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
        Grid::new(letterbox.target(), self.classes).decode(raw, options, candidates)
    }
}
