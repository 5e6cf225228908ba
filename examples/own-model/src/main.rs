//! A family of models of your own: files that `Model` and the command line can load. Here a model is a file of a
//! colour: `ball 340 20` finds what is red. (`.pth`, `.onnx`, `.safetensors`, `.bpk` and `.eye` need none of this.)
//!
//! `cargo run -p own-model -- IMAGE ball.hues`

use std::error::Error;
use std::path::Path;

use eyespot::core::{AnyError, Boxed, ErrorKind};
use eyespot::media::Input;
use eyespot::motion::{ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass};
use eyespot::runtime::{Family, LoadOptions, Loaded, Loader, NoProgress, Settings, Weights};

struct Hues;

impl Family for Hues {
    fn name(&self) -> &'static str {
        "hues"
    }

    fn manifest(&self) -> &'static str {
        r#"{"family": "hues", "licence": "MIT OR Apache-2.0", "source": "", "models": []}"#
    }

    fn reads(&self, file: &Path) -> bool {
        file.extension().is_some_and(|extension| extension == "hues")
    }

    fn load(&self, weights: Weights<'_>, _: &LoadOptions) -> Result<Loaded, AnyError> {
        let text = std::fs::read_to_string(weights.file).unwrap_or_default();
        let (name, class) = read(&text).ok_or_else(|| AnyError::new(NoColor(text.clone())))?;
        // A model lives as long as the program.
        let config = ColorBlobConfig::new(vec![class].leak(), vec![&*name.leak()].leak());
        let storage = Box::new(ColorBlobStorage::<1024>::new());
        let predictor = ColorBlobPredictor::new(config, storage).map_err(AnyError::new)?;
        Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: "cpu".into() })
    }
}

fn read(text: &str) -> Option<(String, ColorClass)> {
    let [name, first, last] = text.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    Some((name.to_owned(), ColorClass::vivid(first.parse().ok()?, last.parse().ok()?)))
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}`: write NAME FIRST_HUE LAST_HUE, in degrees")]
struct NoColor(String);

impl eyespot::core::Error for NoColor {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, model] = arguments.as_slice() else { return Err("usage: own-model IMAGE COLOR.hues".into()) };
    println!("{:?}", detect(image, model)?);
    Ok(())
}

fn detect(image: impl Into<Input>, model: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut loader = Loader::from_env()?;
    loader.registry.family(Hues);
    let model = loader.load(model, &LoadOptions::default(), &mut NoProgress)?;
    let mut found = Vec::new();
    for prediction in model.predict(image, &Settings::default())? {
        found.extend(prediction?.classes().map(str::to_owned));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
