//! How long the stages of a prediction take, and loading: the median of 50 calls.
//!
//! `cargo run --release -p yolox --example timings -- yolox_nano.onnx dog.jpg cpu`; with `flex` in place of `cpu`, Burn on
//! the CPU (one thread with `RAYON_NUM_THREADS=1`), with `gpu` Burn on a GPU: there also how long a frame takes where the next
//! one is submitted before its results are collected.

use std::error::Error;
use std::time::{Duration, Instant};

use eyespot_burn::{BurnPredictor, CpuPredictor, DeviceChoice, Host, Timings};
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
    let choice: DeviceChoice = arguments.next().as_deref().unwrap_or("cpu").parse()?;
    let image = image::open(image)?.to_rgb8();
    let (width, height) = (u16::try_from(image.width())?, u16::try_from(image.height())?);
    let frame = Frame::still(ImageView::packed(image.as_raw(), width, height, PixelFormat::Rgb8)?);
    let folder = tempfile::tempdir()?;
    let saved = folder.path().join("model.cache");
    let start = Instant::now();
    if choice == DeviceChoice::Cpu {
        let open = || CpuPredictor::load::<Yolox>(&weights, Some(&saved), Host::default());
        let mut predictor = open()?;
        let load = start.elapsed();
        let start = Instant::now();
        open()?;
        println!("{}: loaded in {load:.1?}, saved in {:.1?}", predictor.spec().name, start.elapsed());
        return measure(&mut predictor, &frame, CpuPredictor::timings);
    }
    let device = choice.open()?;
    let model = Yolox::load(&weights, device.device())?;
    let load = start.elapsed();
    Yolox::convert(&weights, &saved, device.device())?;
    let start = Instant::now();
    Yolox::load(&saved, device.device())?;
    let load_saved = start.elapsed();
    let mut predictor = BurnPredictor::new(model, device)?;
    println!(
        "{} on {}: loaded in {load:.1?}, saved in {load_saved:.1?}",
        predictor.spec().name,
        predictor.device()
    );
    measure(&mut predictor, &frame, BurnPredictor::timings)
}

/// Prints how long the stages take.
fn measure<P: Predictor<Error: Error + 'static>>(
    predictor: &mut P,
    frame: &Frame<'_>,
    timings: impl Fn(&P) -> Timings,
) -> Result<(), Box<dyn Error>> {
    let mut found = Predictions::<100>::new();
    let start = Instant::now();
    predictor.predict(frame, &PredictOptions::new(), found.view_mut())?;
    println!("first     {:.2?}", start.elapsed());
    let mut calls = Vec::with_capacity(CALLS);
    let start = Instant::now();
    for _ in 0..CALLS {
        found.view_mut().clear();
        predictor.predict(frame, &PredictOptions::new(), found.view_mut())?;
        calls.push(timings(predictor));
    }
    let in_turn = start.elapsed();
    let median = |stage: fn(&Timings) -> Duration| {
        let mut times: Vec<_> = calls.iter().map(stage).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!("letterbox {:.2?}", median(|call| call.letterbox));
    println!("forward   {:.2?}", median(|call| call.forward));
    println!("decode    {:.2?}", median(|call| call.decode));
    println!("nms       {:.2?} ({} detections)", median(|call| call.nms), found.view().len());
    println!("a frame   {:.2?}", in_turn / CALLS as u32);
    let (frames, options) = ([*frame], PredictOptions::new());
    if !predictor.submit(&frames, &options)? {
        return Ok(());
    }
    let mut submitted = Duration::ZERO;
    let start = Instant::now();
    for _ in 0..CALLS {
        let submission = Instant::now();
        predictor.submit(&frames, &options)?;
        submitted += submission.elapsed();
        found.view_mut().clear();
        predictor.collect(&options, &mut std::slice::from_mut(&mut found))?;
    }
    let (all, submitted) = (start.elapsed() / CALLS as u32, submitted / CALLS as u32);
    println!("ahead     {all:.2?}: submitted in {submitted:.2?}, collected in {:.2?}", all - submitted);
    Ok(())
}
