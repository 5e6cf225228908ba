//! Runs a model in Eyespot's engine, for `compare.py`. `peers.py` does the same in engines that come as Python packages, and
//! tells what is said over standard input and output.
//!
//! `eyespot-inference convert MODEL.onnx|MODEL.tflite SIDE|- MODEL.eye` writes a model of Eyespot's own,
//! `eyespot-inference quantize MODEL.onnx SAMPLES MODEL.eye` one of int8 (SAMPLES: inputs, channels first, one after the
//! other); `eyespot-inference profile MODEL.eye INPUT THREADS` prints the time of each layer, `eyespot-inference load
//! MODEL.eye THREADS` that of loading for the first time.

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "tract")]
mod tract;

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use eyespot_nn::graph::Element;
use eyespot_nn::host::{Arena, Header, Host, Level};
use eyespot_nn::{Description, Model, Network, Values, ValuesMut};
use rustix::time::{ClockId, clock_gettime};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["eyespot", model, input, threads] => eyespot(model, input, threads.parse()?),
        #[cfg(feature = "tract")]
        ["tract", model, input, shape] => tract::run(model, input, shape),
        #[cfg(feature = "burn")]
        ["burn", weights, input] => burn::run(weights, input),
        ["convert", from, side, to] => convert(from, side, to),
        ["quantize", from, samples, to] => quantize(from, samples, to),
        ["profile", model, input, threads] => profile(model, input, threads.parse()?),
        ["load", model, threads] => load(model, threads.parse()?),
        _ => Err("usage: eyespot-inference load|eyespot|convert|quantize|profile ...".into()),
    }
}

