//! What objects look like: features of a re-identification network, one vector per track and per detection.

use core::ops::Range;

/// How much of the old feature stays when a new one comes in.
const MEMORY: f32 = 0.9;

/// How a storage keeps an appearance feature: `[f32; 512]`, or `[i8; 512]` for a quarter of the memory.
///
/// Only the direction of a feature counts. An `i8` feature is scaled so that its largest number is 127, which leaves
/// the cosine of two features of 512 numbers within about 0.01 of the exact one.
pub trait Feature: Kept {
    /// Numbers of a feature; 0 means that appearances are not looked at.
    const DIM: usize;
}

impl<const DIM: usize> Feature for [f32; DIM] {
    const DIM: usize = DIM;
}

impl<const DIM: usize> Feature for [i8; DIM] {
    const DIM: usize = DIM;
}

/// What the tracker needs of a feature, sealed.
pub trait Kept: Copy + core::fmt::Debug {
    /// The feature of an unused slot.
    const ZERO: Self;
    /// The numbers of many features in one run.
    fn numbers(features: &mut [Self]) -> Numbers<'_>;
}

impl<const DIM: usize> Kept for [f32; DIM] {
    const ZERO: Self = [0.0; DIM];
    fn numbers(features: &mut [Self]) -> Numbers<'_> {
        Numbers::F32(features.as_flattened_mut())
    }
}

impl<const DIM: usize> Kept for [i8; DIM] {
    const ZERO: Self = [0; DIM];
    fn numbers(features: &mut [Self]) -> Numbers<'_> {
        Numbers::I8(features.as_flattened_mut())
    }
}

/// Many features, without their dimension in the type.
#[derive(Debug)]
pub enum Numbers<'a> {
    /// Four bytes per number.
    F32(&'a mut [f32]),
    /// One byte per number.
    I8(&'a mut [i8]),
}

/// The features of all tracks and of the candidates of a frame. Beside each one its owner keeps its scale: one over
/// its length, or 0 if there is none.
#[derive(Debug)]
pub(crate) struct Appearance<'a> {
    /// Numbers per feature.
    pub(crate) dim: usize,
    pub(crate) tracks: Numbers<'a>,
    pub(crate) candidates: Numbers<'a>,
}

/// A feature by the place of its owner, and its scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) place: usize,
    pub(crate) scale: f32,
}

impl Appearance<'_> {
    fn span(&self, place: usize) -> Range<usize> {
        place * self.dim..(place + 1) * self.dim
    }

    /// Keeps the feature of a candidate. Returns its scale: 0 if it is zero, not finite or of the wrong length.
    pub(crate) fn observe(&mut self, place: usize, feature: &[f32]) -> f32 {
        if feature.len() != self.dim || !feature.iter().all(|number| number.is_finite()) {
            return 0.0;
        }
        let span = self.span(place);
        match &mut self.candidates {
            Numbers::F32(kept) => kept.get_mut(span).map_or(0.0, |kept| mix(kept, 0.0, feature, 1.0)),
            Numbers::I8(kept) => kept.get_mut(span).map_or(0.0, |kept| mix(kept, 0.0, feature, 1.0)),
        }
    }

    /// Half the cosine distance of the appearances of a track and a candidate, `0..=1`; `None` if one has none.
    pub(crate) fn distance(&self, track: Look, candidate: Look) -> Option<f32> {
        let scale = track.scale * candidate.scale;
        if scale == 0.0 {
            return None;
        }
        let (a, b) = (self.span(track.place), self.span(candidate.place));
        let product = match (&self.tracks, &self.candidates) {
            (Numbers::F32(tracks), Numbers::F32(candidates)) => {
                Number::dot(tracks.get(a)?, candidates.get(b)?)
            }
            (Numbers::I8(tracks), Numbers::I8(candidates)) => Number::dot(tracks.get(a)?, candidates.get(b)?),
            _ => return None,
        };
        Some((0.5 - 0.5 * scale * product).clamp(0.0, 1.0))
    }

    /// Mixes a candidate's feature into that of a track, or takes it over if the track has none. Returns the new
    /// scale.
    pub(crate) fn learn(&mut self, track: Look, candidate: Look) -> f32 {
        let memory = if track.scale > 0.0 { MEMORY } else { 0.0 };
        let (own, weight) = (memory * track.scale, (1.0 - memory) * candidate.scale);
        let (a, b) = (self.span(track.place), self.span(candidate.place));
        let new = match (&mut self.tracks, &self.candidates) {
            (Numbers::F32(tracks), Numbers::F32(candidates)) => {
                tracks.get_mut(a).zip(candidates.get(b)).map(|(kept, new)| mix(kept, own, new, weight))
            }
            (Numbers::I8(tracks), Numbers::I8(candidates)) => {
                tracks.get_mut(a).zip(candidates.get(b)).map(|(kept, new)| mix(kept, own, new, weight))
            }
            _ => None,
        };
        new.unwrap_or(0.0)
    }

    /// Moves the features of tracks.
    pub(crate) fn copy(&mut self, from: Range<usize>, to: usize) {
        let (from, to) = (from.start * self.dim..from.end * self.dim, to * self.dim);
        match &mut self.tracks {
            Numbers::F32(numbers) => numbers.copy_within(from, to),
            Numbers::I8(numbers) => numbers.copy_within(from, to),
        }
    }
}

