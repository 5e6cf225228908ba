//! The models that a program knows, by name.

use std::collections::BTreeMap;
use std::path::Path;

use eyespot_core::{AnyError, Embedder, Predictor};
use eyespot_models::{Catalog, Manifest};

use crate::RuntimeError;
#[cfg(any(
    feature = "eomt",
    feature = "fastestdet",
    feature = "movenet",
    feature = "osnet",
    feature = "rtdetr",
    feature = "yolox"
))]
use crate::builtin::Networks;

/// A predictor of any kind.
pub type BoxedPredictor = Box<dyn Predictor<Error = AnyError> + Send>;

/// An embedder of any kind.
pub type BoxedEmbedder = Box<dyn Embedder<Error = AnyError> + Send>;

/// How a model is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// `auto`, `cpu`, `wgpu` or `wgpu:N`, `wgpu-f16` in half precision. Ignored by models without a network.
    pub device: String,
    /// Settings of the model itself, by name: those that it [knows](Family::settings).
    pub settings: BTreeMap<String, String>,
}

impl LoadOptions {
    /// On this device, everything else by default.
    #[must_use]
    pub fn on(device: impl Into<String>) -> Self {
        Self { device: device.into(), ..Self::default() }
    }

    /// Are all settings among those that a model knows?
    pub(crate) fn check(&self, model: &str, known: &[&'static str]) -> Result<(), RuntimeError> {
        match self.settings.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(setting) => Err(RuntimeError::UnknownSetting {
                model: model.to_owned(),
                setting: setting.clone(),
                known: known.to_vec(),
            }),
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { device: "auto".to_owned(), settings: BTreeMap::new() }
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

/// A loaded model: a predictor, or another `P`.
#[allow(missing_debug_implementations)]
pub struct Loaded<P = BoxedPredictor> {
    /// The plugin.
    pub plugin: P,
    /// What it runs on, for a person.
    pub device: String,
}

/// A family of networks: a plugin. They are predictors, or with [`BoxedEmbedder`] as `P` embedders.
pub trait Family<P = BoxedPredictor>: Send + Sync {
    /// Its name: the first part of its models' names.
    fn name(&self) -> &str;

    /// The manifest of its models, JSON.
    fn manifest(&self) -> &str;

    /// Names of the settings that its models know, beside those that every caller may give.
    fn settings(&self) -> &[&'static str] {
        &[]
    }

    /// Can it read a file of this kind?
    fn reads(&self, file: &Path) -> bool;

    /// Loads a model.
    ///
    /// # Errors
    /// Whatever is wrong with the file, its shapes or the device.
    fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded<P>, AnyError>;

    /// A model of the manifest with noise in place of weights, to measure how fast it is without any. `None` where the
    /// family can't.
    fn of_noise(&self, name: &str, options: &LoadOptions) -> Option<Result<Loaded<P>, AnyError>> {
        let _ = (name, options);
        None
    }

    /// What is to know of a file beside what every model says of itself, a line for each: what, and the value.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn describe(&self, file: &Path, options: &LoadOptions) -> Result<Vec<(&'static str, String)>, AnyError> {
        let _ = (file, options);
        Ok(Vec::new())
    }
}

type Factory<P> = Box<dyn Fn(&LoadOptions) -> Result<P, AnyError> + Send + Sync>;

/// A plugin without weights.
pub(crate) struct Ready<P> {
    name: String,
    settings: &'static [&'static str],
    factory: Factory<P>,
}

/// The models of one kind.
pub(crate) struct Plugins<P> {
    /// Those without weights.
    pub(crate) ready: Vec<Ready<P>>,
    pub(crate) families: Vec<Box<dyn Family<P>>>,
}

impl<P> Default for Plugins<P> {
    fn default() -> Self {
        Self { ready: Vec::new(), families: Vec::new() }
    }
}

impl<P> Plugins<P> {
    fn add(&mut self, new: Ready<P>) {
        self.ready.retain(|known| known.name != new.name);
        self.ready.push(new);
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.ready.iter().map(|ready| ready.name.as_str())
    }

    /// The plugin without weights of this name; `None` where there is none.
    pub(crate) fn ready(&self, name: &str, options: &LoadOptions) -> Option<Result<P, RuntimeError>> {
        let ready = self.ready.iter().find(|ready| ready.name == name)?;
        let made = options.check(name, ready.settings).and_then(|()| {
            (ready.factory)(options).map_err(|error| RuntimeError::Load { model: name.to_owned(), error })
        });
        Some(made)
    }

    /// Loads a model of a family that knows the settings: whoever calls this has looked at them.
    pub(crate) fn load(
        family: &dyn Family<P>,
        model: &str,
        weights: Weights<'_>,
        options: &LoadOptions,
    ) -> Result<Loaded<P>, RuntimeError> {
        let loaded = family.load(weights, options);
        loaded.map_err(|error| RuntimeError::Load { model: model.to_owned(), error })
    }

    fn manifests(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|family| family.manifest())
    }

    /// The models of its families.
    pub(crate) fn catalog(&self) -> Result<Catalog, RuntimeError> {
        catalog(self.manifests())
    }
}

fn catalog<'a>(manifests: impl Iterator<Item = &'a str>) -> Result<Catalog, RuntimeError> {
    Ok(Catalog::new(manifests.map(Manifest::parse).collect::<Result<Vec<_>, _>>()?)?)
}

