use super::*;
use crate::{BBox, ClassId};
use proptest::prelude::*;
use std::vec::Vec;

fn detection(score: f32) -> Detection {
    Detection::new(BBox::new(0.0, 0.0, 4.0, 4.0), score, ClassId(1))
}

#[test]
fn a_full_storage_keeps_the_best_and_counts_the_rest() {
    let mut storage = Predictions::<2>::new();
    let mut out = storage.view_mut();
    assert_eq!(out.push(detection(0.5)), Some(0));
    assert_eq!(out.push(detection(0.2)), Some(1));
    assert_eq!(out.push(detection(0.1)), None);
    assert_eq!(out.push(detection(0.9)), Some(1));
    assert_eq!(out.losses().detections, 2);
    assert_eq!(storage.view().scores().collect::<Vec<_>>(), [0.5, 0.9]);
}

#[test]
fn non_finite_numbers_are_stopped_at_the_door() {
    let mut storage = Predictions::<4, 0, 4>::new();
    let mut out = storage.view_mut();
    for score in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
        assert_eq!(out.push(detection(score)), None);
    }
    let mut broken = detection(0.5);
    broken.bbox.y2 = f32::NAN;
    assert_eq!(out.push(broken), None);
    assert_eq!(out.losses().invalid, 5);
    assert!(out.is_empty());

    let index = out.push(detection(0.5)).unwrap();
    assert!(out.set_keypoints(index, &[Keypoint { x: f32::NAN, y: 1.0, score: 1.0 }]));
    assert_eq!(storage.view().keypoints().next().unwrap(), [Keypoint::default()]);
}

/// Four tiles into a storage of two: a replaced detection lies in an old slot, but in its own tile's pixels.
#[test]
fn what_is_pushed_in_a_tile_lands_in_the_frame() {
    let mut storage = Predictions::<2, 8, 2>::new();
    let mut out = storage.view_mut();
    for (tile, score) in [(0u16, 0.3), (100, 0.2), (200, 0.8), (300, 0.7)] {
        let mut tile = out.offset(tile, tile / 2);
        let Some(index) = tile.push(detection(score)) else { continue };
        tile.set_keypoints(index, &[Keypoint { x: 1.0, y: 1.0, score: 1.0 }]);
        tile.set_mask(index, MaskRect { x: 1, y: 2, width: 3, height: 1 }, &[0b1010_0000]);
    }
    let view = storage.view();
    let corners: Vec<_> = view.boxes().map(|b| (b.x1, b.y1)).collect();
    assert_eq!(corners, [(300.0, 150.0), (200.0, 100.0)]);
    assert_eq!(view.keypoints().next().unwrap()[0].x, 301.0);
    let mask = view.masks().next().unwrap().unwrap();
    assert_eq!((mask.x(), mask.y(), mask.area()), (301, 152, 2));
    assert!(mask.contains(301, 152) && !mask.contains(302, 152) && mask.contains(303, 152));
}

#[test]
fn a_mask_from_a_rule_is_that_of_its_bits() {
    let mut storage = Predictions::<2, 128>::new();
    let mut out = storage.view_mut();
    let rect = MaskRect { x: 1, y: 2, width: 11, height: 3 };
    let rule = |x: u16, y: u16| (x + 2 * y).is_multiple_of(3);
    let mut bits = [0u8; 6];
    for (y, x) in (0..3u16).flat_map(|y| (0..11u16).map(move |x| (y, x))) {
        bits[usize::from(y * 2 + x / 8)] |= u8::from(rule(x, y)) << (7 - x % 8);
    }
    for (x, y) in [(1.0, 1.0), (2.0, 0.5)] {
        out.clear();
        let mut part = out.scaled(x, y);
        let mut part = part.offset(3, 4);
        for _ in 0..2 {
            part.push(detection(0.5));
        }
        assert!(part.set_mask(0, rect, &bits) && part.set_mask_with(1, rect, rule));
        let masks: Vec<_> = out.as_view().masks().flatten().collect();
        assert!(masks[0].area() > 0);
        assert_eq!((masks[0].x(), masks[0].bits()), (masks[1].x(), masks[1].bits()));
    }
}

