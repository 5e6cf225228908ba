#![no_main]

mod networks;

use libfuzzer_sys::fuzz_target;

// Length and checksum are made right, as someone would who means harm: only the checks of the graph are left.
fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 16 {
        let (len, sum) = (bytes.len() as u32, eyespot_nn::crc32(&bytes[16..]));
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    }
    networks::load_and_run(&bytes);
});
