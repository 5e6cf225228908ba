//! What holds on any input.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, HashSet};

use eyespot_core::{Affine, BBox, ClassId, Detection, FrameInfo, TrackId};
use eyespot_track::{BotSort, BotSortConfig, ClassPolicy, TrackState, TrackStorage};
use proptest::prelude::*;

fn info(index: usize) -> FrameInfo {
    FrameInfo { index: index as u64, ..FrameInfo::default() }
}

/// Boxes on a small field, so that they often overlap and often are equal.
fn detection() -> impl Strategy<Value = Detection> {
    let place = (0u8..12, 0u8..6, 1u8..5, 1u8..5, 0u8..=10, 0u16..3);
    place.prop_map(|(x, y, width, height, score, class)| {
        let bbox = BBox::from_xywh(
            f32::from(x) * 10.0,
            f32::from(y) * 10.0,
            f32::from(width) * 12.0,
            f32::from(height) * 12.0,
        );
        Detection::new(bbox, f32::from(score) / 10.0, ClassId(class))
    })
}

fn wild() -> impl Strategy<Value = Detection> {
    let number = prop_oneof![
        4 => -2e3f32..2e3,
        1 => prop_oneof![
            Just(f32::NAN),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            Just(f32::MAX),
            Just(f32::MIN_POSITIVE),
            Just(1e6f32),
            Just(-1e6f32),
            Just(0.0f32),
        ],
    ];
    (number.clone(), number.clone(), number.clone(), number, prop_oneof![Just(f32::NAN), -0.5f32..1.5])
        .prop_map(|(x1, y1, x2, y2, score)| Detection::new(BBox { x1, y1, x2, y2 }, score, ClassId(0)))
}

fn motion() -> impl Strategy<Value = Affine> {
    prop_oneof![
        4 => Just(Affine::IDENTITY),
        3 => (0.9f32..1.1, -0.1f32..0.1, -20.0f32..20.0, -20.0f32..20.0)
            .prop_map(|(a, b, tx, ty)| Affine::from_rows([a, b, tx], [-b, a, ty])),
        1 => (prop::num::f32::ANY, prop::num::f32::ANY, prop::num::f32::ANY)
            .prop_map(|(a, b, tx)| Affine::from_rows([a, b, tx], [-b, a, 0.0])),
    ]
}

fn config() -> impl Strategy<Value = BotSortConfig> {
    let policy = prop_oneof![Just(ClassPolicy::Vote), Just(ClassPolicy::Gated), Just(ClassPolicy::Isolated)];
    (policy, any::<bool>(), 0u32..8).prop_map(|(class_policy, original, track_buffer)| {
        let base = if original { BotSortConfig::reference() } else { BotSortConfig::default() };
        BotSortConfig { class_policy, track_buffer, ..base }
    })
}

proptest! {
    /// No panic, no number that is not one, no id twice, no id that comes back after its track was forgotten.
    #[test]
    fn survives_anything(
        config in config(),
        frames in prop::collection::vec((prop::collection::vec(prop_oneof![wild(), detection()], 0..12), motion()), 1..40),
    ) {
        let mut tracker = BotSort::new(config, TrackStorage::<6, 7>::new()).unwrap();
        let mut gone = HashSet::new();
        let mut alive: HashSet<u32> = HashSet::new();
        for (index, (mut detections, motion)) in frames.into_iter().enumerate() {
            tracker.update_with_motion(&info(index), &motion, &mut detections);
            let now: Vec<u32> = tracker.tracks().map(|track| track.id.get()).collect();
            prop_assert!(now.is_sorted_by(|a, b| a < b), "ids are in order and unique");
            let now: HashSet<u32> = now.into_iter().collect();
            gone.extend(alive.difference(&now).copied());
            prop_assert!(now.is_disjoint(&gone), "a forgotten id came back");
            alive = now;
            for track in tracker.tracks() {
                prop_assert!(track.bbox.xyxy().iter().all(|value| value.is_finite()));
                prop_assert!(track.velocity.iter().all(|value| value.is_finite()));
                prop_assert_eq!(track.state == TrackState::Lost, track.unseen > 0.0);
            }
            let given: Vec<_> = detections.iter().filter_map(|detection| detection.track).collect();
            prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len(), "two detections, one id");
            prop_assert!(given.iter().all(|id| alive.contains(&id.get())));
        }
    }

    /// The order in which a predictor lists its detections means nothing.
    #[test]
    fn the_order_of_detections_does_not_matter(
        config in config(),
        frames in prop::collection::vec(prop::collection::vec((detection(), any::<u32>()), 0..14), 1..30),
    ) {
        let mut plain = BotSort::new(config, TrackStorage::<8, 10>::new()).unwrap();
        let mut shuffled = plain.clone();
        for (index, mut frame) in frames.into_iter().enumerate() {
            let mut detections: Vec<_> = frame.iter().map(|&(detection, _)| detection).collect();
            plain.update_with_motion(&info(index), &Affine::IDENTITY, &mut detections);
            frame.sort_by_key(|&(_, key)| key);
            let mut other: Vec<_> = frame.iter().map(|&(detection, _)| detection).collect();
            shuffled.update_with_motion(&info(index), &Affine::IDENTITY, &mut other);
            prop_assert!(plain.tracks().eq(shuffled.tracks()));
        }
    }

    /// Features of any kind break nothing, and with them the order means nothing either.
    #[test]
    fn features_of_any_kind_are_survived_in_any_order(
        config in config(),
        frames in prop::collection::vec(prop::collection::vec((detection(), any::<u32>()), 0..14), 1..30),
        looks in prop::collection::vec(prop_oneof![4 => -1.0f32..1.0, 1 => prop::num::f32::ANY], 12 * 6 * 3),
    ) {
        let storage = TrackStorage::<8, 10, [i8; 3]>::with_features();
        let config = BotSortConfig { proximity_thresh: 0.9, ..config };
        let mut plain = BotSort::new(config, storage).unwrap();
        let mut shuffled = plain.clone();
        // What somebody looks like depends on the place alone, so that equal detections look the same.
        let look = |detection: &Detection| {
            let place = (detection.bbox.x1 / 10.0) as usize + 12 * (detection.bbox.y1 / 10.0) as usize;
            [looks[3 * place], looks[3 * place + 1], looks[3 * place + 2]]
        };
        for (index, mut frame) in frames.into_iter().enumerate() {
            let update = |tracker: &mut BotSort<_, 8, 10, _, _, [i8; 3]>, frame: &[(Detection, u32)]| {
                let mut detections: Vec<_> = frame.iter().map(|&(detection, _)| detection).collect();
                let looks: Vec<_> = detections.iter().map(look).collect();
                tracker.update_with_features(&info(index), &Affine::IDENTITY, &mut detections, &looks);
            };
            update(&mut plain, &frame);
            frame.sort_by_key(|&(_, key)| key);
            update(&mut shuffled, &frame);
            prop_assert!(plain.tracks().eq(shuffled.tracks()));
            for track in plain.tracks() {
                prop_assert!(track.bbox.xyxy().iter().all(|value| value.is_finite()));
            }
        }
        prop_assert_eq!(plain.losses(), shuffled.losses());
    }

    /// With room for everything, the capacity does not change the tracks.
    #[test]
    fn capacity_does_not_matter_while_there_is_room(
        frames in prop::collection::vec(prop::collection::vec(detection(), 0..10), 1..20),
    ) {
        let config = BotSortConfig { track_buffer: 3, ..BotSortConfig::default() };
        let mut small = BotSort::new(config, TrackStorage::<60, 10>::new()).unwrap();
        let mut large = BotSort::new(config, TrackStorage::<100, 300>::new()).unwrap();
        for (index, mut frame) in frames.into_iter().enumerate() {
            small.update_with_motion(&info(index), &Affine::IDENTITY, &mut frame);
            large.update_with_motion(&info(index), &Affine::IDENTITY, &mut frame);
            prop_assert!(small.tracks().eq(large.tracks()));
        }
    }
}

