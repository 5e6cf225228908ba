//! `bench`: how fast this computer runs models, on a rendered scene. Needs no weights.

mod machine;
mod power;

use core::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use eyespot_core::{
    Frame, FrameSource as _, ImageView, InputSize, PixelFormat, PredictOptions, PredictionsBuf,
    PredictionsStorage as _,
};
use eyespot_models::NoProgress;
use eyespot_runtime::{LoadOptions, Loader};
use eyespot_scene::{Scene, SceneConfig, SceneSource};

use self::power::Meter;
use crate::args::Bench;
use crate::{Board, Failure, Outcome};

/// Frames of the scene, which are predicted over and over.
const FRAMES: u64 = 8;

/// What is measured where nothing is named: from the smallest to what wants a GPU.
const MODELS: [&str; 4] = ["motion", "fastestdet/fastestdet", "yolox/yolox-nano", "yolox/yolox-s"];

/// What was measured of a model.
struct Row {
    model: String,
    input: Option<InputSize>,
    device: String,
    load: Duration,
    first: Duration,
    /// Of all frames, sorted.
    times: Vec<Duration>,
    /// Of all cores for a frame, where the system tells.
    cpu: Option<Duration>,
    /// Of the board, where it tells.
    watts: Option<f64>,
}

/// What a run asks for beside models.
struct Setup<'a> {
    loader: &'a Loader,
    options: LoadOptions,
    frames: &'a [Vec<u8>],
    size: InputSize,
    seconds: f64,
}

pub(crate) fn run(bench: &Bench, board: &Board) -> Result<Outcome, Failure> {
    let mut loader = Loader::from_env()?;
    loader.pull.offline = true;
    let size = bench.frame_size.0;
    let frames = frames(size)?;
    let options = LoadOptions::on(bench.device.as_deref().unwrap_or(board.device));
    let setup = Setup { loader: &loader, options, frames: &frames, size, seconds: bench.seconds };
    let names: Vec<&str> = match bench.models.as_slice() {
        [] => MODELS.to_vec(),
        models => models.iter().map(String::as_str).collect(),
    };
    let sizes: Vec<Option<InputSize>> = match bench.img_size.as_slice() {
        [] => vec![None],
        sizes => sizes.iter().map(|size| Some(size.0)).collect(),
    };
    println!("{}", machine::describe());
    println!("frames of {} x {} pixels, {} s for each row\n", size.width, size.height, bench.seconds);
    println!("| model | input | runs on | load | first | median | least | frames/s | CPU | power |");
    println!("|---|---|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut outcome = Outcome::Done;
    for name in names {
        for size in &sizes {
            match measure(&setup, name, *size) {
                Ok(row) => println!("{row}"),
                Err(error) => {
                    eprintln!("error: {name}: {error}");
                    outcome = Outcome::Partial;
                }
            }
        }
    }
    println!("\nMilliseconds; CPU is the time of all cores for a frame. Weights are noise, but for files.");
    if let Some(peak) = machine::peak_memory() {
        println!("Most memory that the process took: {:.0} MB", peak as f64 / 1e6);
    }
    Ok(outcome)
}

fn measure(setup: &Setup<'_>, name: &str, size: Option<InputSize>) -> Result<Row, Failure> {
    let start = Instant::now();
    let loaded = if Path::new(name).is_file() {
        setup.loader.load_predictor(name, &setup.options, &mut NoProgress)?
    } else {
        setup.loader.load_noise(name, &setup.options)?
    };
    let load = start.elapsed();
    let (mut predictor, device) = (loaded.plugin, loaded.device);
    let options = size.map_or_else(PredictOptions::new, |size| PredictOptions::new().with_img_size(size));
    let mut results = PredictionsBuf::new(100, 1 << 16, 0);
    let mut predict = |number: usize| -> Result<Duration, Failure> {
        let pixels = &setup.frames[number % setup.frames.len()];
        let image = ImageView::packed(pixels, setup.size.width, setup.size.height, PixelFormat::Rgb8)?;
        let mut frame = Frame::still(image);
        frame.info.index = number as u64;
        results.view_mut().clear();
        let start = Instant::now();
        predictor.predict(&frame, &options, results.view_mut())?;
        Ok(start.elapsed())
    };
    let first = predict(0)?;
    // Caches and clocks settle.
    let warm = Instant::now();
    let mut number = 1;
    while number < 3 || warm.elapsed().as_secs_f64() < setup.seconds / 10.0 {
        predict(number)?;
        number += 1;
    }
    let (mut times, mut meter, cpu) = (Vec::new(), Meter::start(), machine::cpu_time());
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < setup.seconds {
        times.push(predict(number)?);
        meter.sample();
        number += 1;
    }
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
    let cpu = machine::cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before) / count);
    times.sort_unstable();
    let spec = predictor.spec();
    let row = Row {
        model: spec.name.to_owned(),
        input: size.or(spec.input),
        device,
        load,
        first,
        times,
        cpu,
        watts: meter.watts(),
    };
    Ok(row)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let input = self.input.map(|size| format!("{} x {}", size.width, size.height));
        let median = self.times.get(self.times.len() / 2).copied().unwrap_or_default();
        let least = self.times.first().copied().unwrap_or_default();
        let sum: Duration = self.times.iter().sum();
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {} | {} |",
            self.model,
            input.unwrap_or_else(|| "any".to_owned()),
            self.device,
            ms(self.load),
            ms(self.first),
            ms(median),
            ms(least),
            self.times.len() as f64 / sum.as_secs_f64().max(1e-9),
            or_none(self.cpu.map(ms)),
            or_none(self.watts.map(|watts| format!("{watts:.1} W"))),
        )
    }
}

/// The pixels of a scene.
fn frames(size: InputSize) -> Result<Vec<Vec<u8>>, Failure> {
    let config = SceneConfig { objects: 8, ..SceneConfig::new(size.width, size.height) };
    let scene = Scene::new(config)?;
    let mut source = SceneSource::new(scene, vec![0; config.frame_bytes()]).with_frames(FRAMES);
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame()? {
        let mut pixels = Vec::new();
        for y in 0..frame.image.height() {
            pixels.extend_from_slice(frame.image.row(y).unwrap_or_default());
        }
        frames.push(pixels);
    }
    Ok(frames)
}
