//! Where tracked objects came from.

use std::collections::{HashMap, VecDeque};

use eyespot_core::{PredictionsRef, TrackId};

use crate::canvas::{Canvas, Rgb};
use crate::draw::DrawOptions;

/// The last positions (box centres) of each track, to be drawn as lines.
#[derive(Debug, Clone, Default)]
pub struct Trails {
    length: usize,
    frame: u64,
    tracks: HashMap<TrackId, Trail>,
}

#[derive(Debug, Clone)]
struct Trail {
    color: Rgb,
    seen: u64,
    points: VecDeque<(f32, f32)>,
}

impl Trails {
    /// Trails of at most `length` positions. A track that was not seen for as many frames is forgotten.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length: length.max(2), ..Self::default() }
    }

    /// Takes the positions of a frame, once per frame.
    pub fn update(&mut self, predictions: PredictionsRef<'_>, options: &DrawOptions) {
        self.frame += 1;
        for detection in predictions.detections() {
            let Some(track) = detection.track else { continue };
            let trail = self.tracks.entry(track).or_insert_with(|| Trail {
                color: options.color_for(detection),
                seen: 0,
                points: VecDeque::with_capacity(self.length),
            });
            trail.seen = self.frame;
            if trail.points.len() == self.length {
                trail.points.pop_front();
            }
            trail.points.push_back(detection.bbox.center());
        }
        let oldest = self.frame.saturating_sub(self.length as u64);
        self.tracks.retain(|_, trail| trail.seen > oldest);
    }

    /// Draws all trails.
    pub fn draw(&self, canvas: &mut Canvas, options: &DrawOptions) {
        let thickness = options.line_width(canvas) as f32;
        // In the order of their numbers, so that the picture is the same in every run.
        let mut tracks: Vec<_> = self.tracks.iter().collect();
        tracks.sort_unstable_by_key(|(track, _)| **track);
        for (_, trail) in tracks {
            for (&from, &to) in trail.points.iter().zip(trail.points.iter().skip(1)) {
                canvas.line(from, to, thickness, trail.color);
            }
        }
    }

    /// Forgets everything: another video.
    pub fn clear(&mut self) {
        self.tracks.clear();
    }
}
