//! A predictor of your own: here one that finds the bright half of the picture.
//!
//! `cargo run -p own-predictor -- IMAGE`. The same type runs on a microcontroller: nothing in it needs a heap.

use std::convert::Infallible;
use std::error::Error;

use eyespot::core::{
    BBox, ClassId, Detection, ErrorType, Frame, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot::media::Input;
use eyespot::runtime::{Model, Prediction, Settings};

/// Finds one box around all pixels that are at least this bright.
struct Bright {
    level: u8,
}

impl ErrorType for Bright {
    type Error = Infallible;
}

impl Predictor for Bright {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("bright", None, &["light"])
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        let (mut found, mut count) = (None::<BBox>, 0.0);
        for y in 0..frame.image.height() {
            for x in 0..frame.image.width() {
                if frame.image.rgb(x, y).iter().all(|&channel| channel >= self.level) {
                    let (x, y) = (f32::from(x), f32::from(y));
                    let b = found.unwrap_or(BBox::new(x, y, x, y));
                    found = Some(BBox::new(b.x1.min(x), b.y1.min(y), b.x2.max(x + 1.0), b.y2.max(y + 1.0)));
                    count += 1.0;
                }
            }
        }
        // The score: how much of the box is bright.
        let found = found.map(|bbox| Detection::new(bbox, count / bbox.area(), ClassId(0)));
        if let Some(found) = found.filter(|found| found.score >= options.conf_or(0.1)) {
            out.push(found);
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let image = std::env::args().nth(1).ok_or("usage: own-predictor IMAGE")?;
    for prediction in detect(image)? {
        println!("{}: {:?}", prediction.name(), prediction.boxes().collect::<Vec<_>>());
    }
    Ok(())
}

fn detect(image: impl Into<Input>) -> Result<Vec<Prediction>, Box<dyn Error>> {
    let model = Model::from_predictor(Bright { level: 200 });
    Ok(model.predict(image, &Settings::default())?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
