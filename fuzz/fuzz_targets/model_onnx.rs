#![no_main]

mod networks;

use eyespot_convert::{ConvertError, Graph};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for size in [None, Some([16, 24])] {
        match Graph::from_onnx(bytes, size).and_then(|graph| graph.build()) {
            Ok(converted) => networks::load_and_run(&converted.bytes),
            Err(error) => assert!(!matches!(error, ConvertError::Load(_)), "{error}"),
        }
    }
});
