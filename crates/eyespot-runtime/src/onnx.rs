//! ONNX models of any kind, run as they are, as a family.

use std::path::Path;

use eyespot_core::{AnyError, Boxed};
use eyespot_onnx::{EngineChoice, Manifest, OnnxPredictor};

use crate::registry::{Family, LoadOptions, Loaded, Weights};

/// Whatever ONNX files no other family takes. There are none to fetch, so the manifest is empty.
#[derive(Debug)]
pub(crate) struct OnnxFamily;

fn open(file: &Path, options: &LoadOptions) -> Result<OnnxPredictor, AnyError> {
    let engine: EngineChoice = options.device.parse().map_err(AnyError::new)?;
    let settings = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let manifest = Manifest::beside_with(file, settings).map_err(AnyError::new)?;
    OnnxPredictor::with_manifest(file, manifest, engine).map_err(AnyError::new)
}

impl Family for OnnxFamily {
    fn name(&self) -> &'static str {
        "onnx"
    }

    fn manifest(&self) -> &'static str {
        r#"{"family": "onnx", "licence": "MIT OR Apache-2.0", "source": "", "models": []}"#
    }

    fn settings(&self) -> &[&'static str] {
        Manifest::FIELDS
    }

    fn reads(&self, file: &Path) -> bool {
        file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
    }

    fn load(&self, weights: Weights<'_>, options: &LoadOptions) -> Result<Loaded, AnyError> {
        let predictor = open(weights.file, options)?;
        let device = format!("cpu ({})", predictor.engine());
        Ok(Loaded { plugin: Box::new(Boxed(predictor)), device })
    }

    fn describe(&self, file: &Path, options: &LoadOptions) -> Result<Vec<(&'static str, String)>, AnyError> {
        Ok(open(file, options)?.describe())
    }
}
