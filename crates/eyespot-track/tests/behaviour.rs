//! What users rely on, on small scenes with a known answer.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use eyespot_core::{
    Affine, BBox, ClassId, Detection, Frame, FrameInfo, ImageView, PixelFormat, TrackId, Tracker,
};
use eyespot_track::{BotSort, BotSortConfig, ClassPolicy, Clock, KnownMotion, TrackState, TrackStorage};

type Small = BotSort<TrackStorage<8, 8>, 8, 8>;

fn small(config: BotSortConfig) -> Small {
    BotSort::new(config, TrackStorage::new()).unwrap()
}

fn at(x: f32, score: f32, class: u16) -> Detection {
    Detection::new(BBox::from_xywh(x, 50.0, 20.0, 40.0), score, ClassId(class))
}

fn frame(index: u64) -> FrameInfo {
    FrameInfo { index, timestamp_us: index * 33_333, ..FrameInfo::default() }
}

/// Updates and returns the ids of the detections.
fn ids<const T: usize, const D: usize>(
    tracker: &mut BotSort<TrackStorage<T, D>, T, D>,
    info: FrameInfo,
    detections: &[Detection],
) -> Vec<Option<u32>> {
    let mut detections = detections.to_vec();
    tracker.update_with_motion(&info, &Affine::IDENTITY, &mut detections);
    detections.iter().map(|detection| detection.track.map(TrackId::get)).collect()
}

#[test]
fn tracks_start_at_once_in_the_first_frame_and_with_the_second_detection_later() {
    let mut tracker = small(BotSortConfig::default());
    assert_eq!(ids(&mut tracker, frame(0), &[at(0.0, 0.9, 0)]), [Some(1)]);
    assert_eq!(ids(&mut tracker, frame(1), &[at(1.0, 0.9, 0), at(200.0, 0.9, 0)]), [Some(1), None]);
    assert_eq!(ids(&mut tracker, frame(2), &[at(202.0, 0.9, 0), at(2.0, 0.9, 0)]), [Some(2), Some(1)]);
    // Seen once and not again: it never was.
    assert_eq!(ids(&mut tracker, frame(3), &[at(400.0, 0.9, 0)]), [None]);
    assert_eq!(ids(&mut tracker, frame(4), &[]), []);
    assert_eq!(ids(&mut tracker, frame(5), &[at(400.0, 0.9, 0)]), [None]);
}

#[test]
fn a_lost_object_gets_its_id_back_within_the_buffer_and_a_new_one_after_it() {
    for (gap, expected) in [(28, Some(1)), (40, None)] {
        let mut tracker = small(BotSortConfig { track_buffer: 30, ..BotSortConfig::default() });
        for index in 0..5 {
            ids(&mut tracker, frame(index), &[at(10.0, 0.9, 0)]);
        }
        for index in 5..5 + gap {
            ids(&mut tracker, frame(index), &[]);
        }
        assert_eq!(ids(&mut tracker, frame(5 + gap), &[at(10.0, 0.9, 0)]), [expected], "gap {gap}");
    }
}

#[test]
fn frames_left_out_count_like_frames_without_detections() {
    for clock in [Clock::Index, Clock::Timestamp] {
        let config = BotSortConfig { clock, ..BotSortConfig::default() };
        let moving = |index: u64| [at(4.0 * index as f32, 0.9, 0)];
        let mut tracker = small(config);
        for index in 0..20 {
            assert_eq!(ids(&mut tracker, frame(index), &moving(index)), [Some(1)]);
        }
        // Eleven frames on, the object is more than two widths away.
        assert_eq!(ids(&mut tracker, frame(31), &moving(31)), [Some(1)], "{clock:?}");
        // Beyond the buffer nothing is remembered.
        assert_eq!(ids(&mut tracker, frame(100), &moving(100)), [None], "{clock:?}");
        assert_eq!(tracker.tracks().count(), 1);
    }
}

#[test]
fn the_longest_gap_and_the_largest_box_stay_finite() {
    let config = BotSortConfig { track_buffer: 1_000_000, ..BotSortConfig::default() };
    let mut tracker = small(config);
    let huge = Detection::new(BBox::new(-1e6, -1e6, 1e6, 1e6), 0.9, ClassId(0));
    let turn = Affine::from_rows([0.8, -0.6, 0.0], [0.6, 0.8, 0.0]);
    for (n, index) in [0, 1, 2, 900_000, 900_001, 1_800_000].into_iter().enumerate() {
        let mut detections = [huge];
        tracker.update_with_motion(&frame(index), &turn, &mut detections);
        assert!(tracker.tracks().count() > 0, "update {n}");
        for track in tracker.tracks() {
            assert!(track.bbox.xyxy().iter().all(|value| value.is_finite()), "update {n}: {track:?}");
        }
    }
}

