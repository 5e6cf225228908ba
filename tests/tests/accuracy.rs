//! What detectors find in real photos, as a user of the runtime gets it.

#![allow(clippy::unwrap_used)]

use eyespot_core::Detection;
use eyespot_decode::Merge;
use eyespot_eval::coco::{self, Dataset, Params, Results};
use eyespot_models::NoProgress;
use eyespot_runtime::{LoadOptions, Loader, Model, Settings, WindowSettings};
use eyespot_tests::data;
use eyespot_window::Tiles;

fn yolox_nano() -> Option<Model> {
    model("models/yolox_nano.onnx")
}

fn model(weights: &str) -> Option<Model> {
    let weights = data(weights)?;
    let options = LoadOptions::on("cpu");
    let loader = Loader::from_env().unwrap();
    Some(loader.load(weights.to_str().unwrap(), &options, &mut NoProgress).unwrap())
}

fn detections(model: &Model, image: &std::path::Path, settings: &Settings) -> Vec<Detection> {
    let mut session = model.predict(image, settings).unwrap();
    let prediction = session.next().unwrap().unwrap();
    assert_eq!(prediction.losses().invalid, 0);
    prediction.results().detections().to_vec()
}

fn average_precision(model: &Model, truth: &std::path::Path, settings: &Settings) -> f64 {
    let dataset = Dataset::read(truth).unwrap();
    let mut results = Results::default();
    for image in &dataset.images {
        let path = truth.with_file_name("images").join(&image.file_name);
        let found = detections(model, &path, settings);
        results.push(&dataset, image.id, &found).unwrap();
    }
    let summary = coco::evaluate(&dataset, &results, &Params::default()).unwrap();
    println!("{summary}");
    summary.metrics.ap.unwrap()
}

/// The same photos and thresholds through ONNX Runtime give .3073.
#[test]
fn average_precision_on_coco_photos() {
    let (Some(model), Some(truth)) = (yolox_nano(), data("coco/instances.json")) else { return };
    let settings = Settings { conf: Some(0.001), iou: Some(0.65), ..Settings::default() };
    let ap = average_precision(&model, &truth, &settings);
    assert!((ap - 0.307).abs() <= 0.003, "AP {ap}");
}

/// The same photos and thresholds through ONNX Runtime and a decoder in NumPy give what
/// `models/fastestdet/tests/golden/fastestdet.py` says.
#[test]
fn average_precision_of_fastestdet() {
    let (Some(model), Some(truth)) = (model("models/fastestdet.pth"), data("coco/instances.json")) else {
        return;
    };
    let settings = Settings { conf: Some(0.01), iou: Some(0.45), ..Settings::default() };
    let ap = average_precision(&model, &truth, &settings);
    assert!((ap - 0.1971).abs() <= 0.003, "AP {ap}");
}

/// A mosaic of 5120 x 3200 pixels with 414 objects: hopeless at once, good in windows.
#[test]
fn average_precision_of_a_sliding_window_on_a_large_mosaic() {
    let (Some(model), Some(truth)) = (yolox_nano(), data("highres/mosaic_coco_5120x3200.json")) else {
        return;
    };
    let dataset = Dataset::read(&truth).unwrap();
    let ap50 = |sliding_window| {
        let settings = Settings { conf: Some(0.001), sliding_window, ..Settings::default() };
        let found = detections(&model, &truth.with_extension("jpg"), &settings);
        let mut results = Results::default();
        results.push(&dataset, dataset.images[0].id, &found).unwrap();
        let params = Params { max_detections: [1, 10, 1000], ..Params::default() };
        coco::evaluate(&dataset, &results, &params).unwrap().metrics.ap50.unwrap()
    };
    let tiles = Tiles::square(640).with_overlap(0.25).unwrap();
    let whole = ap50(None);
    let windows = ap50(Some(WindowSettings { tiles, ..WindowSettings::default() }));
    let suppressed = ap50(Some(WindowSettings { tiles, merge: Merge::nms(0.5), whole_frame: false }));
    let by_ios = ap50(Some(WindowSettings { tiles, merge: Merge::nmm(0.5), whole_frame: false }));
    println!(
        "AP50: whole {whole:.4}, merged by IoU {windows:.4}, by IoS {by_ios:.4}, suppressed {suppressed:.4}"
    );
    assert!(whole < 0.05, "whole {whole}");
    assert!(windows >= 0.45, "windows {windows}");
}
