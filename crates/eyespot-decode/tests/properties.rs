//! What must hold for any boxes.

use eyespot_core::{
    Angle, BBox, ClassId, Detection, InputSize, MaskRect, Predictions, PredictionsBuf, PredictionsStorage,
};
use eyespot_decode::{
    Activation, Background, BoxFormat, Boxes, Candidate, Candidates, ClassMap, DecodeError, DecodeOptions,
    Field, KeypointLayout, LabelMode, Matrix, Merge, Nms, OrientedBox, Overlap, Prototypes, Scores,
    distances, keypoints, yolox,
};
use proptest::prelude::*;

/// Boxes and scores on a coarse grid, so that equal scores and equal boxes happen.
fn candidate() -> impl Strategy<Value = Candidate> {
    (0u8..12, 0u8..12, 1u8..8, 1u8..8, 0u8..=10, 0u16..3).prop_map(|(x, y, w, h, score, class)| Candidate {
        bbox: BBox::from_xywh(x.into(), y.into(), w.into(), h.into()),
        score: f32::from(score) / 10.0,
        class: ClassId(class),
        row: 0,
    })
}

fn collected(candidates: &[Candidate], slots: usize, nms: Nms) -> (Vec<Candidate>, u32) {
    let mut slots = vec![Candidate::EMPTY; slots];
    let mut collected = Candidates::new(&mut slots);
    for &candidate in candidates {
        collected.push(candidate);
    }
    nms.suppress(&mut collected);
    (collected.as_slice().to_vec(), collected.lost())
}

/// Suppression as the definition has it.
fn reference(mut rest: Vec<Candidate>, iou: f32, agnostic: bool) -> Vec<Candidate> {
    let mut kept = Vec::new();
    while !rest.is_empty() {
        let best = rest.remove(0);
        rest.retain(|c| !(agnostic || c.class == best.class) || c.bbox.iou(&best.bbox) <= iou);
        kept.push(best);
    }
    kept
}

