//! What a model family implements.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use eyespot_convert::Recording;

use crate::{COCO, FeatureMap, Loader, WeightError, Weights};

/// A network in Burn that is built from weights.
pub trait FromWeights: Sized {
    /// What tells the variants of the family apart.
    type Config;

    /// Finds the variant that weights belong to.
    ///
    /// # Errors
    /// [`WeightError`] where they belong to none.
    fn detect(weights: &Weights) -> Result<Self::Config, WeightError>;

    /// The variant of this name in the family's manifest.
    fn named(name: &str) -> Option<Self::Config>;

    /// Builds the model, asking the loader for its layers in the order of execution.
    ///
    /// # Errors
    /// [`WeightError`] where a layer does not fit.
    fn build(config: Self::Config, loader: &mut Loader) -> Result<Self, WeightError>;
}

/// A model that Burn runs. What its outputs mean is said by its head: with a [`DetectorHead`](crate::DetectorHead),
/// [`BurnPredictor`](crate::BurnPredictor) makes it a predictor; with a [`FeatureHead`](crate::FeatureHead),
/// [`BurnEmbedder`](crate::BurnEmbedder) makes it an embedder.
pub trait BurnModel: FromWeights {
    /// What surrounds the network.
    type Head;

    /// What surrounds the network.
    fn head(&self) -> &Self::Head;

    /// Runs the network on `[batch, channels, height, width]`. The first dimension of each result is the batch.
    fn forward(&self, input: Tensor<4>) -> Vec<Tensor<3>>;

    /// See [`PortableModel::bounds`].
    fn bounds(&self, results: &[Tensor<3>]) -> Option<Tensor<2>> {
        let _ = results;
        None
    }
}

/// A model that is written on [`FeatureMap`]: Burn runs it, and on a CPU the engine of `eyespot-nn` does
/// ([`CpuPredictor`](crate::CpuPredictor), [`CpuEmbedder`](crate::CpuEmbedder)).
pub trait PortableModel: FromWeights {
    /// What surrounds the network.
    type Head: Clone;

    /// What surrounds the network.
    fn head(&self) -> &Self::Head;

    /// Its name, such as `yolox/yolox-nano`.
    fn name(head: &Self::Head) -> &str;

    /// The head of a network that was planned before, by its name and the channels of its last output; `None` where this
    /// family has no such.
    fn restore(name: &str, channels: usize) -> Option<Self::Head>;

    /// The network, from the image to its outputs.
    fn network<M: FeatureMap>(&self, image: M) -> Vec<M::Rows>;

    /// For each row of the results (`[batch, rows, values]`, as many rows each) the score that no candidate of it exceeds,
    /// `[batch, rows]`. From a GPU only the rows that reach the threshold come back then, and all others read as zeros, so a
    /// row of zeros must hold no candidate. `None`: all rows come back.
    fn bounds(results: &[Tensor<3>]) -> Option<Tensor<2>> {
        let _ = results;
        None
    }
}

impl<M: PortableModel> BurnModel for M {
    type Head = <M as PortableModel>::Head;

    fn head(&self) -> &Self::Head {
        PortableModel::head(self)
    }

    fn forward(&self, input: Tensor<4>) -> Vec<Tensor<3>> {
        self.network(input)
    }

    fn bounds(&self, results: &[Tensor<3>]) -> Option<Tensor<2>> {
        M::bounds(results)
    }
}

/// The network of a model, to plan it for the engine of `eyespot-nn`. Its image has three channels.
#[must_use]
pub fn record<M: PortableModel>(model: &M) -> Recording {
    Recording::of(3, |image| model.network(image))
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

/// Class names that were read at run time, for [`ModelSpec::labels`](eyespot_core::ModelSpec::labels). They stay in
/// memory until the process ends: a process loads few models.
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