#[test]
fn a_mask_without_room_leaves_the_box() {
    let mut storage = Predictions::<2, 4>::new();
    let mut out = storage.view_mut();
    let index = out.push(detection(0.5)).unwrap();
    assert!(!out.set_mask(index, MaskRect { x: 0, y: 0, width: 8, height: 5 }, &[0xff; 5]));
    assert_eq!(out.losses().masks, 1);
    assert_eq!(out.len(), 1);
    assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 8, height: 4 }, &[0xff; 4]));
    // Replacing a mask needs no second room.
    assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 4, height: 4 }, &[0xf0; 4]));
    assert_eq!(storage.view().masks().next().unwrap().unwrap().area(), 16);
}

#[test]
fn losses_of_the_sender_add_up_with_our_own() {
    let mut storage = Predictions::<1, 0, 1>::new();
    let mut out = storage.view_mut();
    let index = out.push(detection(0.5)).unwrap();
    assert!(!out.set_keypoints_from(index, [Keypoint::default(); 2].into_iter()));
    out.count_losses(Losses { detections: 3, masks: 2, keypoints: 1, invalid: u32::MAX });
    out.count_invalid(1);
    assert_eq!(out.losses(), Losses { detections: 3, masks: 2, keypoints: 2, invalid: u32::MAX });
}

#[test]
fn mask_iou_of_known_shapes() {
    let mut storage = Predictions::<2, 64>::new();
    let mut out = storage.view_mut();
    for x in [0u16, 4] {
        let index = out.push(detection(0.5)).unwrap();
        // Padding bits are set on purpose: they must not count.
        assert!(out.set_mask(index, MaskRect { x, y: 0, width: 10, height: 2 }, &[0xff; 4]));
    }
    let masks: Vec<_> = storage.view().masks().flatten().collect();
    assert_eq!((masks[0].area(), masks[0].intersection(&masks[1])), (20, 12));
    assert!((masks[0].iou(&masks[1]) - 12.0 / 28.0).abs() < 1e-6);
}

proptest! {
    /// Whatever is pushed, replaced, removed and compacted: every surviving detection keeps its own mask and
    /// keypoints, and the storage holds the best scores.
    #[test]
    fn arenas_never_mix_up_detections(
        steps in prop::collection::vec((0.0f32..=1.0, 1u16..12, 1u16..4, 0u8..8), 1..120),
    ) {
        let mut storage = Predictions::<6, 40, 24>::new();
        let mut out = storage.view_mut();
        for (number, (score, width, height, action)) in steps.into_iter().enumerate() {
            let tag = (number % 251) as u8;
            let class = ClassId(u16::from(tag));
            let fresh = Detection { class, ..detection(score) };
            if let Some(index) = out.push(fresh) {
                let rect = MaskRect { x: 0, y: 0, width, height };
                out.set_mask(index, rect, &[tag; 16]);
                let keypoint = Keypoint { x: f32::from(tag), y: 0.0, score: 1.0 };
                out.set_keypoints(index, &[keypoint; 5][..usize::from(width.min(5))]);
            }
            if action == 0 {
                out.retain(|kept| kept.score > 0.3);
            }
            if action == 1 {
                out.sort_by_score();
            }
            let view = out.as_view();
            for kept in view.detections() {
                let tag = kept.class.0 as u8;
                if let Some(mask) = view.mask(kept) {
                    prop_assert!(mask.bits().iter().all(|&byte| byte == tag));
                }
                prop_assert!(view.keypoints_of(kept).iter().all(|k| k.x == f32::from(tag)));
            }
        }
    }

    #[test]
    fn the_best_n_survive(scores in prop::collection::vec(0.0f32..=1.0, 0..60)) {
        let mut storage = Predictions::<8>::new();
        let mut out = storage.view_mut();
        for &score in &scores {
            out.push(detection(score));
        }
        let mut best = scores.clone();
        best.sort_by(|a, b| b.total_cmp(a));
        best.truncate(8);
        out.sort_by_score();
        prop_assert_eq!(out.losses().detections as usize, scores.len().saturating_sub(8));
        prop_assert_eq!(storage.view().scores().collect::<Vec<_>>(), best);
    }
}
