//! A model, ready to predict.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eyespot_core::{Boxed, InputSize, Outputs, Predictor};
use eyespot_media::Input;
use eyespot_models::{Progress, PullOptions, Store};

use crate::registry::{BoxedEmbedder, BoxedPredictor, LoadOptions, Loaded, Plugins, Registry, Weights};
use crate::shared_embedder::SharedEmbedder;
use crate::turns::Turns;
use crate::{RuntimeError, Session, Settings};

/// Finds models: by name in the registry, in the store of weights, or in a file.
#[derive(Debug)]
pub struct Loader {
    /// The models that are known.
    pub registry: Registry,
    /// Where weights are kept.
    pub store: Store,
    /// How weights are fetched.
    pub pull: PullOptions,
}

impl Loader {
    /// The built-in models, and the store and mirror that the environment names.
    ///
    /// # Errors
    /// [`RuntimeError::Store`] if there is no place for the store.
    pub fn from_env() -> Result<Self, RuntimeError> {
        Ok(Self {
            registry: Registry::with_builtins(),
            store: Store::from_env()?,
            pull: PullOptions::from_env(),
        })
    }

    /// Loads a model: a file of weights if `model` names an existing file, otherwise by name. Weights that are not in
    /// the store yet are fetched, unless [`PullOptions::offline`].
    ///
    /// # Errors
    /// [`RuntimeError`] for an unknown name or file, and whatever goes wrong in fetching or loading.
    pub fn load(
        &self,
        model: &str,
        options: &LoadOptions,
        progress: &mut dyn Progress,
    ) -> Result<Model, RuntimeError> {
        let (loaded, weights) = self.find(&self.registry.predictors, model, options, progress)?;
        Ok(Model::new(loaded, weights))
    }

    /// Loads a model as [`load`](Self::load) does, to put something around it before it becomes a
    /// [`Model`](Model::from_loaded).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_predictor(
        &self,
        model: &str,
        options: &LoadOptions,
        progress: &mut dyn Progress,
    ) -> Result<Loaded, RuntimeError> {
        Ok(self.find(&self.registry.predictors, model, options, progress)?.0)
    }

    /// A predictor by name with noise in place of weights, to measure how fast it is without any. What needs no weights is
    /// loaded as it is.
    ///
    /// # Errors
    /// [`RuntimeError::UnknownModel`], [`RuntimeError::UnknownWeights`] for a family that can't do this, and whatever goes
    /// wrong in loading.
    pub fn load_noise(&self, model: &str, options: &LoadOptions) -> Result<Loaded, RuntimeError> {
        let plugins = &self.registry.predictors;
        if let Some(plugin) = plugins.ready(model, options) {
            return Ok(Loaded { plugin: plugin?, device: "cpu".to_owned() });
        }
        let catalog = plugins.catalog()?;
        let entry = catalog.find(model)?;
        let family = plugins.families.iter().find(|family| family.name() == entry.family);
        let loaded = family.and_then(|family| family.of_noise(&entry.name, options));
        let loaded = loaded.ok_or_else(|| RuntimeError::UnknownWeights { path: model.into() })?;
        loaded.map_err(|error| RuntimeError::Load { model: model.to_owned(), error })
    }

    /// Loads what describes how objects look, for [`Tracking::with_reid`](crate::Tracking::with_reid). By name or file
    /// as [`load`](Self::load).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_embedder(
        &self,
        model: &str,
        options: &LoadOptions,
        progress: &mut dyn Progress,
    ) -> Result<BoxedEmbedder, RuntimeError> {
        Ok(self.find(&self.registry.embedders, model, options, progress)?.0.plugin)
    }

    /// Finds a model among those of its kind. Also gives the file that its weights came from.
    fn find<P>(
        &self,
        plugins: &Plugins<P>,
        model: &str,
        options: &LoadOptions,
        progress: &mut dyn Progress,
    ) -> Result<(Loaded<P>, Option<PathBuf>), RuntimeError> {
        if let Some(plugin) = plugins.ready(model, options) {
            return Ok((Loaded { plugin: plugin?, device: "cpu".to_owned() }, None));
        }
        let file = Path::new(model);
        if file.is_file() || is_weights_name(file) {
            if !file.is_file() {
                return Err(RuntimeError::MissingWeights { path: file.to_owned() });
            }
            let family = plugins.families.iter().find(|family| family.reads(file));
            let family = family.ok_or_else(|| RuntimeError::UnknownWeights { path: file.to_owned() })?;
            options.check(model, family.settings())?;
            let weights = Weights { name: None, file, cache: None };
            let loaded = Plugins::load(&**family, model, weights, options)?;
            return Ok((loaded, Some(file.to_owned())));
        }
        let catalog = plugins.catalog()?;
        let entry = catalog.find(model)?;
        let family = plugins.families.iter().find(|family| family.name() == entry.family);
        let family = family.ok_or_else(|| RuntimeError::UnknownWeights { path: file.to_owned() })?;
        // Before anything is fetched.
        options.check(model, family.settings())?;
        let path = self.store.pull(entry, &self.pull, progress)?;
        let cache = self.store.cache_path(entry, CACHE_TAG);
        let weights = Weights { name: Some(&entry.name), file: &path, cache: Some(&cache) };
        Ok((Plugins::load(&**family, model, weights, options)?, Some(path)))
    }
}

