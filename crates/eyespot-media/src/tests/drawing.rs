//! What is drawn, pixel by pixel, and that nothing panics.

use eyespot_core::{BBox, ClassId, Detection, Keypoint, MaskRect, PredictionsBuf, PredictionsStorage};
use proptest::prelude::*;

use super::detection;
use crate::{Canvas, ColorBy, DrawOptions, Trails, color_of, draw};

const LABELS: [&str; 2] = ["person", "fußgänger"];

fn one(detection: Detection) -> PredictionsBuf {
    let mut storage = PredictionsBuf::new(8, 4096, 32);
    storage.view_mut().push(detection).unwrap();
    storage
}

fn options() -> DrawOptions {
    DrawOptions { thickness: Some(2), fill_rectangles: false, ..DrawOptions::default() }
}

fn count(canvas: &Canvas, color: [u8; 3]) -> usize {
    canvas.pixels().iter().filter(|&&pixel| pixel == color).count()
}

#[test]
fn a_box_is_outlined_and_filled() {
    let storage = one(Detection::new(BBox::new(10.0, 20.0, 50.0, 40.0), 0.9, ClassId(0)));
    let mut canvas = Canvas::new(100, 80);
    draw(&mut canvas, storage.view(), &LABELS, &[], &options());
    // Two pixels wide, one of them outside: 42 x 22 around 38 x 18.
    assert_eq!(count(&canvas, color_of(0)), 42 * 22 - 38 * 18);
    let at = |canvas: &Canvas, x: usize, y: usize| canvas.pixels()[y * 100 + x];
    assert_eq!(at(&canvas, 9, 19), color_of(0));
    assert_eq!(at(&canvas, 30, 30), [0; 3]);

    let filled = DrawOptions { fill_rectangles: true, color: Some([200, 100, 50]), ..options() };
    draw(&mut canvas, storage.view(), &LABELS, &[], &filled);
    assert_eq!(at(&canvas, 30, 30), [100, 50, 25]);
    assert_eq!(at(&canvas, 9, 19), [200, 100, 50]);
}

#[test]
fn masks_angles_keypoints_and_tags_leave_their_marks() {
    let mut storage = one(Detection::new(BBox::new(20.0, 20.0, 60.0, 60.0), 0.87, ClassId(0)));
    let rect = MaskRect { x: 30, y: 30, width: 10, height: 2 };
    storage.view_mut().set_mask(0, rect, &[0b1111_0000, 0b0100_0000, 0xff, 0xc0]);
    let mut canvas = Canvas::new(200, 100);
    draw(&mut canvas, storage.view(), &LABELS, &[], &DrawOptions { opacity: 1.0, ..options() });
    let frame = 42 * 42 - 38 * 38;
    assert_eq!(count(&canvas, color_of(0)), frame + 4 + 1 + 10);

    let points = [(25.0, 50.0, 0.9), (55.0, 50.0, 0.9), (40.0, 25.0, 0.1)];
    let points = points.map(|(x, y, score)| Keypoint { x, y, score });
    storage.view_mut().set_keypoints(0, &points);
    draw(&mut canvas, storage.view(), &LABELS, &[(0, 1), (1, 2), (0, 9)], &options());
    let pixel = |x: usize, y: usize| canvas.pixels()[y * 200 + x];
    assert_eq!(pixel(40, 50), color_of(0));
    assert_eq!(pixel(40, 40), [0; 3], "a keypoint with a low score is not drawn");

    let turned = detection(BBox::new(80.0, 40.0, 120.0, 60.0), 0.5, 1, 0, Some(std::f32::consts::FRAC_PI_4));
    let mut canvas = Canvas::new(200, 100);
    let filled = DrawOptions { fill_rectangles: true, opacity: 1.0, ..options() };
    draw(&mut canvas, one(turned).view(), &LABELS, &[], &filled);
    let area = count(&canvas, color_of(1)) as f32;
    // 800 square pixels, and up to half of a border of 120 pixels' length: its smooth edge has mixed colours.
    assert!((790.0..=920.0).contains(&area), "{area}");
    let pixel = |x: usize, y: usize| canvas.pixels()[y * 200 + x];
    // Clockwise on screen: the right end points down.
    assert_ne!(pixel(112, 62), [0; 3]);
    assert_eq!(pixel(112, 38), [0; 3]);

    let tracked = detection(BBox::new(20.0, 60.0, 60.0, 90.0), 0.87, 0, 12, None);
    let mut canvas = Canvas::new(200, 100);
    let tags = DrawOptions { draw_tags: true, color_by: ColorBy::Track, ..options() };
    draw(&mut canvas, one(tracked).view(), &LABELS, &[], &tags);
    let plate = count(&canvas, color_of(12));
    assert!(plate > 1000, "a plate of the track's colour: {plate}");
}

