//! The model as a whole.

use std::path::Path;

use burn::tensor::Device;
use eyespot_burn::{
    DetectorHead, FeatureMap, FromWeights, InputFormat, Loader, PortableModel, WeightError, Weights,
};
use eyespot_core::coco::{KEYPOINTS, SKELETON};
use eyespot_core::{BBox, ClassId, Detection, InputSize, Keypoint, ModelSpec, Outputs, PredictionsMut};
use eyespot_decode::{Candidate, Candidates, DecodeError, DecodeOptions, keypoints, movenet::Maps};
use eyespot_image::{Channels, Fit, Letterbox, Normalize};

use crate::backbone::Backbone;
use crate::head::Head;

/// The score from which a keypoint counts for the box around them.
const VISIBLE: f32 = 0.2;

/// The weight shapes of the first layers and of the last one.
const FIRST: [(&str, [usize; 4]); 3] = [
    ("stem.weight", [32, 3, 3, 3]),
    ("stages.0.0.depthwise.weight", [32, 1, 3, 3]),
    ("stages.0.0.project.weight", [16, 32, 1, 1]),
];
const LAST: (&str, [usize; 4]) = ("center.values.weight", [1, 96, 1, 1]);

/// `MoveNet` Lightning (Google, 2021): the keypoints of the one person that is nearest to the middle of the image.
#[derive(Debug, Clone)]
pub struct MoveNet {
    backbone: Backbone,
    maps: Head,
}

/// What the outputs of `MoveNet` mean.
#[derive(Debug, Clone, Copy)]
pub struct MoveNetHead;

/// Its name in the manifest.
const NAME: &str = "movenet/lightning";

impl MoveNet {
    /// Loads weights: an ONNX export of the published model, or what [`eyespot_burn::convert`] wrote.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, WeightError> {
        eyespot_burn::load(path, device)
    }
}

impl FromWeights for MoveNet {
    type Config = ();

    fn detect(weights: &Weights) -> Result<(), WeightError> {
        let check = |name: &str, expected: [usize; 4], found: Option<&[usize]>| match found {
            None => Err(WeightError::Missing { name: name.to_owned(), expected: expected.to_vec() }),
            Some(found) if *found != expected => Err(WeightError::Shape {
                name: name.to_owned(),
                found: found.to_vec(),
                expected: expected.to_vec(),
            }),
            Some(_) => Ok(()),
        };
        let mut layers = weights.layers();
        for (name, expected) in FIRST {
            check(name, expected, weights.shape(name).or_else(|| layers.next()))?;
        }
        check(LAST.0, LAST.1, weights.shape(LAST.0).or_else(|| layers.last()))
    }

    fn named(name: &str) -> Option<()> {
        (name == NAME).then_some(())
    }

    fn build((): (), loader: &mut Loader) -> Result<Self, WeightError> {
        Ok(Self { backbone: Backbone::load(loader)?, maps: Head::load(loader)? })
    }
}

/// The keypoints that the results hold, in pixels of the model's input.
fn pose<'a>(
    results: &[&'a [f32]],
    input: InputSize,
) -> Result<impl ExactSizeIterator<Item = Keypoint> + Clone + use<'a>, DecodeError> {
    let count = results.len();
    let maps: [&[f32]; 4] =
        results.try_into().map_err(|_| DecodeError::Length { expected: 4, actual: count })?;
    Ok(Maps::new(input, KEYPOINTS.len() as u16, maps)?.keypoints())
}

impl PortableModel for MoveNet {
    type Head = MoveNetHead;

    fn head(&self) -> &MoveNetHead {
        &MoveNetHead
    }

    fn name(_: &MoveNetHead) -> &str {
        NAME
    }

    fn restore(name: &str, _: usize) -> Option<MoveNetHead> {
        (name == NAME).then_some(MoveNetHead)
    }

    fn network<M: FeatureMap>(&self, image: M) -> Vec<M::Rows> {
        self.maps.forward(&self.backbone.forward(image))
    }
}

impl DetectorHead for MoveNetHead {
    fn spec(&self) -> ModelSpec<'_> {
        let spec = ModelSpec::boxes(NAME, Some(InputSize::square(192)), &["person"]);
        let outputs = Outputs { keypoints: KEYPOINTS.len() as u8, ..spec.outputs };
        ModelSpec { outputs, skeleton: &SKELETON, ..spec }
    }

    fn input_format(&self) -> InputFormat {
        InputFormat {
            channels: Channels::Rgb,
            normalize: Normalize::SYMMETRIC,
            pad: 0,
            fit: Fit::Center,
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
        let keypoints = pose(results, letterbox.target())?;
        if let Some((bbox, score)) = keypoints::object(keypoints, VISIBLE)
            && score >= options.conf
            && options.keeps(ClassId(0))
        {
            candidates.push(Candidate::new(bbox, score, ClassId(0)));
        }
        Ok(())
    }

    fn push(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        candidates: &Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) {
        let detection = |candidate: &Candidate| {
            let bbox: BBox = letterbox.to_source_clipped(candidate.bbox);
            bbox.is_valid().then(|| Detection::new(bbox, candidate.score, candidate.class))
        };
        candidates.push_with(out, detection, |_, index, out| {
            let Ok(keypoints) = pose(results, letterbox.target()) else { return };
            let placed = keypoints.map(|keypoint| {
                let (x, y) = letterbox.point_to_source(keypoint.x, keypoint.y);
                Keypoint { x, y, ..keypoint }
            });
            out.set_keypoints_from(index, placed);
        });
    }
}