/// Floats in a file.
fn floats(path: &str) -> Result<Vec<f32>> {
    Ok(std::fs::read(path)?.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// A field of the process's memory, in KiB.
fn memory(field: &str) -> Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.trim_start_matches(':').split_whitespace().next().ok_or("no number")?.parse()?)
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Answers the commands that come in. `run` gives the output where it is asked to.
fn serve(
    version: &str,
    before: i64,
    loaded: Duration,
    mut run: impl FnMut(bool) -> Result<Vec<f32>>,
) -> Result {
    let start = Instant::now();
    run(false)?;
    let [loaded, first] = [loaded, start.elapsed()].map(|time| time.as_secs_f64() * 1e3);
    println!("ready {version} {loaded} {first}");
    for line in std::io::stdin().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("run", count) => {
                let count: u32 = count.parse()?;
                let (wall, cpu) = (Instant::now(), cpu_seconds());
                for _ in 0..count {
                    std::hint::black_box(run(false)?);
                }
                let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
                println!("{} {}", wall / f64::from(count) * 1e3, cpu / f64::from(count) * 1e3);
            }
            ("peak", _) => println!("{}", memory("VmHWM")? - before),
            ("output", path) => {
                let bytes: Vec<u8> = run(true)?.iter().flat_map(|value| value.to_le_bytes()).collect();
                std::fs::write(path, bytes)?;
                println!("written");
            }
            _ => return Err(format!("unknown command: {line}").into()),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// The network of a file with the kernels of an instruction set by name, for comparisons (`common` are those that every
/// target has), or with the best ones.
fn network(path: &str, threads: usize) -> Result<Network<'static, Arena>> {
    let level = match std::env::var("LEVEL") {
        Ok(name) if name == "common" => {
            let model = Model::load(std::fs::read(path)?.leak())?;
            return Ok(Network::new(model, Arena::new(model.arena_words()))?);
        }
        Ok(name) => Level::all().find(|level| level.name() == name).ok_or("this CPU has no such level")?,
        Err(_) => Level::best(),
    };
    let mut file = File::open(path)?;
    let header = Box::leak(Box::new(Header::read(&mut file)?));
    Ok(Network::from_file(header, &mut file, Host { threads, level })?)
}

/// An input with the channels of a pixel together, quantised where the network's is.
enum Input {
    F32(Vec<f32>),
    I8(Vec<i8>),
}

impl Input {
    /// From a file of floats with channels first, or of bytes where the model is one of levels.
    fn read(path: &str, model: &Description<'_>) -> Result<Self> {
        let port = model.input(0).ok_or("no input")?;
        if path.ends_with(".u8") {
            return Ok(Self::I8(std::fs::read(path)?.iter().map(|&level| (level ^ 0x80) as i8).collect()));
        }
        let values = floats(path)?;
        let channels = port.slot.shape.c as usize;
        let values = transpose(&values, channels, values.len() / channels);
        Ok(match port.element {
            Element::F32 => Self::F32(values),
            Element::I8 => {
                let number = |value: &f32| (value / port.scale).round() + f32::from(port.zero_point);
                Self::I8(values.iter().map(|value| number(value) as i8).collect())
            }
        })
    }

    fn write(&self, network: &mut Network<'_, Arena>) -> Result {
        match (self, network.input_mut(0)) {
            (Self::F32(from), ValuesMut::F32(to)) => to.copy_from_slice(from),
            (Self::I8(from), ValuesMut::I8(to)) => to.copy_from_slice(from),
            _ => return Err("the input is of another type".into()),
        }
        Ok(())
    }
}

/// Channels first to channels last, or back.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

fn eyespot(path: &str, input: &str, threads: usize) -> Result {
    let before = memory("VmRSS")?;
    let start = Instant::now();
    let mut network = network(path, threads)?;
    let model = *network.description();
    let loaded = start.elapsed();
    let output = model.output(0).ok_or("no output")?;
    let input = Input::read(input, &model)?;
    serve(env!("CARGO_PKG_VERSION"), before, loaded, |wanted| {
        input.write(&mut network)?;
        network.run();
        if !wanted {
            return Ok(Vec::new());
        }
        let values: Vec<f32> = match network.output(0) {
            Values::F32(values) => values.to_vec(),
            Values::I8(values) => {
                let zero = f32::from(output.zero_point);
                values.iter().map(|&value| (f32::from(value) - zero) * output.scale).collect()
            }
        };
        // The other engines give their images channels first.
        let shape = output.slot.shape;
        let channels = shape.c as usize;
        Ok(if shape.h > 1 { transpose(&values, values.len() / channels, channels) } else { values })
    })
}

fn convert(from: &str, side: &str, to: &str) -> Result {
    let size = if side == "-" { None } else { Some([side.parse()?; 2]) };
    let bytes = std::fs::read(from)?;
    let graph = if from.ends_with(".tflite") {
        eyespot_convert::Graph::from_tflite(&bytes)?
    } else {
        eyespot_convert::Graph::from_onnx(&bytes, size)?
    };
    write(graph, to)
}

fn quantize(from: &str, samples: &str, to: &str) -> Result {
    let graph = eyespot_convert::Graph::from_onnx(&std::fs::read(from)?, None)?;
    let [height, width] = graph.input_size().ok_or("the input is no image")?;
    let (pixels, samples) = (height * width, floats(samples)?);
    let samples = samples.chunks_exact(3 * pixels).map(|sample| transpose(sample, 3, pixels));
    write(graph.quantized(samples)?, to)
}

fn write(graph: eyespot_convert::Graph, to: &str) -> Result {
    let name = Path::new(to).file_stem().unwrap_or_default().to_string_lossy();
    let converted = graph.with_name(name).build()?;
    std::fs::write(to, converted.bytes)?;
    println!("{}", converted.report.macs);
    Ok(())
}

/// The time to load a model for the first time in a process, when all memory is new, from a file that the system has in its
/// memory.
fn load(path: &str, threads: usize) -> Result {
    let (start, before) = (Instant::now(), cpu_seconds());
    // What it takes to drop it again does not count.
    let _network = std::hint::black_box(network(path, threads)?);
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - before);
    println!("{:.2} ms, {:.2} ms of CPU time", wall * 1e3, cpu * 1e3);
    Ok(())
}

fn profile(path: &str, input: &str, threads: usize) -> Result {
    let mut network = network(path, threads)?;
    let model = *network.description();
    let input = Input::read(input, &model)?;
    let mut layers: Vec<(f64, String)> = Vec::new();
    for _ in 0..50 {
        input.write(&mut network)?;
        let (mut at, mut start) = (0, Instant::now());
        network.run_with(|layer, _| {
            let time = start.elapsed().as_secs_f64();
            if layers.len() == at {
                layers.push((time, format!("{} {:?}", layer.name, layer.op)));
            }
            layers[at].0 = layers[at].0.min(time);
            at += 1;
            start = Instant::now();
        });
    }
    let all: f64 = layers.iter().map(|(time, _)| time).sum();
    for (time, layer) in &layers {
        println!("{:8.1} us {:5.1} %  {layer}", time * 1e6, time / all * 100.0);
    }
    println!("{:8.1} us, {:.1} GMAC/s", all * 1e6, model.info().macs as f64 / all / 1e9);
    Ok(())
}
