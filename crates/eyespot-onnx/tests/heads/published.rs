//! What published ONNX models find in real photos when they are run as they are: `golden/published.py` has the same photos
//! and thresholds through ONNX Runtime and decoders in NumPy.

use std::path::Path;

use eyespot_core::{
    Frame, InputSize, Keypoint, PredictOptions, PredictionsBuf, PredictionsStorage as _, Predictor as _,
};
use eyespot_eval::coco::{self, Dataset, Params, Results};
use eyespot_media::read_frame;
use eyespot_onnx::OnnxPredictor;
use eyespot_tests::data;

use super::open;

/// A published model; `None`, said loudly, where it or ONNX Runtime is not there.
fn published(file: &str, head: &str) -> Option<OnnxPredictor> {
    let predictor = open(&data("models")?.join(file))?.unwrap();
    assert_eq!(predictor.kind().name(), head, "{file}");
    Some(predictor)
}

fn predict(predictor: &mut OnnxPredictor, photo: &Path, options: &PredictOptions<'_>) -> PredictionsBuf {
    let canvas = read_frame(photo, 0).unwrap();
    let mut found = PredictionsBuf::new(300, 0, 300 * 17);
    predictor.predict(&Frame::still(canvas.view().unwrap()), options, found.view_mut()).unwrap();
    assert_eq!(found.view().losses().invalid, 0);
    found
}

/// Average precision of the first classes on 80 photos of COCO.
fn average_precision(file: &str, head: &str, options: &PredictOptions<'_>, classes: usize) -> Option<f64> {
    let (mut predictor, truth) = (published(file, head)?, data("coco/instances.json")?);
    let mut dataset = Dataset::read(&truth).unwrap();
    dataset.categories.sort_by_key(|category| category.id);
    dataset.categories.truncate(classes);
    let mut results = Results::default();
    for image in &dataset.images {
        let photo = truth.with_file_name("images").join(&image.file_name);
        let found = predict(&mut predictor, &photo, options);
        let found = found.view().detections().iter().filter(|one| one.class.index() < classes);
        let found: Vec<_> = found.copied().collect();
        results.push(&dataset, image.id, &found).unwrap();
    }
    let summary = coco::evaluate(&dataset, &results, &Params::default()).unwrap();
    println!("{file}: {summary}");
    summary.metrics.ap
}

fn options(iou: f32) -> PredictOptions<'static> {
    PredictOptions::new().with_conf(0.05).unwrap().with_iou(iou).unwrap()
}

fn check(file: &str, head: &str, iou: f32, expected: f64) {
    let Some(ap) = average_precision(file, head, &options(iou), 80) else { return };
    assert!((ap - expected).abs() <= 0.003, "{file}: AP {ap} instead of {expected}");
}

#[test]
fn average_precision_of_yolox() {
    check("yolox_nano.onnx", "yolox", 0.65, 0.2948);
}

#[test]
fn average_precision_of_fastestdet() {
    check("fastestdet_352.onnx", "fastestdet", 0.45, 0.1970);
}

#[test]
fn average_precision_of_nanodet() {
    check("nanodet_m_320.onnx", "nanodet", 0.6, 0.2457);
    check("nanodet_m_416.onnx", "nanodet", 0.6, 0.2649);
}

/// It knows people alone, and leaves the size of its input open. (At 640 it reaches .4679, in four times the time.)
#[test]
fn average_precision_of_rtmdet() {
    let options = options(1.0).with_img_size(InputSize::square(320));
    let Some(ap) = average_precision("rtmdet_nano_person.onnx", "mmdet", &options, 1) else { return };
    assert!((ap - 0.4040).abs() <= 0.003, "AP {ap}");
}

/// How alike two poses are (<https://cocodataset.org/#keypoints-eval>), 1 for the same.
fn oks(found: &[Keypoint], expected: &[[f32; 2]], area: f32) -> f32 {
    const SIGMAS: [f32; 17] = [
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087,
        0.087, 0.089, 0.089,
    ];
    assert_eq!((found.len(), expected.len()), (17, 17));
    let alike = found.iter().zip(expected).zip(SIGMAS).map(|((found, expected), sigma)| {
        let distance = (found.x - expected[0]).powi(2) + (found.y - expected[1]).powi(2);
        (-distance / (2.0 * area * (2.0 * sigma).powi(2))).exp()
    });
    alike.sum::<f32>() / 17.0
}

/// The pose in a photo: as ONNX Runtime has it by `models/movenet/tests/golden/movenet.py`, and as the published int8
/// weights have it on another runtime, with the image stretched.
#[test]
fn keypoints_of_movenet() {
    let (Some(mut predictor), Some(photo), Some(reference)) = (
        published("movenet_lightning_dequant.onnx", "movenet"),
        data("images/squat.bmp"),
        data("images/movenet_squat_reference.csv"),
    ) else {
        return;
    };
    let found = predict(&mut predictor, &photo, &PredictOptions::new());
    let found = found.view();
    assert_eq!(found.len(), 1);
    let (bbox, keypoints) = (found.detections()[0].bbox, found.keypoints().next().unwrap());
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../../models/movenet/tests/golden/movenet.json")).unwrap();
    let golden: Vec<f32> =
        golden["photo"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
    assert_eq!(golden.len(), 3 * keypoints.len());
    for (found, expected) in keypoints.iter().zip(golden.chunks_exact(3)) {
        let off = (found.x - expected[0]).hypot(found.y - expected[1]);
        assert!(off < 0.1 && (found.score - expected[2]).abs() < 2e-3, "{found:?} {expected:?}");
    }
    let (width, height) = {
        let canvas = read_frame(&photo, 0).unwrap();
        (f32::from(canvas.width()), f32::from(canvas.height()))
    };
    let reference = std::fs::read_to_string(reference).unwrap();
    let place = |line: &str| {
        let mut place = line.split(',').skip(4).map(|number| number.trim().parse::<f32>().unwrap());
        [place.next().unwrap() * width, place.next().unwrap() * height]
    };
    let reference: Vec<[f32; 2]> = reference.lines().skip(1).map(place).collect();
    let oks = oks(keypoints, &reference, bbox.width() * bbox.height());
    println!("OKS {oks}");
    assert!(oks > 0.9, "{oks}");
}
