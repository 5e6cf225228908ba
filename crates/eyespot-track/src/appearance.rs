//! What objects look like: features of a re-identification network, one vector per track and per detection.

use core::ops::Range;

use crate::candidate::Candidate;

/// How much of the old feature stays when a new one comes in.
const MEMORY: f32 = 0.9;

/// The features of all tracks and of the detections of a frame, without their dimension in the type.
#[derive(Debug)]
pub(crate) struct Appearance<'a> {
    /// Numbers per feature.
    pub(crate) dim: usize,
    /// Of unit length, `dim` numbers per track.
    pub(crate) tracks: &'a mut [f32],
    /// Of any length, `dim` numbers per detection in the order of the caller; possibly of fewer detections.
    pub(crate) detections: &'a [f32],
}

impl Appearance<'_> {
    fn span(&self, index: usize) -> Range<usize> {
        index * self.dim..(index + 1) * self.dim
    }

    fn detection(&self, index: u16) -> Option<&[f32]> {
        self.detections.get(self.span(usize::from(index))).filter(|feature| !feature.is_empty())
    }

    /// One over the length of a detection's feature; 0 if it has none of use.
    pub(crate) fn scale(&self, index: u16) -> f32 {
        let Some(feature) = self.detection(index) else { return 0.0 };
        let square = dot(feature, feature);
        if square.is_finite() && square > f32::MIN_POSITIVE { 1.0 / libm::sqrtf(square) } else { 0.0 }
    }

    /// Half the cosine distance of a track's and a candidate's appearance, `0..=1`.
    pub(crate) fn distance(&self, place: usize, candidate: &Candidate) -> Option<f32> {
        if candidate.feature_scale == 0.0 {
            return None;
        }
        let cosine = candidate.feature_scale
            * dot(self.tracks.get(self.span(place))?, self.detection(candidate.index)?);
        Some((0.5 - 0.5 * cosine).clamp(0.0, 1.0))
    }

    /// Mixes the candidate's feature into that of a track, or takes it over if the track has none.
    pub(crate) fn learn(&mut self, place: usize, candidate: &Candidate, has_feature: bool) {
        let memory = if has_feature { MEMORY } else { 0.0 };
        let weight = (1.0 - memory) * candidate.feature_scale;
        let span = self.span(place);
        let new = self.detections.get(self.span(usize::from(candidate.index))).unwrap_or(&[]);
        let Some(feature) = self.tracks.get_mut(span) else { return };
        for (old, new) in feature.iter_mut().zip(new) {
            *old = memory * *old + weight * new;
        }
        // Opposite features may cancel out; then the sum stays as it is and is like nothing.
        let length = libm::sqrtf(dot(feature, feature));
        if length > 1e-6 {
            feature.iter_mut().for_each(|value| *value /= length);
        }
    }

    /// Moves the features of tracks.
    pub(crate) fn copy(&mut self, from: Range<usize>, to: usize) {
        self.tracks.copy_within(from.start * self.dim..from.end * self.dim, to * self.dim);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four sums side by side, which the processor adds at once.
    let (a, b) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0f32; 4];
    for (p, q) in a.0.iter().zip(b.0) {
        for lane in 0..4 {
            sums[lane] += p[lane] * q[lane];
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(p, q)| p * q).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_half_the_cosine_distance_whatever_the_length() {
        let mut tracks = [1.0, 0.0, 0.0, 0.0, 0.0];
        let detections = [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0];
        let appearance = Appearance { dim: 5, tracks: &mut tracks, detections: &detections };
        let distance = |index| {
            let candidate = Candidate { index, feature_scale: appearance.scale(index), ..Candidate::ZERO };
            appearance.distance(0, &candidate)
        };
        assert_eq!(
            [distance(0), distance(1), distance(2), distance(3)],
            [Some(0.0), Some(0.5), Some(1.0), None]
        );
    }

    #[test]
    fn tracks_learn_slowly_and_stay_of_unit_length() {
        let mut tracks = [0.0; 2];
        let detections = [0.0, 5.0, 4.0, 0.0];
        let mut appearance = Appearance { dim: 2, tracks: &mut tracks, detections: &detections };
        let candidate = |index, appearance: &Appearance<'_>| Candidate {
            index,
            feature_scale: appearance.scale(index),
            ..Candidate::ZERO
        };
        let first = candidate(0, &appearance);
        appearance.learn(0, &first, false);
        assert_eq!(appearance.tracks, [0.0, 1.0]);
        let second = candidate(1, &appearance);
        appearance.learn(0, &second, true);
        let expected = [0.1, 0.9].map(|value: f32| value / 0.82f32.sqrt());
        for (value, expected) in appearance.tracks.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6);
        }
    }
}
