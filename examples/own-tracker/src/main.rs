//! A tracker of your own: here one that gives each box the track of the nearest box before it.
//!
//! `cargo run -p own-tracker -- VIDEO`. A `Pipeline` takes any source, predictor, tracker and sink, on a computer as on a
//! microcontroller.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::path::Path;

use eyespot::core::{Detection, ErrorType, Frame, NullSink, Pipeline, PredictionsBuf, TrackId, Tracker};
use eyespot::media::{SourceOptions, open};
use eyespot::motion::{MotionConfig, MotionPredictor, MotionStorage};

/// Follows what is nearest.
struct Nearest {
    /// How far an object may go from one frame to the next, pixels.
    reach: f32,
    before: Vec<Detection>,
    ids: u32,
}

impl ErrorType for Nearest {
    type Error = Infallible;
}

impl Tracker for Nearest {
    fn update(&mut self, _: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Infallible> {
        let mut left = std::mem::take(&mut self.before);
        for detection in detections.iter_mut() {
            let (x, y) = detection.bbox.center();
            let distance = |other: &Detection| {
                let (other_x, other_y) = other.bbox.center();
                (x - other_x).hypot(y - other_y)
            };
            let nearest = left.iter().map(distance).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            detection.track = match nearest.filter(|(_, distance)| *distance <= self.reach) {
                Some((index, _)) => left.swap_remove(index).track,
                None => {
                    self.ids += 1;
                    TrackId::new(self.ids)
                }
            };
        }
        self.before = detections.to_vec();
        Ok(())
    }

    fn reset(&mut self) {
        self.before.clear();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let video = std::env::args().nth(1).ok_or("usage: own-tracker VIDEO")?;
    println!("{} tracks", track(video.as_ref())?);
    Ok(())
}

fn track(video: &Path) -> Result<usize, Box<dyn Error>> {
    let camera = open(video, &SourceOptions::default())?;
    let motion = MotionPredictor::new(MotionConfig::default(), Box::new(MotionStorage::<320, 240>::new()))?;
    let tracker = Nearest { reach: 60.0, before: Vec::new(), ids: 0 };
    let mut pipeline = Pipeline::new(camera, motion, tracker, NullSink, PredictionsBuf::new(64, 0, 0));
    let mut tracks = BTreeSet::new();
    while pipeline.step()?.is_some() {
        tracks.extend(pipeline.results().track_ids().flatten());
    }
    Ok(tracks.len())
}

#[cfg(test)]
mod tests;