proptest! {
    #[test]
    fn full_slots_hold_the_best_whatever_the_order(
        candidates in prop::collection::vec(candidate(), 0..80),
        room in 0usize..20,
        turn in 0usize..80,
    ) {
        let (all, _) = collected(&candidates, 80, Nms::new(1.0));
        prop_assert!(all.is_sorted_by(|a, b| a.score >= b.score));
        let mut turned = candidates.clone();
        turned.rotate_left(turn.min(candidates.len()));
        let (best, lost) = collected(&turned, room, Nms::new(1.0));
        prop_assert_eq!(&best[..], &all[..room.min(all.len())]);
        prop_assert_eq!(lost as usize, candidates.len().saturating_sub(room));
    }

    #[test]
    fn suppression_is_that_of_the_definition(
        candidates in prop::collection::vec(candidate(), 0..60),
        iou in 0.0f32..1.0,
        agnostic: bool,
    ) {
        let nms = if agnostic { Nms::new(iou).agnostic() } else { Nms::new(iou) };
        let (sorted, _) = collected(&candidates, 60, Nms::new(1.0));
        let (kept, _) = collected(&candidates, 60, nms);
        prop_assert_eq!(kept, reference(sorted, iou, agnostic));
    }

    /// Any bits as floats: no panic, nothing invalid gets through, wrong lengths are refused.
    #[test]
    fn any_output_is_safe_to_decode(
        bits in prop::collection::vec(any::<u32>(), 7 * 20..=7 * 20),
        conf in -1.0f32..2.0,
        short in 0usize..3,
        multi: bool,
    ) {
        let raw: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let head = yolox::Head::new(InputSize::new(32, 32), &[8, 0, 16], 2);
        prop_assert_eq!(head.anchors(), 20);
        let mut slots = [Candidate::EMPTY; 4];
        let mut candidates = Candidates::new(&mut slots);
        let labels = if multi { LabelMode::Multi } else { LabelMode::Best };
        let options = DecodeOptions::new(conf).with_labels(labels);
        let result = head.decode(&raw[short..], &options, &mut candidates);
        if short > 0 {
            let expected = DecodeError::Length { expected: 140, actual: 140 - short };
            prop_assert_eq!(result, Err(expected));
        } else {
            prop_assert_eq!(result, Ok(()));
        }
        Nms::new(0.5).suppress(&mut candidates);
        let mut storage = Predictions::<8>::new();
        candidates.push_into(&mut storage.view_mut(), |bbox| bbox);
        prop_assert!(storage.view().detections().iter().all(Detection::is_valid));
        prop_assert_eq!(storage.view().losses().invalid, candidates.invalid());
        prop_assert_eq!(storage.view().losses().detections, candidates.lost());
    }

    /// After a merge no two boxes of a class match (by suppression), every box lies in one that is left (by
    /// merging), and the best score of each class is there.
    #[test]
    fn merging_leaves_what_it_promises(
        candidates in prop::collection::vec(candidate(), 0..40),
        threshold in 0.0f32..1.0,
    ) {
        let fill = || {
            let mut storage = PredictionsBuf::new(40, 0, 0);
            for c in &candidates {
                storage.view_mut().push(Detection::new(c.bbox, c.score, c.class));
            }
            storage
        };
        let mut suppressed = fill();
        let merged = Merge::nms(threshold).apply(&mut suppressed.view_mut());
        let left = suppressed.view().detections();
        prop_assert_eq!(left.len() + merged.joined, candidates.len());
        for (at, a) in left.iter().enumerate() {
            for b in &left[at + 1..] {
                prop_assert!(a.class != b.class || a.bbox.iou(&b.bbox) <= threshold);
            }
        }

        let mut joined = fill();
        let merged = Merge::nmm(threshold).apply(&mut joined.view_mut());
        let left = joined.view().detections();
        prop_assert_eq!(left.len() + merged.joined, candidates.len());
        for c in &candidates {
            let inside = |d: &Detection| d.class == c.class && d.bbox.union_box(&c.bbox) == d.bbox;
            prop_assert!(left.iter().any(|d| inside(d) && d.score >= c.score));
        }
    }

    /// Of an object and a piece of it with the same score the object is left, wherever the piece is cut off, also where it
    /// reaches out of the object a little, and in whichever order they come.
    #[test]
    fn a_piece_is_not_taken_before_the_whole(
        whole in candidate(),
        (x, y) in (prop_oneof![Just(0.0), 0.0f32..1.0], prop_oneof![Just(0.0), 0.0f32..1.0]),
        (width, height) in (0.05f32..0.95, 0.05f32..0.95),
        out in prop_oneof![Just(0.0), 0.0f32..0.3],
        threshold in 0.0f32..0.6,
        piece_first: bool,
    ) {
        let bbox = whole.bbox;
        let (width, height) = (width * bbox.width(), height * bbox.height());
        let left = bbox.x1 + x * (bbox.width() - width) - out * width;
        let top = bbox.y1 + y * (bbox.height() - height);
        let piece = BBox::from_xywh(left, top, width, height);
        let mut boxes = [bbox, piece];
        if piece_first {
            boxes.reverse();
        }
        let suppressed = (Merge::nms(threshold).with_overlap(Overlap::Ios), bbox);
        for (merge, expected) in [suppressed, (Merge::nmm(threshold), bbox.union_box(&piece))] {
            let mut storage = storage_of(&boxes.map(|bbox| (bbox, whole.score)));
            prop_assert_eq!(merge.apply(&mut storage.view_mut()).joined, 1);
            prop_assert_eq!(storage.view().detections()[0].bbox, expected);
        }
    }
}

fn storage_of(detections: &[(BBox, f32)]) -> Predictions<8, 64> {
    let mut storage = Predictions::new();
    for &(bbox, score) in detections {
        storage.view_mut().push(Detection::new(bbox, score, ClassId(7)));
    }
    storage
}

