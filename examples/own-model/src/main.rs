//! A family of models of your own: files that `Model` and the command line can load.
//!
//! Files of the families that are built in (`.pth`, `.onnx`, `.safetensors`, `.bpk`, `.eye`) need none of this:
//! `Model::load("my.eye")`. Here a model is a text file of colours, a line for each: `ball 340 20` finds what is red.
//!
//! `cargo run -p own-model -- IMAGE colors.hues`

use std::error::Error;
use std::path::Path;

use eyespot::core::{AnyError, Boxed, ErrorKind};
use eyespot::media::Input;
use eyespot::motion::{ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass};
use eyespot::runtime::{Family, LoadOptions, Loaded, Loader, Settings, Weights};

/// Models that are lists of colours.
struct Hues;

impl Family for Hues {
    fn name(&self) -> &'static str {
        "hues"
    }

    /// There are none to fetch.
    fn manifest(&self) -> &'static str {
        r#"{"family": "hues", "licence": "MIT OR Apache-2.0", "source": "", "models": []}"#
    }

    fn reads(&self, file: &Path) -> bool {
        file.extension().is_some_and(|extension| extension == "hues")
    }

    fn load(&self, weights: Weights<'_>, _: &LoadOptions) -> Result<Loaded, AnyError> {
        let text = std::fs::read_to_string(weights.file).map_err(|error| Wrong::any(error.to_string()))?;
        // A model lives as long as the program.
        let (labels, classes): (Vec<&str>, Vec<_>) = text
            .leak()
            .lines()
            .map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
                [name, first, last] => Ok((name, ColorClass::vivid(hue(first)?, hue(last)?))),
                _ => Err(Wrong::any(format!("`{line}`: write NAME FIRST_HUE LAST_HUE"))),
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let config = ColorBlobConfig::new(classes.leak(), labels.leak());
        let storage = Box::new(ColorBlobStorage::<1024>::new());
        let predictor = ColorBlobPredictor::new(config, storage).map_err(AnyError::new)?;
        Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: "cpu".into() })
    }
}

fn hue(text: &str) -> Result<u16, AnyError> {
    text.parse().map_err(|_| Wrong::any(format!("`{text}` is no hue: write degrees, 0 to 359")))
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrong(String);

impl Wrong {
    fn any(reason: String) -> AnyError {
        AnyError::new(Self(reason))
    }
}

impl eyespot::core::Error for Wrong {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, model] = arguments.as_slice() else {
        return Err("usage: own-model IMAGE COLORS.hues".into());
    };
    for found in detect(image, model)? {
        println!("{found}");
    }
    Ok(())
}

fn detect(image: impl Into<Input>, model: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut loader = Loader::from_env()?;
    loader.registry.family(Hues);
    let model = loader.load(model, &LoadOptions::default(), &mut eyespot::runtime::NoProgress)?;
    let mut found = Vec::new();
    for prediction in model.predict(image, &Settings::default())? {
        found.extend(prediction?.classes().map(str::to_owned));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot::core::{ImageView, PixelFormat};
    use eyespot::media::Canvas;

    #[test]
    fn a_file_is_a_model() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        // Left half blue, right half grey, a red spot on it.
        let mut pixels: Vec<u8> =
            (0..64 * 64).flat_map(|i| if i % 64 < 32 { [0, 0, 255] } else { [99; 3] }).collect();
        for row in 10..20 {
            pixels[(row * 64 + 40) * 3..(row * 64 + 50) * 3].copy_from_slice(&[250, 0, 0].repeat(10));
        }
        let image = Canvas::from_view(&ImageView::packed(&pixels, 64, 64, PixelFormat::Rgb8).unwrap());
        let model = file("a.hues", "ball 340 20\nwater 200 260\n");
        let mut found = detect(image.clone(), &model).unwrap();
        found.sort();
        assert_eq!(found, ["ball", "water"]);
        let error = detect(image, &file("b.hues", "ball red\n")).unwrap_err();
        assert!(error.to_string().contains("FIRST_HUE"), "{error}");
    }
}
