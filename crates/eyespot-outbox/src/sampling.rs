//! Which frames are worth keeping.

use std::collections::HashMap;

use eyespot_core::{FrameInfo, PredictionsRef, SourceId, TrackId};

/// Rules that choose frames. A frame that one of them wants is kept; without any rule all are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// The first of so many frames.
    pub every: Option<u64>,
    /// Frames with an object whose score is lower: the model is not sure of it.
    pub below: Option<f32>,
    /// Frames with a track that was not there before.
    pub new_track: bool,
}

/// Applies [`Sampling`] to the frames of sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler {
    rules: Sampling,
    sources: HashMap<SourceId, Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    frames: u64,
    /// Numbers of tracks grow; one number tells which were seen.
    last_track: u32,
}

impl Sampler {
    pub(crate) fn new(rules: Sampling) -> Self {
        Self { rules, sources: HashMap::new() }
    }

    /// Is this frame kept? To be asked once for each frame, in their order.
    pub(crate) fn wants(&mut self, info: &FrameInfo, predictions: PredictionsRef<'_>) -> bool {
        let seen = self.sources.entry(info.source).or_default();
        let number = seen.frames;
        seen.frames += 1;
        let newest = predictions.track_ids().flatten().map(TrackId::get).max().unwrap_or_default();
        let new_track = newest > seen.last_track;
        seen.last_track = seen.last_track.max(newest);
        let Sampling { every, below, new_track: tracks } = self.rules;
        (every.is_none() && below.is_none() && !tracks)
            || every.is_some_and(|every| number.is_multiple_of(every.max(1)))
            || below.is_some_and(|below| predictions.scores().any(|score| score < below))
            || (tracks && new_track)
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::{BBox, ClassId, Detection, Predictions, PredictionsStorage as _};

    use super::*;

    /// Which of the frames are kept, each given by the score and the track of its object.
    fn kept(rules: Sampling, frames: &[(f32, u32)]) -> Vec<usize> {
        let mut sampler = Sampler::new(rules);
        let mut kept = Vec::new();
        for (index, &(score, track)) in frames.iter().enumerate() {
            let mut found = Predictions::<1>::new();
            let mut detection = Detection::new(BBox::new(0.0, 0.0, 9.0, 9.0), score, ClassId(0));
            detection.track = TrackId::new(track);
            found.view_mut().push(detection);
            if sampler.wants(&FrameInfo::default(), found.view()) {
                kept.push(index);
            }
        }
        kept
    }

    #[test]
    fn each_rule_adds_frames() {
        let frames = [(0.9, 1), (0.9, 1), (0.3, 1), (0.9, 2), (0.9, 1), (0.9, 2), (0.9, 0)];
        assert_eq!(kept(Sampling::default(), &frames), [0, 1, 2, 3, 4, 5, 6]);
        let every = Sampling { every: Some(3), ..Sampling::default() };
        assert_eq!(kept(every, &frames), [0, 3, 6]);
        assert_eq!(kept(Sampling { below: Some(0.5), ..Sampling::default() }, &frames), [2]);
        assert_eq!(kept(Sampling { new_track: true, ..Sampling::default() }, &frames), [0, 3]);
        assert_eq!(kept(Sampling { below: Some(0.5), ..every }, &frames), [0, 2, 3, 6]);
    }
}
