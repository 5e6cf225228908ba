//! Every head against an independent decoder: `scripts/heads_golden.py` makes up the outputs and decodes them in NumPy.

#![allow(clippy::unwrap_used)]

use eyespot_core::{
    Angle, BBox, ClassId, ClassSet, Detection, InputSize, Keypoint, Predictions, PredictionsRef,
    PredictionsStorage,
};
use eyespot_decode::{
    Activation, Background, BoxFormat, Boxes, Candidate, Candidates, ClassMap, DecodeOptions, Field,
    KeypointLayout, LabelMode, Matrix, Nms, OrientedBox, Placed, Prototypes, Queries, Scores, distances,
    keypoints,
};
use eyespot_image::{Fit, Letterbox};
use serde_json::Value;

const INPUT: f32 = 64.0;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/heads.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn options() -> DecodeOptions<'static> {
    DecodeOptions::new(0.3)
}

fn letterbox() -> Letterbox {
    Letterbox::new(InputSize::new(100, 80), InputSize::square(64), Fit::Center).unwrap()
}

fn close(actual: f32, expected: f64, tolerance: f64) {
    assert!((f64::from(actual) - expected).abs() <= tolerance, "{actual} instead of {expected}");
}

fn all_close(actual: &[f32], expected: &Value, tolerance: f64) {
    let expected = expected.as_array().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (&actual, expected) in actual.iter().zip(expected) {
        close(actual, expected.as_f64().unwrap(), tolerance);
    }
}

fn check(candidates: &Candidates<'_>, case: &Value) {
    let expected = case["detections"].as_array().unwrap();
    assert!(expected.len() > 3);
    assert_eq!((candidates.len(), candidates.invalid()), (expected.len(), 0));
    for (candidate, expected) in candidates.as_slice().iter().zip(expected) {
        assert_eq!(u64::from(candidate.class.0), expected["class"].as_u64().unwrap());
        close(candidate.score, expected["score"].as_f64().unwrap(), 1e-5);
        all_close(&candidate.bbox.xyxy(), &expected["box"], 1e-3);
    }
}

