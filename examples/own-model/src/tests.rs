use eyespot::core::{ImageView, PixelFormat};
use eyespot::media::Canvas;

use super::detect;

#[test]
fn a_file_is_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Left half blue, right half grey, a red spot on it.
    let mut pixels: Vec<u8> =
        (0..64 * 64).flat_map(|i| if i % 64 < 32 { [0, 0, 255] } else { [99; 3] }).collect();
    for row in 10..20 {
        pixels[(row * 64 + 40) * 3..(row * 64 + 50) * 3].copy_from_slice(&[250, 0, 0].repeat(10));
    }
    let image = Canvas::from_view(&ImageView::packed(&pixels, 64, 64, PixelFormat::Rgb8).unwrap());
    let found = |text: &str| detect(image.clone(), &file("a.hues", text));
    assert_eq!(found("ball 340 20\n").unwrap(), ["ball"]);
    assert_eq!(found("water 200 260").unwrap(), ["water"]);
    assert_eq!(found("leaf 90 150").unwrap(), [""; 0]);
    for wrong in ["ball red\n", "", "ball 340 20 7"] {
        let error = found(wrong).unwrap_err();
        assert!(error.to_string().contains("FIRST_HUE"), "{error}");
    }
}
