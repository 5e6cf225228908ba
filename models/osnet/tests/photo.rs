//! Parity with ONNX Runtime on the published weights of OSNet `x0_25`.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use eyespot_burn::{CpuEmbedder, Host};
use eyespot_core::{BBox, Embedder, Frame, ImageView, PixelFormat};
use eyespot_tests::data;
use osnet::Osnet;

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn people_in_a_photo_have_the_features_of_the_reference() {
    let Some(data) = data("") else { return };
    let golden = std::fs::read(data.join("golden/osnet_bus.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
    let weights = data.join("models/osnet_x0_25_market1501.onnx");
    let mut embedder = CpuEmbedder::load::<Osnet>(weights, None, Host::default()).unwrap();
    assert_eq!(embedder.head().name, "osnet/osnet-x0-25");
    let image = image::open(data.join("images/bus.jpg")).unwrap().to_rgb8();
    let (width, height) = (image.width() as u16, image.height() as u16);
    let frame = Frame::still(ImageView::packed(image.as_raw(), width, height, PixelFormat::Rgb8).unwrap());
    let number = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
    let items = golden["items"].as_array().unwrap();
    let side = |item: &serde_json::Value, index: usize| number(&item["crop_xyxy"][index]);
    let boxes: Vec<BBox> = items
        .iter()
        .map(|item| BBox::new(side(item, 0), side(item, 1), side(item, 2), side(item, 3)))
        .collect();
    let expected: Vec<Vec<f32>> =
        items.iter().map(|item| item["embedding"].as_array().unwrap().iter().map(number).collect()).collect();
    let mut found = vec![Vec::new(); boxes.len()];
    embedder.embed(&frame, &boxes, &mut |index, feature| found[index] = feature.to_vec()).unwrap();
    assert!(found.len() >= 3);
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let likeness = cosine(found, expected);
        eprintln!("person {at}: largest difference {error:e}, cosine {likeness}");
        // From the very pixels that the reference saw it is 1e-5. Decoders of JPEG differ by some grey levels.
        assert!(found.len() == expected.len() && error < 0.1 && likeness > 0.9995, "{error}, {likeness}");
    }
}
