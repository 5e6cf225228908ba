//! Finds small objects in a large image, window by window.
//!
//! `cargo run -p aerial-image --features yolox -- aerial.jpg yolox/yolox-nano`. Without a model it looks for orange life
//! rafts by their colour.

use std::error::Error;

use eyespot::core::BBox;
use eyespot::decode::{Merge, Overlap};
use eyespot::media::Input;
use eyespot::motion::{ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass};
use eyespot::runtime::{Model, Settings, WindowSettings};
use eyespot::window::Tiles;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, model @ ..] = arguments.as_slice() else {
        return Err("usage: aerial-image IMAGE [MODEL]".into());
    };
    let model = match model {
        [] => rafts()?,
        [name, ..] => Model::load(name)?,
    };
    for bbox in detect(&model, image)? {
        println!("{bbox:?}");
    }
    Ok(())
}

const ORANGE: &[ColorClass] = &[ColorClass::vivid(10, 40)];

fn rafts() -> Result<Model, Box<dyn Error>> {
    let config = ColorBlobConfig { min_area: 0.0002, ..ColorBlobConfig::new(ORANGE, &["raft"]) };
    let storage = Box::new(ColorBlobStorage::<640>::new());
    Ok(Model::from_predictor(ColorBlobPredictor::new(config, storage)?))
}

fn detect(model: &Model, image: impl Into<Input>) -> Result<Vec<BBox>, Box<dyn Error>> {
    // Windows overlap by more than an object is large, so that each object is whole in one of them.
    let tiles = Tiles::square(640).with_overlap(0.25)?;
    // An object that a border cuts is found in pieces too. However small a piece is, it lies within the whole one, and
    // two pieces overlap by half at least of the smaller one.
    let merge = Merge::nmm(0.4).with_overlap(Overlap::Ios);
    let window = WindowSettings { tiles, merge, ..WindowSettings::default() };
    let settings = Settings { sliding_window: Some(window), ..Settings::default() };
    let mut found = Vec::new();
    for prediction in model.predict(image, &settings)? {
        found.extend(prediction?.boxes());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot::core::{ImageView, PixelFormat};
    use eyespot::media::Canvas;

    #[test]
    fn rafts_at_the_borders_of_windows_are_found_once() {
        // A sea of 3000 x 2000 pixels; windows begin at multiples of 480.
        let rafts = [(100_usize, 100_usize), (470, 630), (1900, 630), (2950, 1950), (1430, 1200)];
        let mut pixels = [20_u8, 60, 120].repeat(3000 * 2000);
        for (x, y) in rafts {
            for row in y..y + 40 {
                let start = (row * 3000 + x) * 3;
                pixels[start..start + 120].copy_from_slice(&[255, 128, 0].repeat(40));
            }
        }
        let view = ImageView::packed(&pixels, 3000, 2000, PixelFormat::Rgb8).unwrap();
        let mut found = detect(&super::rafts().unwrap(), Canvas::from_view(&view)).unwrap();
        found.sort_by(|a, b| a.x1.total_cmp(&b.x1));
        let corners: Vec<_> =
            found.iter().map(|bbox| (bbox.x1.round() as usize, bbox.y1.round() as usize)).collect();
        assert_eq!(corners, [(100, 100), (470, 630), (1430, 1200), (1900, 630), (2950, 1950)]);
    }
}
