//! Finds objects in all images of a folder, and writes pictures of what was found.
//!
//! `cargo run -p detect-folder --features yolox -- PHOTOS OUT yolox/yolox-nano`. Without a model it takes `motion`, which
//! needs no weights: the images are then those of one camera, in order.

use std::error::Error;
use std::path::Path;

use eyespot::media::DrawOptions;
use eyespot::runtime::{Model, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [photos, out, model @ ..] = arguments.as_slice() else {
        return Err("usage: detect-folder PHOTOS OUT [MODEL]".into());
    };
    let found = detect(photos.as_ref(), out.as_ref(), model.first().map_or("motion", String::as_str))?;
    println!("{found} objects");
    Ok(())
}

/// Gives the number of objects.
fn detect(photos: &Path, out: &Path, model: &str) -> Result<usize, Box<dyn Error>> {
    let model = Model::load(model)?;
    let options = DrawOptions { draw_tags: true, ..DrawOptions::default() };
    let mut found = 0;
    for prediction in model.predict(photos, &Settings::default())? {
        let prediction = match prediction {
            Ok(prediction) => prediction,
            // A broken image gives an error in its place; the others go on.
            Err(error) => {
                eprintln!("skipped: {error}");
                continue;
            }
        };
        println!("{}: {}", prediction.name(), prediction.classes().collect::<Vec<_>>().join(", "));
        let picture = out.join(prediction.name()).with_extension("jpg");
        prediction.save_visualization(picture, &options)?;
        found += prediction.boxes().len();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_image_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (photos, out) = (folder.path().join("in"), folder.path().join("out"));
        eyespot_tests::walkers::write_images(&photos, 0..60);
        std::fs::write(photos.join("frame_030.png"), b"no image").unwrap();
        // Somebody walks in from frame 20 on.
        let found = detect(&photos, &out, "motion").unwrap();
        assert!((20..=80).contains(&found), "{found}");
        assert_eq!(std::fs::read_dir(out).unwrap().count(), 59);
    }
}
