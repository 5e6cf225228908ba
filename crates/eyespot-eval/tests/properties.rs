//! What must hold for any boxes and tracks.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop them")]

use std::collections::HashMap;

use eyespot_core::{BBox, ClassId, Detection};
use eyespot_eval::coco::{self, Dataset, Params, Results};
use eyespot_eval::mot::{self, Row, Scores, Sequence};
use proptest::prelude::*;

fn row(frame: u32, id: i64, bbox: [f64; 4]) -> Row {
    Row { frame, id, bbox, score: 1.0, class: None, visibility: None }
}

/// Objects that each live in some frames and move on their own.
fn sequence() -> impl Strategy<Value = Sequence> {
    let object = (1_u32..10, 1_u32..12, 0.0..300.0_f64, 0.0..300.0_f64, 5.0..60.0_f64, -6.0..6.0_f64);
    prop::collection::vec(object, 1..8).prop_map(|objects| {
        let rows = (0..).zip(objects).flat_map(|(id, (first, length, x, y, side, speed))| {
            (first..first + length)
                .map(move |frame| row(frame, id, [x + speed * f64::from(frame), y, side, side * 1.5]))
        });
        Sequence::from_rows(rows)
    })
}

/// Maps every row to another one, or to none.
fn map(sequence: &Sequence, with: impl FnMut(&Row) -> Option<Row>) -> Sequence {
    Sequence::from_rows(sequence.rows().iter().filter_map(with))
}

fn assert_equal(a: &Scores, b: &Scores) -> Result<(), TestCaseError> {
    let (a, b) = (serde_json::to_value(a).unwrap(), serde_json::to_value(b).unwrap());
    for (name, value) in a.as_object().unwrap() {
        let (value, other) = (value.as_f64().unwrap(), b[name].as_f64().unwrap());
        prop_assert!((value - other).abs() < 1e-9, "{}: {} and {}", name, value, other);
    }
    Ok(())
}

