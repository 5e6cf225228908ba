//! The models that a build brings along.

use eyespot_core::{AnyError, Boxed};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};

use crate::heap::on_heap;
use crate::registry::{BoxedPredictor, LoadOptions};

/// The settings of the motion predictor: the fields of [`MotionConfig`].
pub(crate) const MOTION: &[&str] =
    &["threshold", "min_area", "merge_gap", "adapt_seconds", "absorb_seconds", "scene_change"];

/// The motion predictor, on a grid that keeps small objects of a Full HD camera.
pub(crate) fn motion(options: &LoadOptions) -> Result<BoxedPredictor, AnyError> {
    let mut config = MotionConfig::default();
    for (name, value) in &options.settings {
        let wrong = || AnyError::new(WrongValue { setting: name.clone(), value: value.clone() });
        let field = match name.as_str() {
            "threshold" => {
                config.threshold = value.parse().map_err(|_| wrong())?;
                continue;
            }
            "min_area" => &mut config.min_area,
            "merge_gap" => &mut config.merge_gap,
            "adapt_seconds" => &mut config.adapt_seconds,
            "absorb_seconds" => &mut config.absorb_seconds,
            "scene_change" => &mut config.scene_change,
            // Looked at before.
            _ => continue,
        };
        *field = value.parse().map_err(|_| wrong())?;
    }
    let storage = on_heap(MotionStorage::<320, 240>::new);
    let predictor = MotionPredictor::new(config, storage).map_err(AnyError::new)?;
    Ok(Box::new(Boxed(predictor)))
}

/// A setting with a value of another kind.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}={value}`: `{value}` is no number that fits")]
struct WrongValue {
    setting: String,
    value: String,
}

impl eyespot_core::Error for WrongValue {
    fn kind(&self) -> eyespot_core::ErrorKind {
        eyespot_core::ErrorKind::InvalidInput
    }
}

#[cfg(any(
    feature = "eomt",
    feature = "fastestdet",
    feature = "movenet",
    feature = "osnet",
    feature = "rtdetr",
    feature = "yolox"
))]
mod burn {
    use std::path::Path;

    use eyespot_burn::{
        BurnDevice, BurnEmbedder, BurnModel, BurnPredictor, CpuEmbedder, CpuPredictor, DetectorHead,
        DeviceChoice, FeatureHead, FromWeights, Host, Loader, PlanError, PortableModel, WeightError,
        WeightFormat, burn,
    };
    use eyespot_core::{AnyError, Boxed};
    use eyespot_models::Store;

    use crate::registry::{BoxedEmbedder, BoxedPredictor, Family, LoadOptions, Loaded, Weights};

    /// Where a model comes from.
    enum Source<'a, M> {
        Weights(Weights<'a>),
        /// A network that was built without weights.
        Built(fn(&burn::tensor::Device, &str) -> Result<M, WeightError>, &'a str),
    }

    /// How a family makes a plugin.
    type Load<M, P> = fn(Source<'_, M>, &LoadOptions) -> Result<Loaded<P>, AnyError>;

    /// A family of networks in Burn.
    pub(crate) struct Networks<M, P> {
        name: &'static str,
        manifest: &'static str,
        load: Load<M, P>,
    }

    impl<M: PortableModel<Head: DetectorHead + Send> + Send + 'static> Networks<M, BoxedPredictor> {
        /// Detectors that the engine of `eyespot-nn` runs on CPUs.
        pub(crate) const fn portable(name: &'static str, manifest: &'static str) -> Self {
            Self { name, manifest, load: portable::<M> }
        }
    }

    impl<M: BurnModel<Head: DetectorHead> + Send + 'static> Networks<M, BoxedPredictor> {
        /// Detectors that Burn runs everywhere.
        pub(crate) const fn of_burn(name: &'static str, manifest: &'static str) -> Self {
            Self { name, manifest, load: on_burn::<M> }
        }
    }