#[test]
fn trails_follow_tracks_and_forget_them() {
    let mut trails = Trails::new(3);
    let options = options();
    for step in 0..5 {
        let left = 10.0 * step as f32;
        let bbox = BBox::new(left, 40.0, left + 10.0, 60.0);
        let tracked = detection(bbox, 0.9, 0, 1, None);
        trails.update(one(tracked).view(), &options);
    }
    let mut canvas = Canvas::new(100, 100);
    trails.draw(&mut canvas, &options);
    let row: Vec<_> = canvas.pixels()[50 * 100..51 * 100].iter().map(|&pixel| pixel != [0; 3]).collect();
    // The last three centres: 25, 35, 45.
    assert!(row[25..45].iter().all(|&set| set) && !row[20] && !row[50]);
    let nothing = PredictionsBuf::new(1, 0, 0);
    for _ in 0..3 {
        trails.update(nothing.view(), &options);
    }
    let mut canvas = Canvas::new(100, 100);
    trails.draw(&mut canvas, &options);
    assert_eq!(count(&canvas, [0; 3]), 100 * 100);
}

fn wild() -> impl Strategy<Value = f32> {
    prop_oneof![-50.0f32..300.0, -1e9f32..1e9, any::<f32>()]
}

proptest! {
    #[test]
    fn nothing_panics_anywhere(
        size in (0u16..90, 0u16..70),
        boxes in proptest::collection::vec((wild(), wild(), wild(), wild(), proptest::option::of(wild())), 0..6),
        points in proptest::collection::vec((wild(), wild()), 0..4),
        mask in (any::<u16>(), any::<u16>(), 1u16..40, 1u16..40),
        thickness in proptest::option::of(any::<u16>()),
        opacity in wild(),
    ) {
        let mut storage = PredictionsBuf::new(8, 4096, 32);
        let mut out = storage.view_mut();
        for (number, (x1, y1, x2, y2, angle)) in boxes.into_iter().enumerate() {
            let bbox = BBox::new(x1, y1, x2, y2);
            let detection = detection(bbox, 0.5, number as u16, number as u32, angle);
            if let Some(index) = out.push(detection) {
                let points: Vec<_> = points.iter().map(|&(x, y)| Keypoint { x, y, score: 1.0 }).collect();
                out.set_keypoints(index, &points);
                let (x, y, width, height) = mask;
                out.set_mask(index, MaskRect { x, y, width, height }, &[0xa5; 200]);
            }
        }
        let mut canvas = Canvas::new(size.0, size.1);
        let options = DrawOptions { thickness, opacity, draw_tags: true, ..DrawOptions::default() };
        let mut trails = Trails::new(4);
        trails.update(storage.view(), &options);
        trails.update(storage.view(), &options);
        trails.draw(&mut canvas, &options);
        draw(&mut canvas, storage.view(), &LABELS, &[(0, 1), (1, 255)], &options);
        prop_assert_eq!(canvas.pixels().len(), usize::from(size.0) * usize::from(size.1));
    }
}