/// The models that a program knows: predictors and embedders, those without weights and families of networks.
#[derive(Default)]
pub struct Registry {
    pub(crate) predictors: Plugins<BoxedPredictor>,
    pub(crate) embedders: Plugins<BoxedEmbedder>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("predictors", &self.predictor_names().collect::<Vec<_>>())
            .field("embedders", &self.embedder_names().collect::<Vec<_>>())
            .field("families", &(self.predictors.families.len() + self.embedders.families.len()))
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
        registry.predictor_with_settings("motion", crate::builtin::MOTION, crate::builtin::motion);
        // Before those that would take any file.
        #[cfg(feature = "nn")]
        registry.family(crate::fixed_memory::EyeFamily);
        #[cfg(feature = "yolox")]
        registry.family(Networks::<yolox::Yolox, _>::portable("yolox", yolox::MANIFEST));
        #[cfg(feature = "fastestdet")]
        registry.family(Networks::<fastestdet::FastestDet, _>::portable("fastestdet", fastestdet::MANIFEST));
        #[cfg(feature = "movenet")]
        registry.family(Networks::<movenet::MoveNet, _>::portable("movenet", movenet::MANIFEST));
        #[cfg(feature = "eomt")]
        registry.family(Networks::<eomt::Eomt, _>::of_burn("eomt", eomt::MANIFEST));
        #[cfg(feature = "rtdetr")]
        registry.family(Networks::<rtdetr::RtDetr, _>::of_burn("rtdetr", rtdetr::MANIFEST));
        // After those that know a network well.
        #[cfg(feature = "onnx")]
        registry.family(crate::onnx::OnnxFamily);
        #[cfg(feature = "osnet")]
        registry.embedder_family(Networks::<osnet::Osnet, _>::features("osnet", osnet::MANIFEST));
        registry
    }

    /// Adds a predictor without weights. A later one of the same name takes its place.
    pub fn predictor(
        &mut self,
        name: impl Into<String>,
        factory: impl Fn(&LoadOptions) -> Result<BoxedPredictor, AnyError> + Send + Sync + 'static,
    ) {
        self.predictor_with_settings(name, &[], factory);
    }

    /// Adds a predictor without weights that knows these settings.
    pub fn predictor_with_settings(
        &mut self,
        name: impl Into<String>,
        settings: &'static [&'static str],
        factory: impl Fn(&LoadOptions) -> Result<BoxedPredictor, AnyError> + Send + Sync + 'static,
    ) {
        self.predictors.add(Ready { name: name.into(), settings, factory: Box::new(factory) });
    }

    /// Adds a family of networks that find objects.
    pub fn family(&mut self, family: impl Family + 'static) {
        self.predictors.families.push(Box::new(family));
    }

    /// Adds an embedder without weights. A later one of the same name takes its place.
    pub fn embedder(
        &mut self,
        name: impl Into<String>,
        factory: impl Fn(&LoadOptions) -> Result<BoxedEmbedder, AnyError> + Send + Sync + 'static,
    ) {
        self.embedders.add(Ready { name: name.into(), settings: &[], factory: Box::new(factory) });
    }

    /// Adds a family of networks that describe how objects look.
    pub fn embedder_family(&mut self, family: impl Family<BoxedEmbedder> + 'static) {
        self.embedders.families.push(Box::new(family));
    }

    /// Names of the predictors without weights.
    pub fn predictor_names(&self) -> impl Iterator<Item = &str> {
        self.predictors.names()
    }

    /// Names of the embedders without weights.
    pub fn embedder_names(&self) -> impl Iterator<Item = &str> {
        self.embedders.names()
    }

    /// The models of the families that find objects.
    ///
    /// # Errors
    /// As [`catalog`](Self::catalog).
    pub fn predictor_catalog(&self) -> Result<Catalog, RuntimeError> {
        self.predictors.catalog()
    }

    /// What is to know of a file of weights: the family that takes it, and what that says of it, a line for each.
    ///
    /// # Errors
    /// [`RuntimeError::MissingWeights`] and [`RuntimeError::UnknownWeights`] where there is no such file or no family
    /// takes it, [`RuntimeError::Load`] where it can't be loaded.
    pub fn describe(
        &self,
        file: &Path,
        options: &LoadOptions,
    ) -> Result<Vec<(&'static str, String)>, RuntimeError> {
        if !file.is_file() {
            return Err(RuntimeError::MissingWeights { path: file.to_owned() });
        }
        fn of<P>(
            plugins: &Plugins<P>,
            file: &Path,
            options: &LoadOptions,
        ) -> Option<Result<Vec<(&'static str, String)>, AnyError>> {
            let family = plugins.families.iter().find(|family| family.reads(file))?;
            let lines = family.describe(file, options);
            Some(lines.map(|lines| [vec![("family", family.name().to_owned())], lines].concat()))
        }
        // Embedders first: among the predictors is one that takes any ONNX file.
        let lines = of(&self.embedders, file, options).or_else(|| of(&self.predictors, file, options));
        let lines = lines.ok_or_else(|| RuntimeError::UnknownWeights { path: file.to_owned() })?;
        lines.map_err(|error| RuntimeError::Load { model: file.display().to_string(), error })
    }

    /// All models of all families, predictors first.
    ///
    /// # Errors
    /// [`RuntimeError::Manifest`] if a manifest is broken or two models have one name.
    pub fn catalog(&self) -> Result<Catalog, RuntimeError> {
        catalog(self.predictors.manifests().chain(self.embedders.manifests()))
    }
}
