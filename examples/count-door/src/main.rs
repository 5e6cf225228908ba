//! Counts who walks through a door, and which way.
//!
//! `cargo run -p count-door --features yolox -- door.mp4 yolox/yolox-nano`. Line and zone are those of a picture of 640 x 360.

use std::error::Error;
use std::path::Path;

use eyespot::media::Zones;
use eyespot::runtime::{Model, Settings, Tracking};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [video, model @ ..] = arguments.as_slice() else {
        return Err("usage: count-door VIDEO [MODEL]".into());
    };
    let counted = count(video.as_ref(), model.first().map_or("motion", String::as_str))?;
    let (line, zone) = (&counted.lines()[0], &counted.zones()[0]);
    println!("{} to the right, {} to the left", line.total().to_right, line.total().to_left);
    let stay = zone.mean_stay_us().unwrap_or(0) as f64 / 1e6;
    println!("{} came to the {}, for {stay:.1} seconds on average", zone.total().entered, zone.name());
    Ok(())
}

fn count(video: &Path, model: &str) -> Result<Zones, Box<dyn Error>> {
    let mut zones = Zones::default();
    // Upwards, so that the right side is on the right.
    zones.add_line("door", (320.0, 360.0), (320.0, 0.0))?;
    zones.add_zone("hall", &[(400.0, 0.0), (560.0, 0.0), (560.0, 360.0), (400.0, 360.0)])?;

    let settings = Settings { tracking: Some(Tracking::default()), ..Settings::default() };
    for prediction in Model::load(model)?.predict(video, &settings)? {
        let prediction = prediction?;
        zones.update(&prediction.info(), prediction.results());
        for crossing in zones.lines()[0].crossings() {
            println!("frame {}: #{} {:?}", prediction.info().index, crossing.track.get(), crossing.direction);
        }
    }
    Ok(zones)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_tests::walkers::{self, LEFT, RIGHT};

    #[test]
    fn everybody_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("door.mp4");
        walkers::write(&video);
        let zones = count(&video, "motion").unwrap();
        let (line, zone) = (zones.lines()[0].total(), zones.zones()[0].total());
        assert_eq!((line.to_right, line.to_left), (RIGHT, LEFT));
        assert_eq!((zone.entered, zone.left), (RIGHT + LEFT, RIGHT + LEFT));
    }
}