    impl<M: PortableModel<Head = FeatureHead> + Send + 'static> Networks<M, BoxedEmbedder> {
        /// Networks that describe how objects look.
        pub(crate) const fn features(name: &'static str, manifest: &'static str) -> Self {
            Self { name, manifest, load: features::<M> }
        }
    }

    impl<M: FromWeights, P> Family<P> for Networks<M, P> {
        fn name(&self) -> &str {
            self.name
        }

        fn manifest(&self) -> &str {
            self.manifest
        }

        fn reads(&self, file: &Path) -> bool {
            fits::<M>(file)
        }

        fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded<P>, AnyError> {
            (self.load)(Source::Weights(weights), options)
        }

        fn of_noise(&self, name: &str, options: &LoadOptions) -> Option<Result<Loaded<P>, AnyError>> {
            M::named(name)?;
            Some((self.load)(Source::Built(noise::<M>, name), options))
        }
    }

    /// Classes of a network of noise.
    const CLASSES: usize = 80;

    fn noise<M: FromWeights>(device: &burn::tensor::Device, name: &str) -> Result<M, WeightError> {
        let missing = || WeightError::Missing { name: name.to_owned(), expected: Vec::new() };
        M::build(M::named(name).ok_or_else(missing)?, &mut Loader::synthetic(1, CLASSES, device))
    }

    fn portable<M: PortableModel<Head: DetectorHead + Send> + Send + 'static>(
        source: Source<'_, M>,
        options: &LoadOptions,
    ) -> Result<Loaded, AnyError> {
        match open(options)? {
            Device::Burn(device) => detector(source, device),
            Device::Cpu(host) => {
                let load = |weights: Weights<'_>| CpuPredictor::load::<M>(weights.file, weights.cache, host);
                let predictor = on_cpu(source, load, |model| CpuPredictor::new(model, host))?;
                Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: describe(host) })
            }
        }
    }

    fn on_burn<M: BurnModel<Head: DetectorHead> + Send + 'static>(
        source: Source<'_, M>,
        options: &LoadOptions,
    ) -> Result<Loaded, AnyError> {
        detector(source, burn_device(options)?.1)
    }

    fn detector<M: BurnModel<Head: DetectorHead> + Send + 'static>(
        source: Source<'_, M>,
        device: BurnDevice,
    ) -> Result<Loaded, AnyError> {
        let name = device.to_string();
        let model = model(source, &device)?;
        let predictor = BurnPredictor::new(model, device).map_err(AnyError::new)?;
        Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: name })
    }

    fn features<M: PortableModel<Head = FeatureHead> + Send + 'static>(
        source: Source<'_, M>,
        options: &LoadOptions,
    ) -> Result<Loaded<BoxedEmbedder>, AnyError> {
        match open(options)? {
            Device::Burn(device) => {
                let name = device.to_string();
                let model = model(source, &device)?;
                Ok(Loaded { plugin: Box::new(Boxed(BurnEmbedder::new(model, device))), device: name })
            }
            Device::Cpu(host) => {
                let load = |weights: Weights<'_>| CpuEmbedder::load::<M>(weights.file, weights.cache, host);
                let embedder = on_cpu(source, load, |model| CpuEmbedder::new(model, host))?;
                Ok(Loaded { plugin: Box::new(Boxed(embedder)), device: describe(host) })
            }
        }
    }

    /// A plugin of the CPU's engine.
    fn on_cpu<M, P>(
        source: Source<'_, M>,
        load: impl FnOnce(Weights<'_>) -> Result<P, PlanError>,
        new: impl FnOnce(&M) -> Result<P, PlanError>,
    ) -> Result<P, AnyError> {
        let made = match source {
            Source::Weights(weights) => load(weights),
            Source::Built(build, name) => {
                new(&build(&burn::tensor::Device::flex(), name).map_err(AnyError::new)?)
            }
        };
        made.map_err(AnyError::new)
    }

    /// Are these weights of the family? A file that is damaged may be: its loader says what is wrong with it. An ONNX file
    /// that can't be read for its weights may still be run as it is.
    fn fits<M: FromWeights>(file: &Path) -> bool {
        match eyespot_burn::Weights::open(file) {
            Ok(weights) => M::detect(&weights).is_ok(),
            Err(_)
                if cfg!(feature = "onnx")
                    && WeightFormat::of(file).is_ok_and(|format| format == WeightFormat::Onnx) =>
            {
                false
            }
            Err(error) => !matches!(error, WeightError::UnknownFormat { .. }),
        }
    }

    /// What runs a portable network.
    enum Device {
        Burn(BurnDevice),
        Cpu(Host),
    }

    /// Which kernels are the fastest on the GPUs of this computer.
    const TUNING: &str = "gpu-tuning.db";

    fn burn_device(options: &LoadOptions) -> Result<(DeviceChoice, BurnDevice), AnyError> {
        let choice: DeviceChoice = options.device.parse().map_err(AnyError::new)?;
        let device = choice.open().map_err(AnyError::new)?;
        // Beside the models of this user; without a place for it a start is slower.
        if let Ok(store) = Store::from_env() {
            device.keep_tuning(&store.home().join(TUNING));
        }
        Ok((choice, device))
    }

    fn open(options: &LoadOptions) -> Result<Device, AnyError> {
        let (choice, device) = burn_device(options)?;
        let engine = device.is_cpu() && choice != DeviceChoice::Flex;
        Ok(if engine { Device::Cpu(Host::default()) } else { Device::Burn(device) })
    }

    fn describe(host: Host) -> String {
        let threads = if host.threads == 1 { "thread" } else { "threads" };
        format!("CPU ({}, {} {threads})", host.level.name(), host.threads)
    }

    /// The network, from the cache where there is one.
    fn model<M: FromWeights>(source: Source<'_, M>, device: &BurnDevice) -> Result<M, AnyError> {
        let model = match source {
            Source::Weights(weights) => cached(weights, device),
            Source::Built(build, name) => build(device.device(), name),
        };
        model.map_err(AnyError::new)
    }

    /// A cache that can't be read or written only costs time.
    fn cached<M: FromWeights>(weights: Weights<'_>, device: &BurnDevice) -> Result<M, WeightError> {
        let Some(cache) = weights.cache else { return eyespot_burn::load(weights.file, device.device()) };
        if cache.exists()
            && let Ok(model) = eyespot_burn::load(cache, device.device())
        {
            return Ok(model);
        }
        eyespot_burn::convert(weights.file, cache, device.device())
            .or_else(|_| eyespot_burn::load(weights.file, device.device()))
    }
}

#[cfg(any(
    feature = "eomt",
    feature = "fastestdet",
    feature = "movenet",
    feature = "osnet",
    feature = "rtdetr",
    feature = "yolox"
))]
pub(crate) use burn::Networks;
