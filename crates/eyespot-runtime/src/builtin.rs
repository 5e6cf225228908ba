//! The models that a build brings along.

use eyespot_core::{AnyError, Boxed};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};

use crate::registry::BoxedPredictor;

/// The motion predictor, on a grid that keeps small objects of a Full HD camera.
pub(crate) fn motion() -> Result<BoxedPredictor, AnyError> {
    let storage = Box::new(MotionStorage::<320, 240>::new());
    let predictor = MotionPredictor::new(MotionConfig::default(), storage).map_err(AnyError::new)?;
    Ok(Box::new(Boxed(predictor)))
}

#[cfg(feature = "yolox")]
pub(crate) use networks::YoloxFamily;

#[cfg(feature = "yolox")]
mod networks {
    use std::path::Path;

    use eyespot_burn::{BurnDevice, BurnPredictor, DeviceChoice, WeightError, WeightFormat};
    use eyespot_core::{AnyError, Boxed};
    use yolox::Yolox;

    use crate::registry::{Family, LoadOptions, Loaded, Weights};

    /// YOLOX in Burn.
    #[derive(Debug)]
    pub(crate) struct YoloxFamily;

    impl Family for YoloxFamily {
        fn name(&self) -> &'static str {
            "yolox"
        }

        fn manifest(&self) -> &str {
            yolox::MANIFEST
        }

        fn reads(&self, file: &Path) -> bool {
            WeightFormat::of(file).is_ok()
        }

        fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded, AnyError> {
            let choice: DeviceChoice = options.device.parse().map_err(AnyError::new)?;
            let device = choice.open().map_err(AnyError::new)?;
            let name = device.to_string();
            let model = model(weights, &device).map_err(AnyError::new)?;
            let mut predictor = BurnPredictor::new(model, device).map_err(AnyError::new)?;
            if let Some(size) = options.img_size {
                predictor = predictor.with_input_size(size).map_err(AnyError::new)?;
            }
            Ok(Loaded { predictor: Box::new(Boxed(predictor)), device: name })
        }
    }

    /// The network, from the cache where there is one. A cache that can't be read or written only costs time.
    fn model(weights: Weights<'_>, device: &BurnDevice) -> Result<Yolox, WeightError> {
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