/// A number of a feature as it is kept.
trait Number: Copy {
    /// What the largest number of a feature is scaled to.
    const TOP: f32;
    fn get(self) -> f32;
    fn keep(number: f32) -> Self;
    fn dot(a: &[Self], b: &[Self]) -> f32;
}

impl Number for f32 {
    const TOP: Self = 1.0;
    fn get(self) -> Self {
        self
    }
    fn keep(number: Self) -> Self {
        number
    }
    fn dot(a: &[Self], b: &[Self]) -> Self {
        // Sums side by side, which the processor adds at once.
        let (a, b) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        let mut sums = [0.0f32; 16];
        for (p, q) in a.0.iter().zip(b.0) {
            for lane in 0..16 {
                sums[lane] += p[lane] * q[lane];
            }
        }
        let rest: Self = a.1.iter().zip(b.1).map(|(p, q)| p * q).sum();
        sums.iter().sum::<Self>() + rest
    }
}

impl Number for i8 {
    const TOP: f32 = 127.0;
    fn get(self) -> f32 {
        f32::from(self)
    }
    fn keep(number: f32) -> Self {
        libm::roundf(number) as Self
    }
    fn dot(a: &[Self], b: &[Self]) -> f32 {
        // 16,129 times any dimension that fits into memory stays far below the limit.
        a.iter().zip(b).map(|(&p, &q)| i32::from(p) * i32::from(q)).sum::<i32>() as f32
    }
}