#[test]
fn a_score_on_a_threshold_is_above_it_for_high_and_below_it_for_low() {
    let config = BotSortConfig {
        track_high_thresh: 0.5,
        track_low_thresh: 0.25,
        new_track_thresh: 0.5,
        ..BotSortConfig::default()
    };
    let mut tracker = small(config);
    assert_eq!(ids(&mut tracker, frame(0), &[at(0.0, 0.5, 0)]), [Some(1)]);
    assert_eq!(ids(&mut tracker, frame(1), &[at(0.0, 0.26, 0)]), [Some(1)]);
    assert_eq!(ids(&mut tracker, frame(2), &[at(0.0, 0.25, 0)]), [None]);
    // The original's strict thresholds leave out a score that equals the high one.
    let mut tracker = small(BotSortConfig { original_oddities: true, ..config });
    assert_eq!(ids(&mut tracker, frame(0), &[at(0.0, 0.5, 0)]), [None]);
}

#[test]
fn classes_vote_gate_or_isolate() {
    let run = |class_policy, classes: &[u16]| {
        let mut tracker = small(BotSortConfig { class_policy, ..BotSortConfig::default() });
        let mut seen = Vec::new();
        for (index, &class) in classes.iter().enumerate() {
            let id = ids(&mut tracker, frame(index as u64), &[at(0.0, 0.9, class)])[0];
            seen.push((id, tracker.tracks().next().map(|track| track.class.0)));
        }
        seen
    };
    // One odd class out of three does not change a voting track.
    assert_eq!(
        run(ClassPolicy::Vote, &[3, 3, 5, 5, 5])[2..],
        [(Some(1), Some(3)), (Some(1), Some(3)), (Some(1), Some(5))]
    );
    for policy in [ClassPolicy::Gated, ClassPolicy::Isolated] {
        assert_eq!(run(policy, &[3, 3, 5])[2], (None, Some(3)));
    }
}

#[test]
fn isolated_classes_do_not_remove_one_another_as_duplicates() {
    // A person is lost while a bike is tracked at the same place.
    let run = |class_policy| {
        let mut tracker = small(BotSortConfig { class_policy, ..BotSortConfig::default() });
        for index in 0..4 {
            ids(&mut tracker, frame(index), &[at(0.0, 0.9, 0)]);
        }
        for index in 4..9 {
            ids(&mut tracker, frame(index), &[at(0.0, 0.9, 1)]);
        }
        tracker.tracks().map(|track| track.class.0).collect::<Vec<_>>()
    };
    assert_eq!(run(ClassPolicy::Isolated), [0, 1]);
    assert_eq!(run(ClassPolicy::Gated).len(), 1);
}

#[test]
fn a_full_table_forgets_the_longest_lost_first_and_then_keeps_the_best_new() {
    let mut tracker: BotSort<TrackStorage<3, 8>, 3, 8> =
        BotSort::new(BotSortConfig::default(), TrackStorage::new()).unwrap();
    let far = |place: f32, score| at(1000.0 * place, score, 0);
    // Of five good detections in three places, the best three start tracks.
    let first = ids(
        &mut tracker,
        frame(0),
        &[far(0.0, 0.80), far(1.0, 0.95), far(2.0, 0.90), far(3.0, 0.99), far(4.0, 0.85)],
    );
    assert_eq!(first.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true, false]);
    assert_eq!(tracker.losses().untracked, 2);
    // Places 1 and then 2 get lost; a new object takes the place of the first.
    ids(&mut tracker, frame(1), &[far(2.0, 0.9), far(3.0, 0.9)]);
    ids(&mut tracker, frame(2), &[far(3.0, 0.9)]);
    ids(&mut tracker, frame(3), &[far(3.0, 0.9), far(7.0, 0.9)]);
    assert_eq!(tracker.losses().evicted, 1);
    let back = ids(&mut tracker, frame(4), &[far(3.0, 0.9), far(7.0, 0.9), far(2.0, 0.9)]);
    assert!(back[1].is_some(), "the new object is tracked");
    assert_eq!(back[2], first[2], "the one that was lost later is still remembered");
}

#[test]
fn too_many_detections_leave_the_best() {
    let mut tracker = small(BotSortConfig::default());
    let crowd: Vec<_> = (0..12).map(|n| at(100.0 * n as f32, 0.8 + 0.01 * n as f32, 0)).collect();
    let tracked = ids(&mut tracker, frame(0), &crowd);
    assert!(tracked[..4].iter().all(Option::is_none) && tracked[4..].iter().all(Option::is_some));
    assert_eq!(tracker.losses().detections, 4);
}

#[test]
fn a_heap_of_equal_boxes_does_not_starve_the_others() {
    // Forty boxes on forty tracks are 1,600 pairs, five times as many as there is room for.
    let mut tracker: BotSort<TrackStorage<41, 41>, 41, 41> =
        BotSort::new(BotSortConfig { new_track_iou: 1.0, ..BotSortConfig::default() }, TrackStorage::new())
            .unwrap();
    let mut crowd = vec![at(0.0, 0.9, 0); 40];
    // Listed last and furthest to the right, so that it comes last in every order.
    crowd.push(at(5000.0, 0.9, 0));
    let first = ids(&mut tracker, frame(0), &crowd);
    assert!(first.iter().all(Option::is_some));
    assert_eq!(tracker.losses().pairs, 0);
    let next = ids(&mut tracker, frame(1), &crowd);
    assert_eq!(next[40], first[40]);
    assert!(tracker.losses().pairs > 1000);
    assert!(next.iter().flatten().count() >= 9, "the heap keeps what there was room for");
}

