//! Damaged files: typed errors, no panic, and what still loads still runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::io::Cursor;
use std::sync::OnceLock;

use common::{arena, base64, data};
use eyespot_convert::{ConvertError, Graph};
use eyespot_nn::host::{Header, Host, Level, ReadError};
use eyespot_nn::{LoadError, Model, Network, crc32};
use proptest::prelude::*;

fn small() -> Option<(Vec<u8>, Vec<u8>)> {
    let data = data()?;
    let tflite = std::fs::read(data.join("models/mcu/hello_world_int8.tflite")).unwrap();
    let eye = Graph::from_tflite(&tflite).unwrap().with_name("hello").build().unwrap().bytes;
    Some((tflite, eye))
}

/// The models of small files of operators.
fn models_of(cases: &str) -> Vec<Vec<u8>> {
    let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
    cases.as_array().unwrap().iter().map(|case| base64(case["model"].as_str().unwrap())).collect()
}

/// Files of both formats, and whether they are ONNX.
fn operator_files() -> &'static [(Vec<u8>, bool)] {
    static FILES: OnceLock<Vec<(Vec<u8>, bool)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let onnx = models_of(include_str!("golden/onnx_operators.json")).into_iter();
        let tflite = models_of(include_str!("golden/tflite_operators.json")).into_iter();
        onnx.map(|file| (file, true)).chain(tflite.map(|file| (file, false))).collect()
    })
}

/// An operator of TensorFlow Lite each, converted.
fn operators() -> &'static [Vec<u8>] {
    static MODELS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let models = models_of(include_str!("golden/tflite_operators.json")).into_iter();
        models.map(|model| Graph::from_tflite(&model).unwrap().build().unwrap().bytes).collect()
    })
}

/// Makes the checksum right again, as someone would who means harm.
fn seal(bytes: &mut [u8]) {
    let sum = crc32(&bytes[16..]).to_le_bytes();
    bytes[12..16].copy_from_slice(&sum);
}

/// Loads and runs what loads; its arena must not be absurd. A file is the same as bytes.
fn run(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let header = Header::read(&mut file);
    let described = header.as_ref().map(Header::description);
    let model = match (Model::load(bytes), &described) {
        (Ok(model), Ok(Ok(_))) => model,
        (Err(error), Ok(Err(found)) | Err(ReadError::Load(found))) => return assert_eq!(error, *found),
        (loaded, _) => panic!("{loaded:?} from memory, {described:?} from a file"),
    };
    if model.arena_bytes() > 1 << 24 || model.info().macs > 1 << 32 {
        return;
    }
    for make in [Network::new, Network::plain] {
        let mut network = make(model, arena(model.arena_bytes())).unwrap();
        network.run();
        let _ = network.output(0);
    }
    for level in [Level::all().next().unwrap(), Level::best()] {
        let host = Host { threads: 1, level };
        let mut network = Network::from_file(header.as_ref().unwrap(), &mut file, host).unwrap();
        network.run();
        let _ = network.output(0);
    }
}

/// Why bytes are no model, in memory and as a file.
fn error_of(bytes: &[u8]) -> LoadError {
    let error = Model::load(bytes).unwrap_err();
    let read =
        Header::read(&mut Cursor::new(bytes)).and_then(|header| Ok(header.description().map(|_| ())?));
    assert!(matches!(read, Err(ReadError::Load(found)) if found == error), "{error:?}, of a file {read:?}");
    error
}