/// Does the name of a model end as files of weights do?
fn is_weights_name(file: &Path) -> bool {
    const EXTENSIONS: [&str; 6] = ["pth", "pt", "onnx", "safetensors", "bpk", "eye"];
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Part of the name of cached weights: another layout or another Burn gets another file.
const CACHE_TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// A model, ready to predict. A handle: its clones are the same model, and sessions that share it take turns.
#[allow(missing_debug_implementations)]
#[derive(Clone)]
pub struct Model {
    pub(crate) shared: Arc<Shared>,
    pub(crate) embedder: Option<SharedEmbedder>,
}

/// A model and what it says about itself.
pub(crate) struct Shared {
    pub(crate) predictor: Turns<BoxedPredictor>,
    name: String,
    pub(crate) labels: Arc<[String]>,
    input: Option<InputSize>,
    pub(crate) outputs: Outputs,
    pub(crate) skeleton: Arc<[(u8, u8)]>,
    conf: f32,
    device: String,
    weights: Option<PathBuf>,
}

impl Model {
    fn new(loaded: Loaded, weights: Option<PathBuf>) -> Self {
        let Loaded { plugin: predictor, device } = loaded;
        let spec = predictor.spec();
        let shared = Shared {
            name: spec.name.to_owned(),
            labels: spec.labels.iter().map(|label| (*label).to_owned()).collect(),
            input: spec.input,
            outputs: spec.outputs,
            skeleton: spec.skeleton.into(),
            conf: spec.conf,
            device,
            weights,
            predictor: Turns::new(predictor),
        };
        Self { shared: Arc::new(shared), embedder: None }
    }

    /// A predictor of the program itself.
    pub fn from_predictor<P: Predictor + Send + 'static>(predictor: P) -> Self
    where
        P::Error: Send + Sync + 'static,
    {
        Self::new(Loaded { plugin: Box::new(Boxed(predictor)), device: "cpu".to_owned() }, None)
    }

    /// A predictor, and what it runs on.
    #[must_use]
    pub fn from_loaded(loaded: Loaded) -> Self {
        Self::new(loaded, None)
    }

    /// Loads a model by name or from a file of weights, on the best device, with the store and mirror that the
    /// environment names. [`Loader::load`] gives more choice.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load(model: &str) -> Result<Self, RuntimeError> {
        Loader::from_env()?.load(model, &LoadOptions::default(), &mut eyespot_models::NoProgress)
    }

    /// With what describes how objects look, for sessions that track [with it](crate::Tracking::with_reid). Without,
    /// such a session loads [`Tracking::reid_model`](crate::Tracking::reid_model) as [`load`](Self::load) does.
    #[must_use]
    pub fn with_embedder(mut self, embedder: BoxedEmbedder) -> Self {
        self.embedder = Some(SharedEmbedder::new(embedder));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its class names.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.shared.labels
    }

    /// Its input size, if it has one.
    #[must_use]
    pub fn input_size(&self) -> Option<InputSize> {
        self.shared.input
    }

    /// What it gives beside boxes.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        self.shared.outputs
    }

    /// Pairs of keypoints that a drawing connects.
    #[must_use]
    pub fn skeleton(&self) -> &[(u8, u8)] {
        &self.shared.skeleton
    }

    /// The score threshold that it takes where the caller gives none.
    #[must_use]
    pub fn conf(&self) -> f32 {
        self.shared.conf
    }

    /// What it runs on.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.shared.device
    }

    /// The file that its weights came from.
    #[must_use]
    pub fn weights(&self) -> Option<&Path> {
        self.shared.weights.as_deref()
    }

    /// Are these settings right for this model? Says it before anything is opened or started.
    ///
    /// # Errors
    /// [`RuntimeError`] for the setting that is wrong.
    pub fn check(&self, settings: &Settings) -> Result<(), RuntimeError> {
        crate::session::check(self, settings)
    }

    /// Predicts images, directories, videos and streams, one or several. Returns at once: the session opens inputs and
    /// predicts in the background, and yields a result per frame: `collect` it for all at once.
    ///
    /// # Errors
    /// [`RuntimeError`] where a setting is wrong. An input that can't be opened gives its error in its place.
    #[doc(alias = "predict_detached")]
    pub fn predict(&self, input: impl Into<Input>, settings: &Settings) -> Result<Session, RuntimeError> {
        Session::open(self, input, settings)
    }
}
