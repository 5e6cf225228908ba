//! What a model family implements.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use eyespot_core::{InputSize, ModelSpec, PredictionsMut};
use eyespot_decode::{Candidates, DecodeError, DecodeOptions};
use eyespot_image::{Fit, Letterbox, Normalize, TensorFormat};

use crate::{COCO, Loader, WeightError, Weights};

/// How images become the input of a model: `[batch, channels, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputFormat {
    /// Order of the channels, normalisation and padding; planar.
    pub tensor: TensorFormat<Normalize>,
    /// Where the image lies in it.
    pub fit: Fit,
    /// Width and height must be multiples of this.
    pub multiple: u16,
}

/// A network in Burn that is built from weights.
pub trait FromWeights: Sized {
    /// What tells the variants of the family apart.
    type Config;

    /// Finds the variant that weights belong to.
    ///
    /// # Errors
    /// [`WeightError`] where they belong to none.
    fn detect(weights: &Weights) -> Result<Self::Config, WeightError>;

    /// Builds the model, asking the loader for its layers in the order of execution.
    ///
    /// # Errors
    /// [`WeightError`] where a layer does not fit.
    fn build(config: Self::Config, loader: &mut Loader) -> Result<Self, WeightError>;
}

/// A model that finds objects. [`BurnPredictor`](crate::BurnPredictor) makes it a predictor.
pub trait BurnModel: FromWeights {
    /// Name, input size, classes.
    fn spec(&self) -> ModelSpec<'_>;

    /// How images become its input.
    fn input_format(&self) -> InputFormat;

    /// IoU threshold of non-maximum suppression where the caller gives none; `None` for a model that needs none.
    fn iou(&self) -> Option<f32>;

    /// Runs the network on `[batch, channels, height, width]`. The first dimension of each result is the batch.
    fn forward(&self, input: Tensor<4>) -> Vec<Tensor<3>>;

    /// Adds what one image's part of the results holds to `candidates`, in pixels of the model's input.
    ///
    /// # Errors
    /// [`DecodeError`] where the results have another length than the input size asks for.
    fn decode(
        &self,
        results: &[&[f32]],
        input: InputSize,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError>;

    /// Pushes the candidates that are left after suppression, best first, to `out`, in pixels of the image. A model that
    /// gives masks or keypoints adds them here.
    fn push(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        candidates: &Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) {
        let _ = results;
        candidates.push_into(out, |bbox| letterbox.to_source_clipped(bbox));
    }
}

/// A model that describes how an object looks. [`BurnEmbedder`](crate::BurnEmbedder) makes it an embedder.
pub trait FeatureModel: FromWeights {
    /// Its name.
    fn name(&self) -> &str;

    /// The size that it was made for; an object fills the whole input, whatever its aspect ratio.
    fn input(&self) -> InputSize;

    /// How images become its input: planar.
    fn tensor(&self) -> TensorFormat<Normalize>;

    /// Numbers per feature.
    fn dim(&self) -> usize;

    /// Runs the network on `[batch, channels, height, width]`: `[batch, dim]`.
    fn forward(&self, input: Tensor<4>) -> Tensor<2>;
}

/// Loads a model from a file of any [`WeightFormat`](crate::WeightFormat).
///
/// # Errors
/// [`WeightError`].
pub fn load<M: FromWeights>(path: impl AsRef<Path>, device: &Device) -> Result<M, WeightError> {
    let weights = Weights::open(path)?;
    let config = M::detect(&weights)?;
    let mut loader = Loader::new(weights, device);
    let model = M::build(config, &mut loader)?;
    loader.finish()?;
    Ok(model)
}

/// Loads a model and saves it as burnpack, which loads many times faster than any other format: normalisation is
/// folded, and a checksum guards it. The file appears when it is complete.
///
/// # Errors
/// [`WeightError`].
pub fn convert<M: FromWeights>(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    device: &Device,
) -> Result<M, WeightError> {
    let weights = Weights::open(source)?;
    let config = M::detect(&weights)?;
    let mut loader = Loader::new(weights, device).recording();
    let model = M::build(config, &mut loader)?;
    loader.finish()?;
    loader.save(target)?;
    Ok(model)
}

/// Class names that were read at run time, for [`ModelSpec::labels`]. They stay in memory until the process ends: a
/// process loads few models.
#[must_use]
pub fn leak_labels<S: Into<String>>(names: impl IntoIterator<Item = S>) -> &'static [&'static str] {
    let names = names.into_iter().map(|name| &*String::leak(name.into()));
    Vec::leak(names.collect())
}

/// Names for so many classes: those of [`COCO`] for 80, otherwise numbers.
#[must_use]
pub fn labels(classes: u16) -> &'static [&'static str] {
    if usize::from(classes) == COCO.len() {
        &COCO
    } else {
        leak_labels((0..classes).map(|class| format!("class {class}")))
    }
}
