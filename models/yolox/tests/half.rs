//! A GPU in half precision, which a process has for all or nothing: so this is one of its own.

#![cfg(all(feature = "flex", feature = "wgpu"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::Device;
use eyespot_burn::{BurnPredictor, DeviceChoice, DeviceError};
use eyespot_core::{
    Detection, Frame, ImageView, PixelFormat, PredictOptions, PredictionsBuf, PredictionsStorage, Predictor,
};
use eyespot_tests::data;
use yolox::Yolox;

#[test]
fn what_half_precision_finds_is_what_full_precision_finds() {
    let Some(data) = data("") else { return };
    let half = match DeviceChoice::HalfGpu(None).open() {
        Ok(device) => device,
        Err(error @ DeviceError::NoHalf { .. }) => return eprintln!("IGNORED: {error}"),
        Err(error) => panic!("{error}"),
    };
    assert!(half.to_string().ends_with("half precision"));
    let full = DeviceChoice::Gpu(None).open().unwrap_err();
    assert!(matches!(full, DeviceError::Precision { .. }), "{full}");
    let photo = image::open(data.join("images/dog.jpg")).unwrap().to_rgb8();
    let (width, height) = (photo.width() as u16, photo.height() as u16);
    let view = ImageView::packed(photo.as_raw(), width, height, PixelFormat::Rgb8).unwrap();
    let options = PredictOptions::new().with_conf(0.3).unwrap();
    let weights = data.join("models/yolox_nano.onnx");
    let find = |model: Yolox, device| -> Vec<Detection> {
        let mut found = PredictionsBuf::new(100, 0, 0);
        let mut predictor = BurnPredictor::new(model, device).unwrap();
        predictor.predict(&Frame::still(view), &options, found.view_mut()).unwrap();
        assert!(found.view().losses().is_none());
        found.view().detections().to_vec()
    };
    let found = find(Yolox::load(&weights, half.device()).unwrap(), half);
    let expected = find(Yolox::load(&weights, &Device::flex()).unwrap(), DeviceChoice::Flex.open().unwrap());
    assert!(expected.len() >= 3);
    // Scores near the threshold may fall on either side.
    for (these, those) in [(&found, &expected), (&expected, &found)] {
        for a in these.iter().filter(|a| a.score > 0.33) {
            let near = |b: &Detection| {
                let mut sides = a.bbox.xyxy().into_iter().zip(b.bbox.xyxy());
                a.class == b.class
                    && (a.score - b.score).abs() < 0.02
                    && sides.all(|(a, b)| (a - b).abs() < 4.0)
            };
            assert!(those.iter().any(near), "{a:?} not in {those:?}");
        }
    }
}
