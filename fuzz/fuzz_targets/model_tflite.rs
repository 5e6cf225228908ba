#![no_main]

mod networks;

use eyespot_convert::Graph;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The shapes of results are in the file, and may be wrong: then the result does not load, which is an error too.
    if let Ok(converted) = Graph::from_tflite(bytes).and_then(|graph| graph.build()) {
        networks::load_and_run(&converted.bytes);
    }
});