/// An object cut by a tile's border: the part lies in the whole, so its IoU is small but its IoS is 1.
#[test]
fn the_part_of_a_cut_object_goes_into_the_whole() {
    let whole = BBox::new(0.0, 0.0, 100.0, 50.0);
    let part = BBox::new(80.0, 0.0, 104.0, 50.0);
    let mut kept = storage_of(&[(whole, 0.8), (part, 0.7)]);
    assert_eq!(Merge::nms(0.5).apply(&mut kept.view_mut()).joined, 0);
    let mut joined = storage_of(&[(part, 0.7), (whole, 0.8)]);
    assert_eq!(Merge::nmm(0.5).apply(&mut joined.view_mut()).joined, 1);
    let left = joined.view().detections();
    assert_eq!((left.len(), left[0].bbox, left[0].score), (1, BBox::new(0.0, 0.0, 104.0, 50.0), 0.8));
    let mut suppressed = storage_of(&[(part, 0.7), (whole, 0.8)]);
    Merge::nms(0.5).with_overlap(Overlap::Ios).apply(&mut suppressed.view_mut());
    assert_eq!(suppressed.view().detections()[0].bbox, whole);
}

#[test]
fn classes_are_merged_apart_unless_agnostic() {
    let bbox = BBox::new(0.0, 0.0, 10.0, 10.0);
    let mut storage = storage_of(&[(bbox, 0.5)]);
    storage.view_mut().push(Detection::new(bbox, 0.6, ClassId(8)));
    assert_eq!(Merge::default().apply(&mut storage.view_mut()).joined, 0);
    assert_eq!(Merge::default().agnostic().apply(&mut storage.view_mut()).joined, 1);
    assert_eq!(storage.view().detections()[0].class, ClassId(8));
}

#[test]
fn the_best_keeps_its_mask_and_cut_ones_are_counted() {
    let left = BBox::new(0.0, 0.0, 10.0, 10.0);
    let mut storage = storage_of(&[(left, 0.5), (left.translated(3.0, 0.0), 0.9)]);
    let mut out = storage.view_mut();
    for (index, bits) in [(0, [0x11]), (1, [0xf0])] {
        assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 8, height: 1 }, &bits));
    }
    let merged = Merge::default().apply(&mut out);
    assert_eq!((merged.joined, merged.masks_cut), (1, 1));
    assert_eq!(storage.view().masks().next().flatten().map(|mask| mask.bits()), Some(&[0xf0][..]));
    assert_eq!(storage.view().detections()[0].bbox, BBox::new(0.0, 0.0, 13.0, 10.0));
}

/// Two thin bars crossed at 45 degrees: their boxes before rotation are far from each other in shape, the upright
/// boxes around them are equal.
#[test]
fn oriented_boxes_are_compared_by_the_boxes_around_them() {
    let angle = |degrees: f32| Angle::from_radians(degrees.to_radians());
    let mut storage = Predictions::<2>::new();
    let bar = BBox::from_cxcywh(50.0, 50.0, 80.0, 10.0);
    for (turn, score) in [(45.0, 0.9), (-45.0, 0.8)] {
        let mut detection = Detection::new(bar, score, ClassId(0));
        detection.angle = angle(turn);
        storage.view_mut().push(detection);
    }
    assert_eq!(Merge::default().apply(&mut storage.view_mut()).joined, 1);
    let left = storage.view().detections()[0];
    assert_eq!((left.bbox, left.angle), (bar, angle(45.0)));
}