/// Replaces `kept` by `own * kept + weight * new` at the scale of its type. Returns one over its length, 0 for a zero
/// vector.
fn mix<N: Number, M: Number>(kept: &mut [N], own: f32, new: &[M], weight: f32) -> f32 {
    let sum = |old: N, new: M| own * old.get() + weight * new.get();
    let largest = kept.iter().zip(new).map(|(&old, &new)| sum(old, new).abs()).fold(0.0, f32::max);
    // The factor must not leave the range of `f32`.
    if largest < 1e-30 {
        return 0.0;
    }
    let factor = N::TOP / largest;
    for (old, &new) in kept.iter_mut().zip(new) {
        *old = N::keep(factor * sum(*old, new));
    }
    1.0 / libm::sqrtf(N::dot(kept, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(place: usize, scale: f32) -> Look {
        Look { place, scale }
    }

    #[test]
    fn distances_are_half_the_cosine_distance_whatever_the_length() {
        let (mut tracks, mut candidates) = ([0.0; 5], [0.0; 25]);
        let mut appearance = Appearance {
            dim: 5,
            tracks: Numbers::F32(&mut tracks),
            candidates: Numbers::F32(&mut candidates),
        };
        let scales = [
            [3.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 7e20, 0.0, 0.0],
            [-2e-20, 0.0, 0.0, 0.0, 0.0],
            [0.0; 5],
            [1.0, f32::NAN, 0.0, 0.0, 0.0],
        ]
        .iter()
        .enumerate()
        .map(|(place, feature)| appearance.observe(place, feature))
        .collect::<std::vec::Vec<_>>();
        let own = appearance.learn(look(0, 0.0), look(0, scales[0]));
        let distance = |place: usize| appearance.distance(look(0, own), look(place, scales[place]));
        assert_eq!(
            [distance(0), distance(1), distance(2), distance(3), distance(4)],
            [Some(0.0), Some(0.5), Some(1.0), None, None]
        );
        assert_eq!(appearance.observe(0, &[1.0; 4]), 0.0, "a wrong length");
        assert_eq!(appearance.distance(look(0, 0.0), look(0, 1.0)), None, "a track without a feature");
    }

    #[test]
    fn tracks_learn_a_tenth_of_each_new_direction() {
        let (mut tracks, mut candidates) = ([0.0; 2], [0.0; 4]);
        let mut appearance = Appearance {
            dim: 2,
            tracks: Numbers::F32(&mut tracks),
            candidates: Numbers::F32(&mut candidates),
        };
        let first = appearance.observe(0, &[0.0, 5.0]);
        let second = appearance.observe(1, &[4.0, 0.0]);
        let own = appearance.learn(look(0, 0.0), look(0, first));
        let own = appearance.learn(look(0, own), look(1, second));
        let Numbers::F32(track) = appearance.tracks else { unreachable!() };
        let expected = [0.1, 0.9].map(|value: f32| value / 0.82f32.sqrt());
        for (value, expected) in track.iter().zip(expected) {
            assert!((value * own - expected).abs() < 1e-6);
        }
    }

    /// A generator of about normal numbers.
    fn noise(state: &mut u64) -> f32 {
        let mut sum = 0.0;
        for _ in 0..6 {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (*state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        }
        sum
    }

    /// An average of many noisy views in one byte per number stays close to that in four.
    #[test]
    fn bytes_follow_floats() {
        const DIM: usize = 512;
        let (mut f32s, mut views) = ([[0.0f32; DIM]; 1], [[0.0f32; DIM]; 2]);
        let (mut i8s, mut views8) = ([[0i8; DIM]; 1], [[0i8; DIM]; 2]);
        let mut exact =
            Appearance { dim: DIM, tracks: Kept::numbers(&mut f32s), candidates: Kept::numbers(&mut views) };
        let mut short =
            Appearance { dim: DIM, tracks: Kept::numbers(&mut i8s), candidates: Kept::numbers(&mut views8) };
        let state = &mut 7;
        let mut person: std::vec::Vec<f32> = (0..DIM).map(|_| noise(state)).collect();
        let other: std::vec::Vec<f32> = (0..DIM).map(|_| noise(state)).collect();
        let (mut a, mut b) = (0.0, 0.0);
        for _ in 0..200 {
            // The person turns slowly: the average has to follow.
            person.iter_mut().for_each(|number| *number += 0.1 * noise(state));
            let view: std::vec::Vec<f32> = person.iter().map(|number| number + 0.3 * noise(state)).collect();
            let scales = (exact.observe(0, &view), short.observe(0, &view));
            a = exact.learn(look(0, a), look(0, scales.0));
            b = short.learn(look(0, b), look(0, scales.1));
            for (place, feature) in [&view, &other].into_iter().enumerate() {
                let scales = (exact.observe(place, feature), short.observe(place, feature));
                let exact = exact.distance(look(0, a), look(place, scales.0)).unwrap();
                let short = short.distance(look(0, b), look(place, scales.1)).unwrap();
                assert!((exact - short).abs() < 0.006, "{exact} {short}");
            }
        }
    }
}