#[test]
fn every_truncation_is_an_error() {
    let Some((tflite, eye)) = small() else { return };
    for len in 0..eye.len() {
        let error = error_of(&eye[..len]);
        let expected = if len < 4 { LoadError::Magic } else { error };
        assert_eq!(error, expected);
        if len >= 24 {
            assert_eq!(error, LoadError::Truncated { expected: eye.len(), actual: len });
        }
    }
    let longer = [eye.clone(), vec![0; 70_000]].concat();
    let error = LoadError::Truncated { expected: eye.len(), actual: longer.len() };
    assert_eq!(error_of(&longer), error);
    for len in 0..tflite.len() {
        // A file may end in padding or in names that nothing needs.
        let _ = Graph::from_tflite(&tflite[..len]);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let Some((_, eye)) = small() else { return };
    for at in 0..eye.len() {
        // Bytes 6 and 7 mean nothing in this version.
        if at == 6 || at == 7 {
            continue;
        }
        let mut damaged = eye.clone();
        damaged[at] ^= 1 << (at % 8);
        let error = error_of(&damaged);
        match at {
            0..4 => assert_eq!(error, LoadError::Magic),
            4..6 => assert!(matches!(error, LoadError::Version { .. })),
            8..12 => assert!(matches!(error, LoadError::Truncated { .. })),
            _ => assert!(matches!(error, LoadError::Checksum { .. }), "{at}: {error:?}"),
        }
    }
}

#[test]
fn a_small_arena_is_an_error_that_names_the_layer() {
    let Some(data) = data() else { return };
    let tflite = std::fs::read(data.join("models/mcu/person_detect_96_int8.tflite")).unwrap();
    let converted = Graph::from_tflite(&tflite).unwrap().build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let error = Network::new(model, vec![0u64; 5000]).unwrap_err();
    assert_eq!((error.needed, error.available), (converted.report.arena, 40_000));
    assert!(error.layer.as_str().contains("Conv2d_1_"), "{error}");
    assert!(error.layer_bytes > 40_000 && error.layer_bytes <= error.needed, "{error}");
}

/// A copy of a few bytes to themselves, two million times for each: found by the fuzz target `model_eye`.
#[test]
fn a_copy_without_end_is_refused() {
    let mut eye = base64(
        "RVlFlwEAAABgAAAA1VVVf3ABAABDAAAAAAABAQEAAAAAKwQGB7bz/TwFBG91dDEA2AEFBgW28v08BQRvdXQxCAAC0AHYAZYBRAEBEQEBAQEBAQ4H+/r/\
         AAAAAAUAAA==",
    );
    // As the target does it.
    let len = eye.len() as u32;
    eye[8..12].copy_from_slice(&len.to_le_bytes());
    seal(&mut eye);
    let error = error_of(&eye);
    assert!(matches!(error, LoadError::Layer { reason: "a copy that does not end", .. }), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    /// With a right checksum only the checks of the graph stand between damage and the kernels.
    #[test]
    fn damaged_models_do_not_panic(changes in proptest::collection::vec((16usize..4000, any::<u8>()), 1..6)) {
        let Some((_, mut eye)) = small() else { return Ok(()) };
        for (at, byte) in changes {
            let at = 16 + at % (eye.len() - 16);
            eye[at] = byte;
        }
        seal(&mut eye);
        run(&eye);
    }

    #[test]
    fn damaged_operators_do_not_panic(
        which in any::<usize>(),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let models = operators();
        let mut eye = models[which % models.len()].clone();
        // Most in the description, which comes first.
        let end = eye.len().min(160);
        for (at, byte) in changes {
            eye[16 + at % (end - 16)] = byte;
        }
        seal(&mut eye);
        run(&eye);
    }

    #[test]
    fn damaged_tflite_files_do_not_panic(changes in proptest::collection::vec((0usize..4000, any::<u8>()), 1..6)) {
        let Some((mut tflite, _)) = small() else { return Ok(()) };
        for (at, byte) in changes {
            let at = at % tflite.len();
            tflite[at] = byte;
        }
        if let Ok(graph) = Graph::from_tflite(&tflite)
            && let Ok(converted) = graph.build()
        {
            run(&converted.bytes);
        }
    }

    /// An operator or two each. What becomes of ONNX loads; TensorFlow Lite's files say the shapes of results, which may be
    /// wrong.
    #[test]
    fn damaged_files_of_operators_do_not_panic(
        which in any::<usize>(),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let files = operator_files();
        let (mut file, is_onnx) = files[which % files.len()].clone();
        for (at, byte) in changes {
            let at = at % file.len();
            file[at] = byte;
        }
        let graph = if is_onnx { Graph::from_onnx(&file, None) } else { Graph::from_tflite(&file) };
        match graph.and_then(|graph| graph.build()) {
            Ok(converted) => run(&converted.bytes),
            Err(error) => prop_assert!(!(is_onnx && matches!(error, ConvertError::Load(_))), "{error}"),
        }
    }

    #[test]
    fn no_bytes_are_an_onnx_model_that_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Graph::from_onnx(&bytes, Some([32, 32]));
    }
}

/// Damage in the graph of a real ONNX model.
#[test]
fn damaged_onnx_files_do_not_panic() {
    let Some(data) = data() else { return };
    let onnx = std::fs::read(data.join("models/osnet_x0_25_market1501.onnx")).unwrap();
    let mut state = 1u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    // Nodes come first, weights after them.
    for _ in 0..150 {
        let mut damaged = onnx.clone();
        for _ in 0..=random(3) {
            let at = random(40_000);
            damaged[at] = random(256) as u8;
        }
        let _ = Graph::from_onnx(&damaged, None);
    }
}