/// Scores that a cell gives: the product of objectness and class; the box from cell, offset and logarithms.
#[test]
fn a_cell_becomes_the_box_of_the_paper() {
    let head = yolox::Head::new(InputSize::new(32, 16), &[16], 2);
    let mut raw = vec![0.0; head.output_len()];
    // Second cell: centre (1 + 0.5, 0 + 0.25) * 16, size (e^0, e^ln 2) * 16.
    raw[7..].copy_from_slice(&[0.5, 0.25, 0.0, 2.0f32.ln(), 0.8, 0.5, 0.25]);
    let decode = |labels| {
        let mut slots = [Candidate::EMPTY; 4];
        let mut candidates = Candidates::new(&mut slots);
        head.decode(&raw, &DecodeOptions::new(0.1).with_labels(labels), &mut candidates).unwrap();
        candidates.as_slice().to_vec()
    };
    let best = decode(LabelMode::Best);
    assert_eq!(best.len(), 1);
    assert_eq!((best[0].score, best[0].class), (0.4, ClassId(0)));
    let expected = BBox::from_cxcywh(24.0, 4.0, 16.0, 32.0);
    for (got, want) in best[0].bbox.xyxy().into_iter().zip(expected.xyxy()) {
        assert!((got - want).abs() < 1e-4);
    }
    assert_eq!(decode(LabelMode::Multi).iter().map(|c| c.score).collect::<Vec<_>>(), [0.4, 0.2]);
}

/// Any float at all, with those that break things more often than by chance.
fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<u32>().prop_map(f32::from_bits),
        -100.0f32..100.0,
        0.0f32..=1.0,
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::MAX),
    ]
}

fn any_activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![Activation::None, Activation::Sigmoid, Activation::Softmax])
}

