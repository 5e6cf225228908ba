//! The models that a program knows, by name.

use std::path::Path;

use eyespot_core::{AnyError, InputSize, Predictor};
use eyespot_models::{Catalog, Manifest};

use crate::RuntimeError;

/// A predictor of any kind.
pub type BoxedPredictor = Box<dyn Predictor<Error = AnyError> + Send>;

/// How a model is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// `auto`, `cpu`, `wgpu` or `wgpu:N`. Ignored by predictors without a network.
    pub device: String,
    /// Size of the model's input; `None` for the model's own.
    pub img_size: Option<InputSize>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { device: "auto".to_owned(), img_size: None }
    }
}

/// Where a family finds the weights of a model.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// The model's name in the family's manifest; `None` for a file that the user named.
    pub name: Option<&'a str>,
    /// The file of weights.
    pub file: &'a Path,
    /// Where a faster copy of them may be kept; `None` for no cache.
    pub cache: Option<&'a Path>,
}

/// A loaded model.
#[allow(missing_debug_implementations)]
pub struct Loaded {
    /// The predictor.
    pub predictor: BoxedPredictor,
    /// What it runs on, for a person.
    pub device: String,
}

/// A family of networks: a plugin.
pub trait Family: Send + Sync {
    /// Its name: the first part of its models' names.
    fn name(&self) -> &str;

    /// The manifest of its models, JSON.
    fn manifest(&self) -> &str;

    /// Can it read a file of this kind?
    fn reads(&self, file: &Path) -> bool;

    /// Loads a model.
    ///
    /// # Errors
    /// Whatever is wrong with the file, its shapes or the device.
    fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded, AnyError>;
}

type Factory = Box<dyn Fn(&LoadOptions) -> Result<BoxedPredictor, AnyError> + Send + Sync>;

/// The models that a program knows: predictors without weights, and families of networks.
#[derive(Default)]
pub struct Registry {
    pub(crate) predictors: Vec<(String, Factory)>,
    pub(crate) families: Vec<Box<dyn Family>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("predictors", &self.predictor_names().collect::<Vec<_>>())
            .field("families", &self.families.len())
            .finish()
    }
}

impl Registry {
    /// Knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows what this build brings along: `motion`, and the network families of its features.
    #[must_use]
    pub fn with_builtins() -> Self {
        let mut registry = Self::new();
        registry.predictor("motion", |_| crate::builtin::motion());
        #[cfg(feature = "yolox")]
        registry.family(crate::builtin::YoloxFamily);
        registry
    }

    /// Adds a predictor without weights. A later one of the same name takes its place.
    pub fn predictor(
        &mut self,
        name: impl Into<String>,
        factory: impl Fn(&LoadOptions) -> Result<BoxedPredictor, AnyError> + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.predictors.retain(|(known, _)| *known != name);
        self.predictors.push((name, Box::new(factory)));
    }

    /// Adds a family of networks.
    pub fn family(&mut self, family: impl Family + 'static) {
        self.families.push(Box::new(family));
    }

    /// Names of the predictors without weights.
    pub fn predictor_names(&self) -> impl Iterator<Item = &str> {
        self.predictors.iter().map(|(name, _)| name.as_str())
    }

    /// All models of all families.
    ///
    /// # Errors
    /// [`RuntimeError::Manifest`] if a manifest is broken or two models have one name.
    pub fn catalog(&self) -> Result<Catalog, RuntimeError> {
        let manifests = self.families.iter().map(|family| Manifest::parse(family.manifest()));
        Ok(Catalog::new(manifests.collect::<Result<Vec<_>, _>>()?)?)
    }
}
