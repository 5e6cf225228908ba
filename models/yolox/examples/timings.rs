//! How long the stages of a prediction take, and loading: the median of 50 calls.
//!
//! `cargo run --release -p yolox --example timings -- yolox_nano.onnx dog.jpg cpu`; one thread with
//! `RAYON_NUM_THREADS=1`.

use std::error::Error;
use std::time::{Duration, Instant};

use eyespot_burn::{BurnPredictor, DeviceChoice, Timings};
use eyespot_core::{
    Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use yolox::Yolox;

const CALLS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(weights), Some(image)) = (arguments.next(), arguments.next()) else {
        return Err("usage: timings WEIGHTS IMAGE [DEVICE]".into());
    };
    let device = arguments.next().as_deref().unwrap_or("cpu").parse::<DeviceChoice>()?.open()?;
    let image = image::open(image)?.to_rgb8();
    let (width, height) = (u16::try_from(image.width())?, u16::try_from(image.height())?);
    let frame = Frame::still(ImageView::packed(image.as_raw(), width, height, PixelFormat::Rgb8)?);

    let start = Instant::now();
    let model = Yolox::load(&weights, device.device())?;
    let load = start.elapsed();
    let folder = tempfile::tempdir()?;
    let saved = folder.path().join("model.bpk");
    Yolox::convert(&weights, &saved, device.device())?;
    let start = Instant::now();
    Yolox::load(&saved, device.device())?;
    let load_saved = start.elapsed();
    let mut predictor = BurnPredictor::new(model, device)?;
    let start = Instant::now();
    let mut found = Predictions::<100>::new();
    predictor.predict(&frame, &PredictOptions::new(), found.view_mut())?;
    println!(
        "{} on {}: loaded in {load:.1?}, saved in {load_saved:.1?}, first call {:.1?}",
        predictor.spec().name,
        predictor.device(),
        start.elapsed()
    );

    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        found.view_mut().clear();
        predictor.predict(&frame, &PredictOptions::new(), found.view_mut())?;
        calls.push(predictor.timings());
    }
    let median = |stage: fn(&Timings) -> Duration| {
        let mut times: Vec<_> = calls.iter().map(stage).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!("letterbox {:.2?} ({width}x{height})", median(|call| call.letterbox));
    println!("forward   {:.2?}", median(|call| call.forward));
    println!("decode    {:.2?}", median(|call| call.decode));
    println!("nms       {:.2?} ({} detections)", median(|call| call.nms), found.view().len());
    Ok(())
}