/// Boxes of classes, a grid apart.
fn image() -> impl Strategy<Value = Vec<(BBox, ClassId)>> {
    prop::collection::vec((1.0_f32..300.0, 1.0_f32..300.0, 0_u16..3), 0..12).prop_map(|boxes| {
        let places = boxes.into_iter().zip(0_u16..);
        let on_grid = |((width, height, class), place): (_, u16)| {
            let left = f32::from(place) * 400.0;
            (BBox::from_xywh(left, 0.0, width, height), ClassId(class))
        };
        places.map(on_grid).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_perfect_tracker_scores_one(truth in sequence()) {
        let scores = mot::evaluate(&truth, &truth).unwrap();
        let hota = &scores.hota;
        let ones = [
            hota.hota, hota.det_a, hota.ass_a, hota.loc_a, hota.det_re, hota.det_pr, hota.ass_re, hota.ass_pr,
            scores.clear.mota, scores.clear.motp, scores.identity.idf1, scores.identity.idp, scores.identity.idr,
        ];
        for one in ones {
            prop_assert!((one - 1.0).abs() < 1e-12, "{:?}", scores);
        }
        prop_assert_eq!((scores.clear.id_switches, scores.clear.fp, scores.clear.fn_), (0, 0, 0));
        prop_assert_eq!(scores.clear.mostly_tracked, scores.counts.truths);
        prop_assert_eq!(scores.counts.track_boxes, truth.rows().len() as u64);
    }

    #[test]
    fn names_of_identities_do_not_count(truth in sequence(), other in sequence(), seed in 1_i64..1000) {
        // Multiplication by a unit modulo a prime is a permutation.
        let renamed = |row: &Row| Some(Row { id: (row.id + 1) * seed % 1009, ..*row });
        let scores = mot::evaluate(&truth, &other).unwrap();
        assert_equal(&scores, &mot::evaluate(&truth, &map(&other, renamed)).unwrap())?;
        assert_equal(&scores, &mot::evaluate(&map(&truth, renamed), &other).unwrap())?;
    }

    #[test]
    fn scores_stay_in_their_range(truth in sequence(), tracks in sequence(), drop in 2_u32..5) {
        let tracks = map(&tracks, |row| (row.frame % drop != 0).then_some(*row));
        let scores = mot::evaluate(&truth, &tracks).unwrap();
        let (hota, clear, identity) = (&scores.hota, &scores.clear, &scores.identity);
        let ratios = [
            hota.hota, hota.det_a, hota.ass_a, hota.loc_a, hota.det_re, hota.det_pr, hota.ass_re, hota.ass_pr,
            clear.motp, identity.idf1, identity.idp, identity.idr,
        ];
        prop_assert!(ratios.iter().all(|ratio| (0.0..=1.0).contains(ratio)), "{:?}", scores);
        prop_assert!(clear.mota <= 1.0);
        prop_assert_eq!(clear.tp + clear.fn_, scores.counts.truth_boxes);
        prop_assert_eq!(clear.tp + clear.fp, scores.counts.track_boxes);
        prop_assert_eq!(identity.idtp + identity.idfn, scores.counts.truth_boxes);
        // The best identities at the same IoU share no more boxes than the matches of each frame.
        prop_assert!(identity.idtp <= clear.tp);
        assert_equal(&mot::combine([&scores]), &scores)?;
        assert_equal(&mot::combine([&scores, &scores]).halved(), &scores)?;
    }

    /// An object that is followed by one track up to a frame and by another from there: the longer part is right.
    #[test]
    fn a_cut_identity_gives_the_known_scores(length in 2_u32..60, cut in 1_u32..59) {
        let cut = cut.min(length - 1);
        let truth = Sequence::from_rows((1..=length).map(|frame| row(frame, 1, [0.0, 0.0, 20.0, 20.0])));
        let tracks = map(&truth, |row| Some(Row { id: if row.frame <= cut { 1 } else { 2 }, ..*row }));
        let scores = mot::evaluate(&truth, &tracks).unwrap();
        let (length, cut) = (f64::from(length), f64::from(cut));
        let rest = length - cut;
        prop_assert!((scores.identity.idf1 - cut.max(rest) / length).abs() < 1e-12);
        prop_assert_eq!(scores.clear.id_switches, 1);
        prop_assert!((scores.clear.mota - (1.0 - 1.0 / length)).abs() < 1e-12);
        // Every box of a part is associated with as many of the object's boxes as the part has.
        let ass_a = (cut * cut + rest * rest) / (length * length);
        prop_assert!((scores.hota.ass_a - ass_a).abs() < 1e-12);
        prop_assert!((scores.hota.hota - ass_a.sqrt()).abs() < 1e-12);
        prop_assert!((scores.hota.ass_pr - 1.0).abs() < 1e-12);
    }

    /// Two tracks that exchange their objects half way.
    #[test]
    fn exchanged_identities_give_the_known_scores(half in 1_u32..40) {
        let rows = |swap: bool| {
            (1..=2 * half).flat_map(move |frame| {
                let exchanged = i64::from(swap && frame > half);
                [row(frame, exchanged, [0.0, 0.0, 20.0, 20.0]), row(frame, 1 - exchanged, [90.0, 0.0, 20.0, 20.0])]
            })
        };
        let scores =
            mot::evaluate(&Sequence::from_rows(rows(false)), &Sequence::from_rows(rows(true))).unwrap();
        prop_assert_eq!(scores.clear.id_switches, 2);
        prop_assert_eq!(scores.identity.idf1, 0.5);
        // Each pair shares half of its boxes: 1 of 3 parts of their union.
        prop_assert!((scores.hota.ass_a - 1.0 / 3.0).abs() < 1e-12);
        prop_assert!((scores.hota.ass_re - 0.5).abs() < 1e-12);
        prop_assert_eq!(scores.hota.det_a, 1.0);
    }

    #[test]
    fn perfect_detections_have_full_precision(images in prop::collection::vec(image(), 1..6)) {
        let mut dataset = Dataset::with_classes(["a", "b", "c"]);
        let mut results = Results::default();
        let mut most = 0;
        for truths in &images {
            most = most.max(truths.len());
            let image = dataset.push_image(truths.iter().copied()).unwrap();
            let found: Vec<_> = truths.iter().map(|&(bbox, class)| Detection::new(bbox, 0.5, class)).collect();
            results.push(&dataset, image, &found).unwrap();
        }
        let summary = coco::evaluate(&dataset, &results, &Params::default()).unwrap();
        let [ap, ap50, ap75, .., ar10, ar100, _, _, _] = summary.metrics.values();
        if most == 0 {
            prop_assert_eq!(ap, None);
        } else {
            for value in [ap, ap50, ap75, ar100].into_iter().chain((most <= 10).then_some(ar10)) {
                prop_assert!((value.unwrap() - 1.0).abs() < 1e-12, "{}", summary);
            }
        }
    }

    /// Only the order of scores counts, and with distinct ones the order of results doesn't.
    #[test]
    fn the_scale_of_scores_and_the_order_of_results_do_not_count(
        truths in image(),
        shifts in prop::collection::vec((-60.0_f32..60.0, 0.01_f32..1.0), 12),
    ) {
        let mut dataset = Dataset::with_classes(["a", "b", "c"]);
        let image = dataset.push_image(truths.iter().copied()).unwrap();
        let found: Vec<_> = truths.iter().zip(&shifts).enumerate().map(|(at, (&(bbox, class), &(dx, score)))| {
            Detection::new(bbox.translated(dx, 0.0), score + at as f32 * 1e-4, class)
        }).collect();
        let evaluate = |found: &[Detection]| {
            let mut results = Results::default();
            results.push(&dataset, image, found).unwrap();
            coco::evaluate(&dataset, &results, &Params::default()).unwrap().metrics
        };
        let distinct: HashMap<u32, usize> = found.iter().map(|d| (d.score.to_bits(), 0)).collect();
        prop_assume!(distinct.len() == found.len());
        let metrics = evaluate(&found);
        let changed: Vec<_> = found.iter().rev().map(|d| Detection::new(d.bbox, d.score / 2.0, d.class)).collect();
        prop_assert_eq!(metrics, evaluate(&changed));
        prop_assert!(metrics.values().iter().flatten().all(|value| (0.0..=1.0).contains(value)));
    }
}

/// Undoes a doubling of counts.
trait Halved {
    fn halved(self) -> Self;
}

impl Halved for Scores {
    fn halved(mut self) -> Self {
        let Self { clear, identity, counts, .. } = &mut self;
        let all = [
            &mut clear.tp,
            &mut clear.fp,
            &mut clear.fn_,
            &mut clear.id_switches,
            &mut clear.fragmentations,
            &mut clear.mostly_tracked,
            &mut clear.partially_tracked,
            &mut clear.mostly_lost,
            &mut identity.idtp,
            &mut identity.idfp,
            &mut identity.idfn,
            &mut counts.track_boxes,
            &mut counts.truth_boxes,
            &mut counts.tracks,
            &mut counts.truths,
        ];
        all.into_iter().for_each(|count| *count /= 2);
        self
    }
}
