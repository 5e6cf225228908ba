//! Every head against ONNX Runtime and a decoder in NumPy: `golden/heads.py` made graphs and results. Published models on
//! real photos, and files that are no models.
#![cfg(any(feature = "ort", feature = "tract"))]
#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "ort")]
#[path = "heads/published.rs"]
mod published;
#[cfg(feature = "ort")]
#[path = "heads/robust.rs"]
mod robust;

use std::collections::BTreeMap;
use std::path::Path;

use eyespot_core::{
    Frame, ImageView, MaskView, PixelFormat, PredictOptions, PredictionsBuf, PredictionsStorage, Predictor,
};
#[cfg(feature = "ort")]
use eyespot_onnx::OnnxError;
use eyespot_onnx::{EngineChoice, OnnxPredictor};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    kind: String,
    manifest: Option<serde_json::Value>,
    found: Vec<Found>,
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "box")]
    bbox: [f32; 4],
    score: f32,
    class: u16,
    angle: Option<f32>,
    keypoints: Option<Vec<[f32; 3]>>,
    mask: Option<Vec<usize>>,
}

#[derive(Deserialize)]
struct Output {
    dims: Vec<usize>,
    /// The first of them.
    values: Vec<f32>,
}

const WIDTH: u16 = 96;
const HEIGHT: u16 = 60;

/// Opens a model; `None`, said loudly, where there is no ONNX Runtime.
#[cfg(feature = "ort")]
fn open(path: &Path) -> Option<Result<OnnxPredictor, OnnxError>> {
    match OnnxPredictor::open(path, EngineChoice::OnnxRuntime) {
        Err(error @ OnnxError::Library { .. }) => {
            eprintln!("IGNORED: {error}");
            None
        }
        opened => Some(opened),
    }
}

fn golden() -> (std::path::PathBuf, BTreeMap<String, Case>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = serde_json::from_slice(&std::fs::read(folder.join("heads.json")).unwrap()).unwrap();
    (folder, cases)
}

fn image() -> Vec<u8> {
    let pixel =
        |x: usize, y: usize| [5 * x + 3 * y, 2 * x + 7 * y, x + 11 * y].map(|level| (level % 256) as u8);
    (0..usize::from(HEIGHT)).flat_map(|y| (0..usize::from(WIDTH)).flat_map(move |x| pixel(x, y))).collect()
}

fn close(found: f32, expected: f32, tolerance: f32, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

/// Pixels that a mask and runs of the whole image differ in.
fn difference(mask: Option<MaskView<'_>>, runs: &[usize]) -> usize {
    let expected = runs.iter().enumerate().flat_map(|(index, &len)| std::iter::repeat_n(index % 2 == 1, len));
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    expected
        .zip(pixels)
        .filter(|&(expected, (x, y))| mask.is_some_and(|mask| mask.contains(x, y)) != expected)
        .count()
}

fn check(name: &str, case: &Case, folder: &Path, engine: EngineChoice) {
    let scratch = tempfile::tempdir().unwrap();
    let model = scratch.path().join(name).with_extension("onnx");
    std::fs::copy(folder.join(name).with_extension("onnx"), &model).unwrap();
    if let Some(manifest) = &case.manifest {
        std::fs::write(model.with_extension("json"), manifest.to_string()).unwrap();
    }
    let mut predictor =
        OnnxPredictor::open(&model, engine).map_err(|error| format!("{name}: {error}")).unwrap();
    assert_eq!(predictor.kind().name(), case.kind, "{name}");
    let pixels = image();
    let frame = Frame::still(ImageView::packed(&pixels, WIDTH, HEIGHT, PixelFormat::Rgb8).unwrap());
    let (outputs, _) = predictor.run(&frame, &PredictOptions::new()).unwrap();
    assert_eq!(outputs.len(), case.outputs.len());
    for (output, expected) in outputs.iter().zip(&case.outputs) {
        assert_eq!(output.dims, expected.dims, "{name}");
        for (&found, &expected) in output.values.iter().zip(&expected.values) {
            close(found, expected, 2e-3 * expected.abs().max(1.0), name);
        }
    }
    let spec = predictor.spec();
    let keypoints = usize::from(spec.outputs.keypoints);
    assert_eq!(spec.outputs.masks, case.found.iter().any(|found| found.mask.is_some()), "{name}");
    let mut results = PredictionsBuf::new(300, 1 << 20, 300 * keypoints);
    predictor.predict(&frame, &PredictOptions::new(), results.view_mut()).unwrap();
    let results = results.view();
    let mut found: Vec<_> = results.detections().to_vec();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    let mut expected: Vec<_> = case.found.iter().collect();
    expected.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
    assert_eq!(results.losses().detections, 0, "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.class.0, expected.class, "{name}");
        close(found.score, expected.score, 2e-3, name);
        let bbox = [found.bbox.x1, found.bbox.y1, found.bbox.x2, found.bbox.y2];
        for (found, expected) in bbox.into_iter().zip(expected.bbox) {
            close(found, expected, 0.02, name);
        }
        assert_eq!(found.angle.is_some(), expected.angle.is_some(), "{name}");
        if let (Some(found), Some(expected)) = (found.angle, expected.angle) {
            close(found.radians(), expected, 1e-3, name);
        }
        let points = results.keypoints_of(found);
        let expected_points = expected.keypoints.as_deref().unwrap_or_default();
        assert_eq!(points.len(), expected_points.len(), "{name}");
        for (found, expected) in points.iter().zip(expected_points) {
            for (found, expected) in [found.x, found.y, found.score].into_iter().zip(*expected) {
                close(found, expected, 0.02, name);
            }
        }
        if let Some(runs) = &expected.mask {
            // Pixels on the very edge may fall to either side.
            let difference = difference(results.mask(found), runs);
            assert!(difference <= 3, "{name}: {difference} pixels of a mask differ");
        }
    }
}

#[cfg(feature = "ort")]
#[test]
fn every_head_through_onnx_runtime() {
    let (folder, cases) = golden();
    assert_eq!(cases.len(), 33);
    for (name, case) in &cases {
        if open(&folder.join("yolox.onnx")).is_none() {
            return;
        }
        check(name, case, &folder, EngineChoice::OnnxRuntime);
    }
}

#[cfg(feature = "tract")]
#[test]
fn every_head_through_tract() {
    let (folder, cases) = golden();
    for (name, case) in &cases {
        check(name, case, &folder, EngineChoice::Tract);
    }
}
