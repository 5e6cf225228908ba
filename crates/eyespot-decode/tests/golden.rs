//! The head and the suppression against the detections that the reference (ONNX Runtime and NumPy) found.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use eyespot_core::{BBox, ClassId, ClassSet, InputSize, Predictions, PredictionsStorage};
use eyespot_decode::{Candidate, Candidates, DecodeOptions, LabelMode, Nms, yolox};
use eyespot_image::{Fit, Letterbox};

fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = PathBuf::from(std::env::var_os("EYESPOT_DATA").unwrap_or_else(|| default.into()));
    if path.join("golden").is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// The values of a little-endian f32 `.npy` file.
fn npy(path: PathBuf) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(String::from_utf8_lossy(&bytes[10..10 + header]).contains("'<f4'"));
    bytes[10 + header..].as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect()
}

struct Truth {
    class: u16,
    score: f64,
    xyxy: [f64; 4],
}

fn truth(data: &std::path::Path, image: &str) -> (InputSize, Vec<Truth>) {
    let text = std::fs::read_to_string(data.join("golden/yolox_nano_detections.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let image = &golden["images"][image];
    let size = |key: &str| u16::try_from(image[key].as_u64().unwrap()).unwrap();
    let detections = image["detections"].as_array().unwrap().iter().map(|detection| Truth {
        class: detection["cls"].as_u64().unwrap() as u16,
        score: detection["score"].as_f64().unwrap(),
        xyxy: std::array::from_fn(|at| detection["xyxy"][at].as_f64().unwrap()),
    });
    (InputSize::new(size("width"), size("height")), detections.collect())
}

#[test]
fn photos_give_the_detections_of_the_reference() {
    let Some(data) = data() else { return };
    for photo in ["bus.jpg", "dog.jpg"] {
        let raw = npy(data.join(format!("golden/yolox_nano_{photo}.output_raw_f32.npy")));
        let (source, truth) = truth(&data, &format!("images/{photo}"));
        assert!(!truth.is_empty());
        let input = InputSize::square(416);
        let letterbox = Letterbox::new(source, input, Fit::TopLeft).unwrap();
        let head = yolox::Head::new(input, &yolox::STRIDES, 80);
        let mut slots = [Candidate::EMPTY; 256];
        let mut candidates = Candidates::new(&mut slots);
        head.decode(&raw, &DecodeOptions::new(0.3), &mut candidates).unwrap();
        Nms::new(0.45).suppress(&mut candidates);
        let mut storage = Predictions::<64>::new();
        candidates.push_into(&mut storage.view_mut(), |bbox| letterbox.to_source(bbox));
        let found = storage.view();
        assert!(found.losses().is_none());
        assert_eq!(found.len(), truth.len(), "{photo}");
        for (found, truth) in found.detections().iter().zip(&truth) {
            assert_eq!(found.class, ClassId(truth.class), "{photo}");
            assert!((f64::from(found.score) - truth.score).abs() < 1e-4, "{photo}");
            for (found, truth) in found.bbox.xyxy().into_iter().zip(truth.xyxy) {
                assert!((f64::from(found) - truth).abs() < 0.011, "{photo}: {found} {truth}");
            }
        }

        // Cut to the image, all of them stay and none reaches out.
        let mut cut = Predictions::<64>::new();
        candidates.push_into(&mut cut.view_mut(), |bbox| letterbox.to_source_clipped(bbox));
        assert_eq!(cut.view().len(), truth.len());
        let inside = |b: BBox| {
            b.x1 >= 0.0 && b.y1 >= 0.0 && b.x2 <= source.width.into() && b.y2 <= source.height.into()
        };
        assert!(cut.view().boxes().all(inside));
    }
}

/// Small slots keep the best candidates; filters and label modes agree with one another.
#[test]
fn capacity_classes_and_label_modes_on_a_real_output() {
    let Some(data) = data() else { return };
    let raw = npy(data.join("golden/yolox_nano_bus.jpg.output_raw_f32.npy"));
    let head = yolox::Head::new(InputSize::square(416), &yolox::STRIDES, 80);
    assert_eq!((head.anchors(), head.output_len()), (3549, raw.len()));
    let decode = |options: &DecodeOptions<'_>, slots: usize| {
        let mut slots = vec![Candidate::EMPTY; slots];
        let mut candidates = Candidates::new(&mut slots);
        head.decode(&raw, options, &mut candidates).unwrap();
        let lost = candidates.lost();
        // Nothing overlaps by more than 1, so this only sorts.
        Nms::new(1.0).suppress(&mut candidates);
        (candidates.as_slice().to_vec(), lost)
    };
    let best = DecodeOptions::new(0.001);
    let (all, lost) = decode(&best, 4000);
    assert_eq!(lost, 0);
    for room in [0, 1, 2, 3, 50, 99] {
        let (few, lost) = decode(&best, room);
        assert_eq!(few, all[..room]);
        assert_eq!(lost as usize, all.len() - room);
    }

    let (multi, _) = decode(&best.with_labels(LabelMode::Multi), 20_000);
    assert!(multi.len() > all.len());
    assert!(all.iter().all(|candidate| multi.contains(candidate)));

    let mut persons = ClassSet::<2>::new();
    persons.insert(ClassId(0)).unwrap();
    let only = |labels| DecodeOptions { conf: 0.001, classes: persons.as_filter(), labels };
    let expected: Vec<_> = multi.iter().copied().filter(|candidate| candidate.class == ClassId(0)).collect();
    assert_eq!(decode(&only(LabelMode::Multi), 20_000).0, expected);
    assert_eq!(decode(&only(LabelMode::Best), 20_000).0, expected);
}
