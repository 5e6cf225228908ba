//! Small made-up scenes, and what a tracker makes of them.

use eyespot_core::{Affine, BBox, ClassId, Detection, FrameInfo, NoEmbedder, NoMotion, TrackId};
use eyespot_track::{BotSort, BotSortConfig, ConfigError, TrackState, TrackStorage};

use crate::draw::{Mark, Story};

/// What is seen of an object: its detection and, where that is asked for, what it looks like.
pub(crate) type Seen = (Detection, Option<[f32; 4]>);

/// Frame by frame what is seen, and how the camera moves.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) frames: Vec<Vec<Seen>>,
    /// From each frame to the next; a camera that stands still if it is empty.
    pub(crate) motions: Vec<Affine>,
    /// When each frame was taken, in thirtieths of a second; if it is empty, one after another.
    pub(crate) times: Vec<usize>,
}

/// A person at a place, with a score.
pub(crate) fn person(x: f32, score: f32) -> Seen {
    sized(x, 20.0, 50.0, score)
}

/// Something of this width and height, standing on the ground.
pub(crate) fn sized(x: f32, width: f32, height: f32, score: f32) -> Seen {
    (Detection::new(BBox::from_cxcywh(x, 100.0 - height / 2.0, width, height), score, ClassId(0)), None)
}

/// A number from -1 to 1 that looks random.
pub(crate) fn wobble(seed: usize) -> f32 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

impl Scene {
    /// So many frames of what `seen` says.
    pub(crate) fn new(frames: usize, seen: impl Fn(usize) -> Vec<Seen>) -> Self {
        Self { frames: (0..frames).map(seen).collect(), ..Self::default() }
    }

    /// What the tracker with these options makes of it.
    pub(crate) fn run(&self, title: &str, config: BotSortConfig) -> Result<Story, ConfigError> {
        let mut tracker = tracker(config)?;
        let mut story = Story { title: title.to_owned(), detections: Vec::new(), tracks: Vec::new() };
        for place in 0..self.frames.len() {
            let (detections, tracks) = self.step(&mut tracker, place, |_| true);
            story.detections.extend(detections);
            story.tracks.extend(tracks);
        }
        Ok(story)
    }

    /// How the tracker comes to its answer in the frame before the last: what it expects, what it has matched after the
    /// high scores and after the low ones, and what the last frame confirms.
    pub(crate) fn steps(&self, config: BotSortConfig) -> Result<[Story; 4], ConfigError> {
        let mut tracker = tracker(config)?;
        let last = self.frames.len() - 1;
        for place in 0..last - 1 {
            self.step(&mut tracker, place, |_| true);
        }
        let story = |title: &str, (detections, tracks): (Vec<Mark>, Vec<Mark>)| {
            let at_once =
                |marks: Vec<Mark>| marks.into_iter().map(|mark| Mark { frame: 0, ..mark }).collect();
            Story { title: title.to_owned(), detections: at_once(detections), tracks: at_once(tracks) }
        };
        let foreseen = self.step(&mut tracker.clone(), last - 1, |_| false);
        let high = self.step(&mut tracker.clone(), last - 1, |score| score > config.track_high_thresh);
        let all = self.step(&mut tracker, last - 1, |_| true);
        let next = self.step(&mut tracker, last, |_| true);
        Ok([
            story("1. tracks move on", foreseen),
            story("2. high scores first", high),
            story("3. then low scores", all),
            story("4. the next frame confirms", next),
        ])
    }

    /// One frame, of which the tracker sees what `shown` says. Returns what is seen, with ids, and the tracks.
    fn step(
        &self,
        tracker: &mut Botsort,
        place: usize,
        shown: impl Fn(f32) -> bool,
    ) -> (Vec<Mark>, Vec<Mark>) {
        let seen = &self.frames[place];
        let frame = self.times.get(place).copied().unwrap_or(place);
        let timestamp_us = frame as u64 * 33_333;
        let info = FrameInfo { index: place as u64, timestamp_us, ..FrameInfo::default() };
        let motion = self.motions.get(place).copied().unwrap_or_default();
        let (given, hidden): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| shown(seen.0.score));
        let mut detections: Vec<Detection> = given.iter().map(|(detection, _)| *detection).collect();
        let looks: Vec<&[f32]> =
            given.iter().map(|(_, look)| look.as_ref().map_or(&[][..], |look| look)).collect();
        tracker.update_with_features(&info, &motion, &mut detections, &looks);
        detections.extend(hidden.iter().map(|(detection, _)| *detection));
        let seen = detections.iter().map(|detection| Mark {
            frame,
            id: detection.track.map(TrackId::get),
            bbox: detection.bbox,
            score: detection.score,
            lost: false,
        });
        let known = tracker.tracks().filter(|track| track.state != TrackState::Unconfirmed);
        let tracks = known.map(|track| Mark {
            frame,
            id: Some(track.id.get()),
            bbox: track.bbox,
            score: track.score,
            lost: track.state == TrackState::Lost,
        });
        (seen.collect(), tracks.collect())
    }
}

/// The tracker of the pictures.
type Botsort = BotSort<Box<TrackStorage<32, 32, [f32; 4]>>, 32, 32, NoMotion, NoEmbedder, [f32; 4]>;

fn tracker(config: BotSortConfig) -> Result<Botsort, ConfigError> {
    BotSort::new(config, Box::new(TrackStorage::with_features()))
}
