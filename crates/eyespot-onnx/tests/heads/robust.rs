//! Files that are damaged, of another kind, or not told about: typed errors that say what to do.

use std::path::{Path, PathBuf};

use eyespot_core::{
    Frame, ImageView, InputSize, PixelFormat, PredictOptions, PredictionsBuf, PredictionsStorage as _,
    Predictor as _,
};
use eyespot_onnx::{EngineChoice, Manifest, OnnxError, OnnxPredictor};

use super::open;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A golden model with a manifest beside it.
fn with_manifest(name: &str, manifest: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(name);
    std::fs::copy(golden(name), &model).unwrap();
    std::fs::write(model.with_extension("json"), manifest).unwrap();
    (folder, model)
}

/// What is no model is refused before any engine is asked.
#[test]
fn what_is_no_onnx_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("damaged.onnx");
    let noise: Vec<u8> = (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bytes in
        [&b""[..], b"\x08not an ONNX file", b"\x08\x07\x12\x03abc", &[0; 1000], &[0xff; 1000], &noise]
    {
        std::fs::write(&model, bytes).unwrap();
        let error = OnnxPredictor::open(&model, EngineChoice::Auto).unwrap_err();
        assert!(matches!(error, OnnxError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
    let nowhere = OnnxPredictor::open("nowhere.onnx", EngineChoice::Auto);
    assert!(matches!(nowhere, Err(OnnxError::Read { .. })));
    assert!(OnnxPredictor::open(folder.path(), EngineChoice::Auto).is_err());
}

/// Cut short anywhere, and with bits turned in names, shapes and operators.
#[test]
fn damaged_files_are_refused() {
    let bytes = std::fs::read(golden("yolov8-seg.onnx")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("damaged.onnx");
    let cut = (0..bytes.len()).step_by(bytes.len() / 40).map(|len| bytes[..len].to_vec());
    let ends = |at: &usize| *at < 300 || *at > bytes.len() - 400;
    let turned = (0..bytes.len()).step_by(3).filter(ends).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 7);
        bytes
    });
    let (mut refused, mut files) = (0, 0);
    for damaged in cut.chain(turned) {
        std::fs::write(&model, damaged).unwrap();
        let Some(opened) = open(&model) else { return };
        files += 1;
        refused += u32::from(opened.is_err());
    }
    println!("{refused} of {files} refused");
    // Some bits do not matter: those of names and notes.
    assert!(refused > 100, "{refused} of {files}");
}

/// A file of a time to come.
#[test]
fn another_version_of_the_operators_is_refused() {
    let bytes = std::fs::read(golden("yolox.onnx")).unwrap();
    // Field 8 of the model with an empty domain and its version, one byte.
    let at = bytes.windows(3).rposition(|part| part == b"\x42\x04\x0a").or_else(|| {
        // Exporters leave the empty domain out.
        bytes.windows(3).rposition(|part| part == b"\x42\x02\x10")
    });
    let at = at.unwrap();
    let version = at + 2 + usize::from(bytes[at + 1]) - 1;
    assert!((7..=25).contains(&bytes[version]), "no version: {}", bytes[version]);
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("later.onnx");
    for (wrong, why) in [(120, "120"), (0, "")] {
        let mut bytes = bytes.clone();
        bytes[version] = wrong;
        std::fs::write(&model, &bytes).unwrap();
        let Some(opened) = open(&model) else { return };
        let error = opened.unwrap_err();
        assert!(matches!(error, OnnxError::Engine { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn what_cannot_be_told_is_asked_for() {
    let bytes = std::fs::read(golden("yolov8.onnx")).unwrap();
    // Without the names of its classes the columns may be anything.
    let at = bytes.windows(5).position(|part| part == b"names").unwrap();
    let mut bytes = bytes.clone();
    bytes[at] = b'x';
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("mine.onnx");
    std::fs::write(&model, &bytes).unwrap();
    let Some(opened) = open(&model) else { return };
    let error = opened.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OnnxError::Unrecognised { .. }), "{text}");
    for part in ["`output0` [1, 7, 84]", r#"{"head": "yolov8"}"#, "mine.json"] {
        assert!(text.contains(part), "{text}");
    }
    // The line that it asks for is all it needs.
    std::fs::write(model.with_extension("json"), r#"{"head": "yolov8"}"#).unwrap();
    let predictor = open(&model).unwrap().unwrap();
    assert_eq!(predictor.spec().labels, ["class 0", "class 1", "class 2"]);
}

#[test]
fn wrong_manifests_are_explained() {
    for (name, manifest, part) in [
        ("yolov8.onnx", r#"{"head": "yolox"}"#, "do not fit the head `yolox`"),
        ("yolov8.onnx", r#"{"head": "yolov8", "classes": ["a"]}"#, "names for 1 classes, but it has 3"),
        ("yolov8.onnx", r#"{"outputs": ["boxes"], "head": "yolov8"}"#, "an output `boxes` that is not there"),
        ("yolov8.onnx", r#"{"input": {"size": [32, 32]}}"#, "can't be changed to 32"),
        ("yolov8.onnx", r#"{"input": {"channels": "gray"}}"#, "channels"),
        ("yolox.onnx", r#"{"strides": [8, 16]}"#, "80 cells, but it has 84 rows"),
        ("yolox.onnx", "head = 'yolox'", "yolox.json"),
    ] {
        let (_folder, model) = with_manifest(name, manifest);
        let Some(opened) = open(&model) else { return };
        let text = opened.unwrap_err().to_string();
        assert!(text.contains(part), "{manifest}: {text}");
    }
}

#[test]
fn sizes_that_the_graph_fixes_stay_and_open_ones_change() {
    let pixels = vec![90; 96 * 60 * 3];
    let frame = Frame::still(ImageView::packed(&pixels, 96, 60, PixelFormat::Rgb8).unwrap());
    let mut results = PredictionsBuf::new(100, 0, 0);
    let smaller = PredictOptions::new().with_img_size(InputSize::new(32, 48));
    let Some(fixed) = open(&golden("yolov8.onnx")) else { return };
    let error = fixed.unwrap().predict(&frame, &smaller, results.view_mut()).unwrap_err();
    assert!(matches!(error, OnnxError::FixedSize { width: 64, height: 64 }), "{error}");
    let manifest = r#"{"head": "yolov8", "classes": ["a", "b", "c"], "input": {"size": [64, 64]}}"#;
    let (_folder, model) = with_manifest("told.onnx", manifest);
    let mut open = open(&model).unwrap().unwrap();
    assert_eq!(open.spec().input, Some(InputSize::square(64)));
    open.predict(&frame, &smaller, results.view_mut()).unwrap();
    assert!(!results.view().is_empty());
    let huge = PredictOptions::new().with_img_size(InputSize::new(60000, 60000));
    assert!(open.predict(&frame, &huge, results.view_mut()).is_err());
}

/// Fields of the manifest that a caller sets go before those of the file.
#[test]
fn fields_of_the_manifest_can_be_set() {
    let manifest = r#"{"head": "yolox", "conf": 0.5, "input": {"size": [64, 64], "fit": "center"}}"#;
    let (_folder, model) = with_manifest("told.onnx", manifest);
    let set = |fields: &[(&'static str, &'static str)]| Manifest::beside_with(&model, fields.to_vec());
    let told =
        set(&[("head", "yolov8"), ("classes", r#"["a", "b", "c"]"#), ("input.size", "[32, 64]")]).unwrap();
    assert_eq!((told.conf, told.input.size), (Some(0.5), Some([32, 64])));
    assert_eq!(told.input.fit, Manifest::beside(&model).unwrap().input.fit);
    for (field, value, part) in [
        ("head", "yolo", "unknown variant `yolo`"),
        ("conf", "2", "between 0 and 1"),
        ("input.sizes", "[1, 2]", "sizes"),
        ("conf.x", "1", "no field `conf.x`"),
    ] {
        let error = set(&[(field, value)]).unwrap_err();
        assert!(matches!(error, OnnxError::Setting { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    // What is said of them is what there is.
    for field in Manifest::FIELDS {
        let refused = set(&[(field, "null")]).err().map(|error| error.to_string());
        assert!(!refused.unwrap_or_default().contains("unknown field"), "{field}");
    }
    match OnnxPredictor::with_manifest(&model, told, EngineChoice::Auto) {
        Err(OnnxError::Library { .. }) => eprintln!("IGNORED: no ONNX Runtime"),
        opened => assert_eq!(opened.unwrap().spec().labels, ["a", "b", "c"]),
    }
}

#[test]
fn unknown_engines_are_named() {
    let error = "wgpu".parse::<EngineChoice>().unwrap_err();
    assert!(error.to_string().contains("onnxruntime"), "{error}");
    assert_eq!("auto".parse::<EngineChoice>().unwrap(), EngineChoice::Auto);
}