#[test]
fn unusable_detections_are_refused_and_counted() {
    let mut tracker = small(BotSortConfig::default());
    let broken = |x1, x2, score| Detection::new(BBox::new(x1, 0.0, x2, 10.0), score, ClassId(0));
    let bad = [
        broken(f32::NAN, 5.0, 0.9),
        broken(0.0, f32::INFINITY, 0.9),
        broken(0.0, 0.0, 0.9),
        broken(9.0, 3.0, 0.9),
        broken(0.0, 1e30, 0.9),
        broken(0.0, 5.0, f32::NAN),
        broken(0.0, 5.0, 1.5),
    ];
    assert_eq!(ids(&mut tracker, frame(0), &bad), [None; 7]);
    assert_eq!(tracker.losses().invalid, 7);
    assert_eq!(ids(&mut tracker, frame(1), &[broken(0.0, 5.0, 0.9)]), [None]);
}

#[test]
fn small_boxes_are_not_reported_if_so_wished() {
    let mut tracker = small(BotSortConfig { min_box_area: 900.0, ..BotSortConfig::default() });
    assert_eq!(ids(&mut tracker, frame(0), &[at(0.0, 0.9, 0)]), [None]);
    assert_eq!((tracker.tracks().count(), tracker.reported().count()), (1, 0));
}

#[test]
fn the_camera_is_followed_and_a_bad_estimate_ignored() {
    // The picture jumps by 100 pixels per frame; the object stands still in the world.
    let jump = Affine::from_rows([1.0, 0.0, 100.0], [0.0, 1.0, 0.0]);
    let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8).unwrap();
    let storage = TrackStorage::<8, 8>::new();
    let mut tracker =
        BotSort::with_camera_motion(BotSortConfig::default(), storage, KnownMotion::new([jump; 9])).unwrap();
    for index in 0..9u64 {
        let mut detections = [at(100.0 * index as f32, 0.9, 0)];
        tracker.update(&Frame::new(image, index, 0), &mut detections).unwrap();
        assert_eq!(detections[0].track.map(TrackId::get), Some(1));
    }
    let velocity = tracker.tracks().next().unwrap().velocity[0];
    assert!(velocity.abs() < 1.0, "the object itself does not move: {velocity}");
    let zoom = Affine::from_rows([f32::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]);
    tracker.update_with_motion(&frame(9), &zoom, &mut [at(800.0, 0.9, 0)]);
    assert_eq!(tracker.losses().motions, 1);
    tracker.reset();
    assert_eq!(tracker.tracks().count(), 0);
}

#[test]
fn a_zoom_scales_boxes_and_a_turn_keeps_them() {
    let mut tracker = small(BotSortConfig::default());
    tracker.update_with_motion(&frame(0), &Affine::IDENTITY, &mut [at(0.0, 0.9, 0)]);
    let zoom = Affine::from_rows([2.0, 0.0, 0.0], [0.0, 2.0, 0.0]);
    tracker.update_with_motion(&frame(1), &zoom, &mut []);
    let lost = tracker.tracks().next().unwrap();
    assert_eq!(lost.state, TrackState::Lost);
    assert!((lost.bbox.width() - 40.0).abs() < 1e-3 && (lost.bbox.height() - 80.0).abs() < 1e-3);
    let turn = Affine::from_rows([0.0, -1.0, 500.0], [1.0, 0.0, 0.0]);
    tracker.update_with_motion(&frame(2), &turn, &mut []);
    let lost = tracker.tracks().next().unwrap();
    assert!((lost.bbox.width() - 40.0).abs() < 1e-3, "a width stays a width: {:?}", lost.bbox);
}

#[test]
fn trackers_share_nothing_and_every_placement_works() {
    let mut storage = TrackStorage::<8, 8>::new();
    let mut lent = BotSort::new(BotSortConfig::default(), &mut storage).unwrap();
    let mut boxed = BotSort::new(BotSortConfig::default(), Box::new(TrackStorage::<8, 8>::new())).unwrap();
    let mut first = [at(0.0, 0.9, 0), at(500.0, 0.9, 0)];
    lent.update_with_motion(&frame(0), &Affine::IDENTITY, &mut first);
    let mut second = [at(0.0, 0.9, 0)];
    boxed.update_with_motion(&frame(0), &Affine::IDENTITY, &mut second);
    assert_eq!(second[0].track.map(TrackId::get), Some(1), "ids are counted per tracker");
    let found: BTreeSet<_> = lent.tracks().map(|track| track.id.get()).collect();
    assert_eq!(found, BTreeSet::from([1, 2]));
    // A used storage is as good as a new one.
    let mut again = BotSort::new(BotSortConfig::default(), &mut storage).unwrap();
    again.update_with_motion(&frame(0), &Affine::IDENTITY, &mut second);
    assert_eq!(second[0].track.map(TrackId::get), Some(1));
}