fn with_candidates(run: impl FnOnce(&mut Candidates<'_>)) {
    let mut slots = [Candidate::EMPTY; 256];
    run(&mut Candidates::new(&mut slots));
}

fn points(keypoints: impl Iterator<Item = Keypoint>) -> Vec<f32> {
    keypoints.flat_map(|keypoint| [keypoint.x, keypoint.y, keypoint.score]).collect()
}

/// The masks of results against packed bits of the whole image, all but `off` pixels of each.
fn check_masks(results: PredictionsRef<'_>, case: &Value, off: usize) {
    let expected = case["detections"].as_array().unwrap();
    assert_eq!(results.len(), expected.len());
    for (mask, expected) in results.masks().zip(expected) {
        let mask = mask.unwrap();
        let hex = expected["mask"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        let is_set = |x: u16, y: u16| byte(usize::from(y) * 13 + usize::from(x / 8)) << (x % 8) & 0x80 != 0;
        let pixels = (0..80u16).flat_map(|y| (0..100u16).map(move |x| (x, y)));
        let wrong = pixels.filter(|&(x, y)| mask.contains(x, y) != is_set(x, y)).count();
        assert!(wrong <= off, "{wrong} of {} pixels", mask.area());
    }
    let area: u32 = results.masks().flatten().map(|mask| mask.area()).sum();
    assert!(area > 1000, "{area}");
}

#[test]
fn rows_with_prototype_masks() {
    let golden = golden();
    let case = &golden["yolo_masks"];
    let values = numbers(&case["values"]);
    let prototypes = numbers(&case["prototypes"]);
    let rows = Matrix::new(&values, 4 + 3 + 4, 40).unwrap().transposed();
    let boxes = Boxes::pixels(rows.columns_at(0, 4), BoxFormat::CenterSize);
    let coefficients = rows.columns_at(7, 4);
    let prototypes = Prototypes::new(&prototypes, 4, (16, 16)).unwrap();
    let letterbox = letterbox();
    with_candidates(|candidates| {
        boxes.decode(&Scores::ready(rows.columns_at(4, 3)), &options(), candidates).unwrap();
        Nms::new(0.5).suppress(candidates);
        check(candidates, case);
        let mut results = Predictions::<64, 65_536>::new();
        let mut scratch = vec![f32::NAN; prototypes.scratch_len()];
        candidates.push_with(
            &mut results.view_mut(),
            |candidate| {
                let bbox = letterbox.to_source_clipped(candidate.bbox);
                Some(Detection::new(bbox, candidate.score, candidate.class))
            },
            |candidate, index, out| {
                let bbox = out.detections()[index].bbox;
                let field = prototypes
                    .mask(coefficients.row(candidate.row as usize), &candidate.bbox, [INPUT; 2], &mut scratch)
                    .unwrap();
                assert!(field.set_mask(out, index, &bbox, 0.0, |x, y| letterbox.point_to_target(x, y)));
            },
        );
        // A pixel may sit on the edge of a box or on a logit of 0.
        check_masks(results.view(), case, 1);
        for (bbox, expected) in results.view().boxes().zip(case["detections"].as_array().unwrap()) {
            all_close(&bbox.xyxy(), &expected["view"], 1e-3);
        }
    });
}

#[test]
fn rows_with_keypoints() {
    let golden = golden();
    let case = &golden["yolo_keypoints"];
    let values = numbers(&case["values"]);
    let rows = Matrix::new(&values, 4 + 1 + 15, 40).unwrap().transposed();
    let boxes = Boxes::pixels(rows.columns_at(0, 4), BoxFormat::CenterSize);
    with_candidates(|candidates| {
        boxes.decode(&Scores::ready(rows.columns_at(4, 1)), &options(), candidates).unwrap();
        Nms::new(0.5).suppress(candidates);
        check(candidates, case);
        for (candidate, expected) in candidates.as_slice().iter().zip(case["detections"].as_array().unwrap())
        {
            let found = KeypointLayout::PIXELS.row(rows.columns_at(5, 15), candidate.row as usize);
            all_close(&points(found), &expected["keypoints"], 1e-4);
        }
    });
}

#[test]
fn rows_with_objectness() {
    let golden = golden();
    let case = &golden["yolo_objectness"];
    let values = numbers(&case["values"]);
    let rows = Matrix::new(&values, 40, 8).unwrap();
    let scores = Scores::Classes {
        values: rows.columns_at(5, 3),
        objectness: Some(rows.columns_at(4, 1)),
        activation: Activation::None,
        background: Background::None,
    };
    with_candidates(|candidates| {
        let boxes = Boxes::pixels(rows.columns_at(0, 4), BoxFormat::CenterSize);
        boxes.decode(&scores, &options(), candidates).unwrap();
        Nms::new(0.5).suppress(candidates);
        check(candidates, case);
    });
}

#[test]
fn oriented_boxes() {
    let golden = golden();
    let case = &golden["oriented"];
    let values = numbers(&case["values"]);
    let rows = Matrix::new(&values, 4 + 3 + 1, 40).unwrap().transposed();
    with_candidates(|candidates| {
        let boxes = Boxes::pixels(rows.columns_at(0, 4), BoxFormat::CenterSize);
        boxes.decode(&Scores::ready(rows.columns_at(4, 3)), &options(), candidates).unwrap();
        let angle = |candidate: &Candidate| rows.at(candidate.row as usize, 7);
        let turned = |candidate: &Candidate| OrientedBox { bbox: candidate.bbox, angle: angle(candidate) };
        Nms::new(0.5).suppress_by(candidates, |a, b| turned(a).iou(&turned(b)));
        check(candidates, case);
        for (candidate, expected) in candidates.as_slice().iter().zip(case["detections"].as_array().unwrap())
        {
            let stored = Angle::from_radians(angle(candidate)).unwrap();
            close(stored.radians(), expected["angle"].as_f64().unwrap(), 1e-4);
        }
    });
}

#[test]
fn queries_of_transformers() {
    let golden = golden();
    for (name, activation, background) in
        [("detr", Activation::Softmax, Background::Last), ("rt_detr", Activation::Sigmoid, Background::None)]
    {
        let case = &golden[name];
        let (boxes, logits) = (numbers(&case["boxes"]), numbers(&case["logits"]));
        let boxes = Boxes {
            values: Matrix::new(&boxes, 20, 4).unwrap(),
            format: BoxFormat::CenterSize,
            scale: [INPUT; 2],
        };
        let values = Matrix::new(&logits, 20, 4).unwrap();
        let scores = Scores::Classes { values, objectness: None, activation, background };
        with_candidates(|candidates| {
            boxes.decode(&scores, &options(), candidates).unwrap();
            // Suppresses nothing, but sorts.
            Nms::new(1.0).suppress(candidates);
            check(candidates, case);
        });
    }
}

#[test]
fn distances_from_the_cells_of_grids() {
    let golden = golden();
    let input = InputSize::square(64);
    for (name, unit, offset, activation, columns) in [
        ("nanodet", distances::Unit::Strides, 0.5, Activation::None, 32),
        ("rtmdet", distances::Unit::Pixels, 0.0, Activation::Sigmoid, 4),
    ] {
        let case = &golden[name];
        let head = distances::Head { input, unit, offset };
        with_candidates(|candidates| {
            for level in case["levels"].as_array().unwrap() {
                let (scores, edges) = (numbers(&level["scores"]), numbers(&level["distances"]));
                let stride = level["stride"].as_u64().unwrap() as u16;
                let (width, height) = head.grid(stride);
                let values = Matrix::new(&scores, width * height, 3).unwrap();
                let level = distances::Level {
                    stride,
                    scores: Scores::Classes {
                        values,
                        objectness: None,
                        activation,
                        background: Background::None,
                    },
                    distances: Matrix::new(&edges, width * height, columns).unwrap(),
                };
                head.decode(&level, &options(), candidates).unwrap();
            }
            Nms::new(0.5).suppress(candidates);
            check(candidates, case);
        });
    }
}

#[test]
fn suppressed_in_the_graph() {
    let golden = golden();
    let case = &golden["ssd"];
    let (boxes, scores, labels) =
        (numbers(&case["boxes"]), numbers(&case["scores"]), numbers(&case["labels"]));
    let boxes = Boxes {
        values: Matrix::new(&boxes, 10, 4).unwrap(),
        format: BoxFormat::CornersYx,
        scale: [INPUT; 2],
    };
    let column = |values| Matrix::new(values, 10, 1).unwrap();
    let scores = Scores::Labelled { scores: column(&scores), labels: column(&labels), first: 1 };
    with_candidates(|candidates| {
        boxes.decode(&scores, &options(), candidates).unwrap();
        check(candidates, case);
    });
}

#[test]
fn a_class_for_each_pixel() {
    let golden = golden();
    let case = &golden["semantic"];
    let values = numbers(&case["values"]);
    let letterbox = letterbox();
    let mut labels = [0; 64];
    let map =
        ClassMap::from_scores(&values, 4, (8, 8), [INPUT; 2], Activation::Softmax, &mut labels).unwrap();
    let mut results = Predictions::<8, 16_384>::new();
    map.push_into(
        &mut results.view_mut(),
        &DecodeOptions::new(0.0),
        Some(ClassId(0)),
        |bbox| letterbox.to_source_clipped(bbox),
        |x, y| letterbox.point_to_target(x, y),
    );
    let results = results.view();
    assert!(results.losses().is_none());
    check_masks(results, case, 1);
    for (found, expected) in results.detections().iter().zip(case["detections"].as_array().unwrap()) {
        assert_eq!(u64::from(found.class.0), expected["class"].as_u64().unwrap());
        close(found.score, expected["score"].as_f64().unwrap(), 1e-5);
        all_close(&found.bbox.xyxy(), &expected["view"], 0.0);
    }
}

/// Against fields that are read twice, over the input and over the image. `models/eomt` compares with Hugging Face.
#[test]
fn queries_with_masks() {
    const CELLS: usize = 8;
    let letterbox = letterbox();
    let placed = Placed {
        input: letterbox.target(),
        origin: letterbox.origin(),
        resized: letterbox.resized(),
        source: letterbox.source(),
    };
    assert!(placed.origin.1 > 0);
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let maps: Vec<f32> = (0..3 * CELLS * CELLS).map(|_| noise() * 4.0).collect();
    // The second query is no object; the third has the class 0, and with that left out the class 1.
    let classes = [0.0, 3.0, 0.0, 0.0, 0.0, 9.0, 2.0, 1.0, 0.0];
    let queries = Queries::new(&maps, (CELLS, CELLS), Matrix::new(&classes, 3, 3).unwrap()).unwrap();
    let mut scratch = vec![0.0; queries.scratch_len(&placed)];
    let mut results = Predictions::<4, 4096>::new();
    with_candidates(|candidates| {
        queries.decode(&placed, &options(), &mut scratch, candidates).unwrap();
        queries.push_into(&placed, candidates, &mut scratch, &mut results.view_mut()).unwrap();
    });
    let results = results.view();
    assert_eq!((results.len(), results.losses().is_none()), (2, true));
    let whole = BBox::new(0.0, 0.0, INPUT, INPUT);
    for ((found, mask), (query, class)) in
        results.detections().iter().zip(results.masks()).zip([(0, 1), (2, 0)])
    {
        let mask = mask.unwrap();
        let map = &maps[query * CELLS * CELLS..][..CELLS * CELLS];
        let map = Field::new(map, (CELLS, CELLS), whole).unwrap();
        let (width, height) = (placed.resized.width, placed.resized.height);
        let (left, top) = (f32::from(placed.origin.0), f32::from(placed.origin.1));
        let rows = (0..height).map(|y| f32::from(y) + top + 0.5);
        let pixels = rows.flat_map(|y| (0..width).map(move |x| (f32::from(x) + left + 0.5, y)));
        let pixels: Vec<f32> = pixels.map(|(x, y)| map.at(x, y)).collect();
        let image = BBox::new(0.0, 0.0, 100.0, 80.0);
        let image = Field::new(&pixels, (width.into(), height.into()), image).unwrap();
        let (mut sum, mut count) = (0.0, 0.0);
        for (x, y) in (0..80u16).flat_map(|y| (0..100u16).map(move |x| (x, y))) {
            let logit = image.at(f32::from(x) + 0.5, f32::from(y) + 0.5);
            assert!(logit.abs() < 1e-4 || mask.contains(x, y) == (logit > 0.0), "{x} {y}: {logit}");
            if logit > 0.0 {
                sum += f64::from(1.0 / (1.0 + (-logit).exp()));
                count += 1.0;
            }
        }
        assert!(count > 500.0);
        assert_eq!(found.class, ClassId(class));
        let row = &classes[query * 3..][..3];
        let exponentials: f32 = row.iter().map(|logit| logit.exp()).sum();
        close(found.score, f64::from(row[usize::from(class)].exp() / exponentials) * sum / count, 1e-5);
    }
    let mut wanted: ClassSet = ClassSet::new();
    wanted.insert(ClassId(1)).unwrap();
    with_candidates(|candidates| {
        let options = DecodeOptions { classes: wanted.as_filter(), ..DecodeOptions::new(0.0) };
        queries.decode(&placed, &options, &mut scratch, candidates).unwrap();
        assert!(candidates.len() == 3 && candidates.as_slice().iter().all(|found| found.class == ClassId(1)));
        assert!(queries.decode(&placed, &options, &mut [0.0; 4], candidates).is_err());
    });
}

#[test]
fn a_map_of_labels_gives_the_nearest() {
    // Two by two cells of 32 pixels; the upper right one is broken.
    let mut labels = [0; 4];
    let map = ClassMap::from_labels(&[1.0, f32::NAN, 2.0, 1.0], (2, 2), [INPUT; 2], &mut labels).unwrap();
    let mut results = Predictions::<4, 2048>::new();
    map.push_into(
        &mut results.view_mut(),
        &DecodeOptions::new(0.5),
        None,
        |bbox| bbox.clipped(INPUT, INPUT),
        |x, y| (x, y),
    );
    let results = results.view();
    assert_eq!(results.losses().invalid, 1);
    let areas: Vec<_> = results.masks().flatten().map(|mask| mask.area()).collect();
    assert_eq!((results.len(), areas), (2, vec![2 * 32 * 32, 32 * 32]));
    assert_eq!(results.detections()[1].bbox, BBox::new(0.0, 32.0, 32.0, 64.0));
}

#[test]
fn a_class_for_the_whole_image() {
    let values = [2.0, 0.0, 1.0];
    let scores = Scores::Classes {
        values: Matrix::new(&values, 1, 3).unwrap(),
        objectness: None,
        activation: Activation::Softmax,
        background: Background::None,
    };
    with_candidates(|candidates| {
        let whole = BBox::new(0.0, 0.0, 100.0, 80.0);
        let options = DecodeOptions::new(0.2).with_labels(LabelMode::Multi);
        scores.push(0, || whole, &options, candidates);
        let found: Vec<_> = candidates.as_slice().iter().map(|found| (found.class.0, found.score)).collect();
        let sum = 2f32.exp() + 1.0 + 1f32.exp();
        assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), [0, 2]);
        assert!((found[0].1 - 2f32.exp() / sum).abs() < 1e-6 && (found[1].1 - 1f32.exp() / sum).abs() < 1e-6);
    });
}

#[test]
fn poses() {
    let golden = golden();
    let case = &golden["movenet"];
    let values = numbers(&case["values"]);
    let rows = Matrix::new(&values, 1, 51).unwrap();
    let pose = KeypointLayout::movenet(INPUT, INPUT).row(rows, 0);
    let (bbox, score) = keypoints::object(pose.clone(), 0.3).unwrap();
    all_close(&points(pose), &case["keypoints"], 1e-4);
    all_close(&bbox.xyxy(), &case["box"], 1e-4);
    close(score, case["score"].as_f64().unwrap(), 1e-5);

    let case = &golden["heatmaps"];
    let values = numbers(&case["values"]);
    all_close(&points(keypoints::heatmaps(&values, (12, 16), [4.0; 2]).unwrap()), &case["keypoints"], 1e-4);

    let case = &golden["simcc"];
    let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
    let (x, y) = (Matrix::new(&x, 5, 128).unwrap(), Matrix::new(&y, 5, 96).unwrap());
    all_close(&points(keypoints::simcc(x, y, 2.0).unwrap()), &case["keypoints"], 1e-4);
}
