#![no_main]

use base64::Engine as _;
use eyespot_supervisely::format::Bitmap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = Bitmap { origin: [1, 2], data: String::from_utf8_lossy(bytes).into_owned() };
    let packed = Bitmap { origin: [1, 2], data: base64::engine::general_purpose::STANDARD.encode(bytes) };
    for bitmap in [text, packed] {
        let Ok(mask) = bitmap.decode() else { continue };
        assert_eq!(bitmap.size().unwrap(), (mask.width(), mask.height()));
        assert_eq!(Bitmap::encode(&mask).unwrap().decode().unwrap(), mask);
    }
});
