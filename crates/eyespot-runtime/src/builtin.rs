//! The models that a build brings along.

use eyespot_core::{AnyError, Boxed};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};

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
    let storage = Box::new(MotionStorage::<320, 240>::new());
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

/// Any of the families of detectors in Burn.
#[cfg(any(feature = "fastestdet", feature = "movenet", feature = "rtdetr", feature = "yolox"))]
mod detectors {
    use std::marker::PhantomData;
    use std::path::Path;

    use eyespot_burn::{BurnModel, BurnPredictor};
    use eyespot_core::{AnyError, Boxed};

    use super::burn::{fits, model, open};
    use crate::registry::{Family, LoadOptions, Loaded, Weights};

    /// A family of detectors in Burn.
    #[derive(Debug)]
    pub(crate) struct Detectors<M> {
        name: &'static str,
        manifest: &'static str,
        model: PhantomData<fn() -> M>,
    }

    impl<M> Detectors<M> {
        pub(crate) const fn new(name: &'static str, manifest: &'static str) -> Self {
            Self { name, manifest, model: PhantomData }
        }
    }

    impl<M: BurnModel + Send + 'static> Family for Detectors<M> {
        fn name(&self) -> &str {
            self.name
        }

        fn manifest(&self) -> &str {
            self.manifest
        }

        fn reads(&self, file: &Path) -> bool {
            fits::<M>(file)
        }

        fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded, AnyError> {
            let device = open(options)?;
            let name = device.to_string();
            let model: M = model(weights, &device)?;
            let predictor = BurnPredictor::new(model, device).map_err(AnyError::new)?;
            Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: name })
        }
    }
}

#[cfg(feature = "osnet")]
mod embedders {
    use std::path::Path;

    use eyespot_burn::BurnEmbedder;
    use eyespot_core::{AnyError, Boxed};
    use osnet::Osnet;

    use super::burn::{fits, model, open};
    use crate::registry::{BoxedEmbedder, Family, LoadOptions, Loaded, Weights};

    /// OSNet in Burn.
    #[derive(Debug)]
    pub(crate) struct OsnetFamily;

    impl Family<BoxedEmbedder> for OsnetFamily {
        fn name(&self) -> &'static str {
            "osnet"
        }

        fn manifest(&self) -> &str {
            osnet::MANIFEST
        }

        fn reads(&self, file: &Path) -> bool {
            fits::<Osnet>(file)
        }

        fn load(
            &self,
            weights: Weights<'_>,
            options: &LoadOptions,
        ) -> Result<Loaded<BoxedEmbedder>, AnyError> {
            let device = open(options)?;
            let name = device.to_string();
            let model: Osnet = model(weights, &device)?;
            Ok(Loaded { plugin: Box::new(Boxed(BurnEmbedder::new(model, device))), device: name })
        }
    }
}

#[cfg(any(
    feature = "fastestdet",
    feature = "movenet",
    feature = "osnet",
    feature = "rtdetr",
    feature = "yolox"
))]
mod burn {
    use std::path::Path;

    use eyespot_burn::{BurnDevice, DeviceChoice, FromWeights, WeightError, WeightFormat};
    use eyespot_core::AnyError;

    use crate::registry::{LoadOptions, Weights};

    /// Are these weights of the family? A file that is damaged may be: its loader says what is wrong with it. An ONNX file
    /// that can't be read for its weights may still be run as it is.
    pub(super) fn fits<M: FromWeights>(file: &Path) -> bool {
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

    pub(super) fn open(options: &LoadOptions) -> Result<BurnDevice, AnyError> {
        let choice: DeviceChoice = options.device.parse().map_err(AnyError::new)?;
        choice.open().map_err(AnyError::new)
    }

    /// The network, from the cache where there is one.
    pub(super) fn model<M: FromWeights>(weights: Weights<'_>, device: &BurnDevice) -> Result<M, AnyError> {
        cached(weights, device).map_err(AnyError::new)
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

#[cfg(any(feature = "fastestdet", feature = "movenet", feature = "rtdetr", feature = "yolox"))]
pub(crate) use detectors::Detectors;
#[cfg(feature = "osnet")]
pub(crate) use embedders::OsnetFamily;