/// A small generator, so that the long run needs no memory of its input.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

#[test]
fn a_hundred_thousand_frames_of_noise_leave_no_trace() {
    let mut tracker = BotSort::new(BotSortConfig::default(), TrackStorage::<32, 16>::new()).unwrap();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut last_id = 0;
    for index in 0..100_000 {
        let count = (noise.next() * 16.0) as usize;
        let mut detections: Vec<_> = (0..count)
            .map(|_| {
                let (x, y) = (noise.next() * 300.0, noise.next() * 200.0);
                let bbox = BBox::from_xywh(x, y, 20.0 + noise.next() * 60.0, 20.0 + noise.next() * 60.0);
                Detection::new(bbox, noise.next(), ClassId((noise.next() * 3.0) as u16))
            })
            .collect();
        let angle = (noise.next() - 0.5) * 0.02;
        let motion = Affine::from_rows(
            [angle.cos(), -angle.sin(), noise.next() - 0.5],
            [angle.sin(), angle.cos(), noise.next() - 0.5],
        );
        tracker.update_with_motion(&info(index), &motion, &mut detections);
        assert!(tracker.tracks().all(|track| track.bbox.xyxy().iter().all(|value| value.abs() < 1e5)));
        last_id = tracker.tracks().map(|track| track.id.get()).max().unwrap_or(last_id);
    }
    assert_eq!(tracker.losses().diverged, 0);
    // A scene without noise is tracked as by a new tracker.
    for index in 100_000..100_040 {
        tracker.update_with_motion(&info(index), &Affine::IDENTITY, &mut []);
    }
    assert_eq!(tracker.tracks().count(), 0);
    let mut detections = [Detection::new(BBox::new(0.0, 0.0, 50.0, 50.0), 0.9, ClassId(0))];
    for index in 100_040..100_045 {
        tracker.update_with_motion(&info(index), &Affine::IDENTITY, &mut detections);
    }
    assert!(detections[0].track.is_some_and(|id| id.get() > last_id));
}

/// A walk along a straight line stays one track through long gaps of any pattern of dropped frames.
#[test]
fn dropped_frames_do_not_break_a_steady_walk() {
    let mut noise = Noise(42);
    let mut tracker = BotSort::new(BotSortConfig::default(), TrackStorage::<4, 4>::new()).unwrap();
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let mut index = 0;
    for _ in 0..500 {
        let x = 2.0 * index as f32;
        let mut detections = [Detection::new(BBox::from_xywh(x, 0.0, 40.0, 90.0), 0.9, ClassId(0))];
        tracker.update_with_motion(&info(index), &Affine::IDENTITY, &mut detections);
        *counts.entry(detections[0].track.map_or(0, TrackId::get)).or_default() += 1;
        index += 1 + (noise.next() * 6.0) as usize;
    }
    assert_eq!(counts, BTreeMap::from([(1, 500)]));
}