proptest! {
    /// Whatever a network says: no panic, and what comes out are valid boxes with scores and masks within the image.
    #[test]
    fn any_floats_give_valid_results(
        values in prop::collection::vec(any_float(), 9 * 9),
        prototypes in prop::collection::vec(any_float(), 2 * 4 * 4),
        activation in any_activation(),
        background in prop::sample::select(vec![Background::None, Background::First, Background::Last]),
        format in prop::sample::select(vec![BoxFormat::CenterSize, BoxFormat::Corners, BoxFormat::CornersYx]),
        multi in any::<bool>(),
        labelled in any::<bool>(),
        turned in any::<bool>(),
        conf in 0.0f32..=1.0,
    ) {
        let rows = Matrix::new(&values, 9, 9).unwrap();
        let rows = if turned { rows.transposed() } else { rows };
        let classes = rows.columns_at(4, 3);
        let scores = if labelled {
            Scores::Labelled { scores: rows.columns_at(4, 1), labels: rows.columns_at(5, 1), first: 1 }
        } else {
            Scores::Classes { values: classes, objectness: Some(rows.columns_at(8, 1)), activation, background }
        };
        let options =
            DecodeOptions::new(conf).with_labels(if multi { LabelMode::Multi } else { LabelMode::Best });
        let mut slots = [Candidate::EMPTY; 6];
        let mut candidates = Candidates::new(&mut slots);
        Boxes::pixels(rows.columns_at(0, 4), format).decode(&scores, &options, &mut candidates).unwrap();
        let box_of = |candidate: &Candidate| OrientedBox {
            bbox: candidate.bbox,
            angle: rows.at(candidate.row as usize, 8),
        };
        Nms::new(0.5).suppress_by(&mut candidates, |a, b| box_of(a).iou(&box_of(b)));
        let prototypes = Prototypes::new(&prototypes, 2, (4, 4)).unwrap();
        let mut scratch = [0.0; 16];
        let mut storage = Predictions::<5, 400, 20>::new();
        candidates.push_with(
            &mut storage.view_mut(),
            |candidate| {
                let angle = Angle::from_radians(rows.at(candidate.row as usize, 8));
                let bbox = candidate.bbox.clipped(50.0, 40.0);
                let mut detection = Detection::new(bbox, candidate.score, candidate.class);
                detection.angle = angle;
                Some(detection)
            },
            |candidate, index, out| {
                let row = candidate.row as usize;
                let bbox = out.detections()[index].bbox;
                let field = prototypes
                    .mask(rows.columns_at(7, 2).row(row), &candidate.bbox, [64.0; 2], &mut scratch)
                    .unwrap();
                field.set_mask(out, index, &bbox, 0.0, |x, y| (x, y));
                out.set_keypoints_from(index, KeypointLayout::PIXELS.row(rows, row));
            },
        );
        let results = storage.view();
        for detection in results.detections() {
            prop_assert!(detection.is_valid() && detection.score >= conf);
            if let Some(mask) = results.mask(detection) {
                prop_assert!(mask.x() + mask.width() <= 50 && mask.y() + mask.height() <= 40);
            }
            prop_assert!(results.keypoints_of(detection).iter().all(|point| point.x.is_finite()));
        }
    }

    #[test]
    fn any_floats_give_valid_distances(
        scores in prop::collection::vec(any_float(), 16),
        edges in prop::collection::vec(any_float(), 16 * 8),
        unit in prop::sample::select(vec![distances::Unit::Strides, distances::Unit::Pixels]),
        stride in prop::sample::select(vec![0u16, 8, 16, 32]),
    ) {
        let head = distances::Head { input: InputSize::square(32), unit, offset: 0.5 };
        let level = distances::Level {
            stride,
            scores: Scores::ready(Matrix::new(&scores, 16, 1).unwrap()),
            distances: Matrix::new(&edges, 16, 8).unwrap(),
        };
        let mut slots = [Candidate::EMPTY; 6];
        let mut candidates = Candidates::new(&mut slots);
        let decoded = head.decode(&level, &DecodeOptions::new(0.0), &mut candidates);
        prop_assert_eq!(decoded.is_ok(), stride == 8);
        prop_assert!(candidates.as_slice().iter().all(|candidate| candidate.bbox.is_valid()));
    }

    #[test]
    fn any_floats_give_valid_maps_and_poses(
        values in prop::collection::vec(any_float(), 3 * 4 * 5),
        activation in any_activation(),
    ) {
        let (mut labels, mut nearest) = ([0; 20], [0; 20]);
        let maps = [
            ClassMap::from_scores(&values, 3, (5, 4), [40.0, 32.0], activation, &mut labels).unwrap(),
            ClassMap::from_labels(&values[..20], (5, 4), [40.0, 32.0], &mut nearest).unwrap(),
        ];
        for map in maps {
            let mut storage = Predictions::<4, 600>::new();
            let to_view = |bbox: BBox| bbox.clipped(40.0, 32.0);
            map.push_into(
                &mut storage.view_mut(), &DecodeOptions::new(0.0), Some(ClassId(0)), to_view, |x, y| (x, y),
            );
            let results = storage.view();
            prop_assert!(results.detections().iter().all(|found| found.is_valid() && found.class.0 > 0));
            prop_assert!(results.masks().flatten().all(|mask| mask.area() > 0));
        }
        let pose = keypoints::heatmaps(&values, (5, 4), [4.0; 2]).unwrap();
        if let Some((bbox, score)) = keypoints::object(pose, 0.5) {
            prop_assert!(bbox.is_valid() && (0.0..=1.0).contains(&score));
        }
        let (x, y) = (Matrix::new(&values, 6, 10).unwrap(), Matrix::new(&values[..18], 6, 3).unwrap());
        prop_assert!(keypoints::simcc(x, y, 2.0).unwrap().all(|point| point.x.is_finite() && point.y.is_finite()));
        // Between tame numbers there are tame numbers, wherever one looks.
        let tame: Vec<_> = values.iter().map(|value| if value.is_finite() { value.clamp(-9.0, 9.0) } else { 0.0 }).collect();
        let field = Field::new(&tame, (10, 6), BBox::new(0.0, 0.0, 40.0, 32.0)).unwrap();
        for &value in &values {
            let between = field.at(value, -value);
            prop_assert!(between.is_nan() && value.abs() > 1e6 || between.is_nan() && value.is_nan() || (-9.1..=9.1).contains(&between));
        }
    }
}
