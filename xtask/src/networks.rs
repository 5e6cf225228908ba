//! Networks on the boards in QEMU: their outputs, and what they take.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use eyespot_convert::{ColorOrder, Converted, Graph, ImageFit, Task, sample};
use eyespot_core::{
    Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage as _, Predictor as _,
};
use eyespot_launch::{Board, PROFILE, Runner, Toolchain, execute};
use eyespot_nn::{Model, Network, NnPredictor, NnStorage};
use object::{Object as _, ObjectSymbol as _, SymbolKind};

use crate::run::{Result, root, run as command};
use crate::size::compare;

const PACKAGE: &str = "network";

/// Models of TensorFlow Lite and the number of images that they run on.
const QUANTISED: [(&str, u32); 4] = [
    ("person_detect_96_int8", 3),
    ("vww_96_int8", 3),
    ("resnet8_cifar10_int8", 3),
    ("mobilenet_v1_0.25_128_uint8", 3),
];

/// The side of FastestDet's input: the model's own, which fits in 1 MB.
const SIDE: usize = 352;

/// QEMU's boards: name in the table, machine, target, and the compiler's flags for the DSP instructions.
const BOARDS: [(&str, &str, &str, &str); 2] = [
    ("Cortex-M7", "mps2-an500", "thumbv7em-none-eabihf", ""),
    ("Cortex-M33", "mps2-an505", "thumbv8m.main-none-eabihf", "-C target-cpu=cortex-m33"),
];

/// Parts of symbols' names that say that a function belongs to the engine.
const ENGINE: [&str; 4] = ["eyespot_nn", "postcard", "serde", "firmware::infer"];

pub(crate) fn print() -> Result {
    tables().map(|found| print!("{}", found.unwrap_or_default()))
}

/// Fails where BENCHMARKS.md says something else.
pub(crate) fn check() -> Result {
    tables()?.map_or(Ok(()), |found| compare("BENCHMARKS.md", "networks", &found))
}

/// The tables; `None` where there are no models.
fn tables() -> Result<Option<String>> {
    let data = std::env::var_os("EYESPOT_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if !data.join("models/mcu").is_dir() {
        eprintln!("IGNORED: no test data at {}", data.display());
        return Ok(None);
    }
    let mut models = Vec::new();
    for (name, images) in QUANTISED {
        let bytes = read(&data.join(format!("models/mcu/{name}.tflite")))?;
        let graph = Graph::from_tflite(&bytes).map_err(|error| format!("{name}: {error}"))?;
        models.push((graph.with_name(name).build().map_err(|error| format!("{name}: {error}"))?, images));
    }
    models.push((fastestdet(&data)?, 1));

    let mut text = String::from(
        "| model | flash | arena | MACs | M7, instructions | per MAC | M33, instructions | per MAC | stack |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut code = String::from("\n| code, bytes | engine | whole firmware |\n|---|---:|---:|\n");
    let mut firmwares = Vec::new();
    for (name, machine, target, flags) in BOARDS {
        let firmware = build(target, flags)?;
        let (engine, all) = code_of(&firmware)?;
        let _ = writeln!(code, "| {name} | {engine} | {all} |");
        firmwares.push((machine, target, firmware));
    }
    let photo = photo(&data, models.last().map(|(model, _)| &*model.bytes).unwrap_or_default(), &firmwares)?;
    for (Converted { bytes, report }, images) in models {
        let name = &report.name;
        eprintln!("network {name}");
        let expected = on_computer(&bytes, images)?;
        let _ = write!(text, "| {name} | {} | {} | {} |", report.flash, report.arena, report.macs);
        let mut stack = 0;
        for (machine, target, firmware) in &firmwares {
            let run = Run::of(machine, target, firmware, &bytes, images, None)?;
            if run.outputs != expected {
                return Err(format!("{name}: {machine} gives {} and this computer {expected}", run.outputs));
            }
            let per_mac = run.instructions as f64 / report.macs as f64;
            let _ = write!(text, " {} | {per_mac:.2} |", run.instructions);
            stack = run.stack.max(stack);
        }
        let _ = writeln!(text, " {stack} |");
    }
    Ok(Some(text + &code + &photo))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// FastestDet, quantised with the calibration photos.
fn fastestdet(data: &Path) -> Result<Converted> {
    let name = format!("fastestdet_{SIDE}_int8");
    let wrong = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let graph = Graph::from_onnx(&read(&data.join("models/fastestdet_352.onnx"))?, Some([SIDE, SIDE]))
        .map_err(|error| wrong(&error))?;
    let input = graph.image_of_levels(ColorOrder::Bgr, ImageFit::Stretch);
    let photos = std::fs::read_dir(data.join("calibration")).map_err(|error| wrong(&error))?;
    let mut photos: Vec<PathBuf> = photos
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| wrong(&error))?;
    photos.sort();
    let mut samples = Vec::new();
    for path in photos {
        let photo = image::open(&path).map_err(|error| wrong(&error))?.into_rgb8();
        let (width, height) = (photo.width() as u16, photo.height() as u16);
        let view =
            ImageView::packed(&photo, width, height, PixelFormat::Rgb8).map_err(|error| wrong(&error))?;
        samples.push(sample(&view, &input, [SIDE, SIDE]).map_err(|error| wrong(&error))?);
    }
    let side = SIDE as u16;
    graph
        .with_name(&name)
        .with_image(input)
        .with_task(Task::FastestDet { trained: [side, side] })
        .quantized(samples)
        .and_then(|graph| graph.build())
        .map_err(|error| wrong(&error))
}

/// What FastestDet finds in a photo; the outputs of the boards must be those of this computer.
fn photo(data: &Path, bytes: &[u8], firmwares: &[(&str, &str, PathBuf)]) -> Result<String> {
    let wrong = |error: &dyn std::fmt::Display| format!("dog.jpg: {error}");
    let photo = image::open(data.join("images/dog.jpg")).map_err(|error| wrong(&error))?.into_rgb8();
    let (width, height) = (photo.width() as u16, photo.height() as u16);
    let view = ImageView::packed(&photo, width, height, PixelFormat::Rgb8).map_err(|error| wrong(&error))?;
    let model = Model::load(bytes).map_err(|error| wrong(&error))?;
    let (Some(port), Some(image)) = (model.input(0), model.info().image) else { return Ok(String::new()) };
    let values = sample(&view, &image, [SIDE, SIDE]).map_err(|error| wrong(&error))?;
    let quantise = |value: f32| (value / port.scale).round() as i32 + i32::from(port.zero_point);
    let input: Vec<u8> = values.into_iter().map(|value| quantise(value).clamp(-128, 127) as u8).collect();

    let classes = String::from_utf8_lossy(&read(&data.join("models/coco_classes.txt"))?).into_owned();
    let labels: Vec<&str> = classes.lines().collect();
    let network = Network::new(model, vec![0u64; model.arena_words()]).map_err(|error| wrong(&error))?;
    let storage = Box::new(NnStorage::<SIDE, 1024>::new());
    let mut predictor = NnPredictor::new(network, storage, &labels).map_err(|error| wrong(&error))?;
    let mut results = Predictions::<32>::new();
    let options = PredictOptions::new().with_conf(0.6).map_err(|error| wrong(&error))?;
    predictor.predict(&Frame::still(view), &options, results.view_mut()).map_err(|error| wrong(&error))?;
    let expected = format!("{:08x}", network::checksum(predictor.network(), 0));
    for (machine, target, firmware) in firmwares {
        let run = Run::of(machine, target, firmware, bytes, 1, Some(&input))?;
        if run.outputs != expected {
            return Err(wrong(&format!("{machine} gives {} and this computer {expected}", run.outputs)));
        }
    }
    let mut text = String::from("\n| found in `dog.jpg` | score |\n|---|---:|\n");
    for found in results.view().detections() {
        let label = labels.get(found.class.index()).copied().unwrap_or_default();
        let _ = writeln!(text, "| {label} | {:.2} |", found.score);
    }
    Ok(text)
}

/// The checksum of the outputs by the plain kernels of this computer.
fn on_computer(bytes: &[u8], images: u32) -> Result<String> {
    let model = Model::load(bytes).map_err(|error| error.to_string())?;
    let arena = vec![0u64; model.arena_words()];
    let mut network = Network::new(model, arena).map_err(|error| error.to_string())?;
    Ok(format!("{:08x}", network::outputs(&mut network, images, |network| network.run_plain_with(|_, _| {}))))
}

/// Builds the firmware for a target. Returns the ELF file.
fn build(target: &str, flags: &str) -> Result<PathBuf> {
    let toolchain = Toolchain::core_only(target).map_err(|error| error.to_string())?;
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"));
    let run = |what: &str, lints: &[&str]| {
        let mut cargo = toolchain.cargo(what);
        cargo.args(["--quiet", "--profile", PROFILE, "-p", PACKAGE, "--bin", PACKAGE]).args(lints);
        if !flags.is_empty() {
            cargo.env(&variable, flags);
        }
        command(cargo.env("DEFMT_LOG", "info"))
    };
    if flags.is_empty() {
        run("clippy", &["--", "-D", "warnings"])?;
    }
    run("build", &[])?;
    Ok(toolchain.target_dir().join(target).join(PROFILE).join(PACKAGE))
}

/// Bytes of the functions of the engine, and of all.
fn code_of(firmware: &Path) -> Result<(u64, u64)> {
    let bytes = read(firmware)?;
    let file = object::File::parse(&*bytes).map_err(|error| format!("{}: {error}", firmware.display()))?;
    let mut sizes = (0, 0);
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or_default()));
        sizes.1 += symbol.size();
        if ENGINE.iter().any(|part| name.contains(part)) {
            sizes.0 += symbol.size();
        }
    }
    Ok(sizes)
}

/// What a board says of a model.
struct Run {
    /// Checksum of all outputs.
    outputs: String,
    /// Mean of a run.
    instructions: u64,
    /// Bytes of stack that were used at most.
    stack: u64,
}

impl Run {
    fn of(
        machine: &str,
        target: &str,
        firmware: &Path,
        model: &[u8],
        images: u32,
        input: Option<&[u8]>,
    ) -> Result<Self> {
        // The emulator starts in this program's folder, so that the name stays short: a board has little room for it.
        let folder = firmware.parent().unwrap_or(Path::new("."));
        let io = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::env::set_current_dir(folder).map_err(io)?;
        std::fs::write("model.eye", model).map_err(io)?;
        let board = Board {
            package: PACKAGE.to_owned(),
            target: target.to_owned(),
            runner: Runner::Qemu { machine: machine.to_owned() },
        };
        let mut lines = Vec::new();
        let mut arguments = vec!["model.eye".to_owned(), images.to_string()];
        if let Some(input) = input {
            std::fs::write("input", input).map_err(io)?;
            arguments.push("input".to_owned());
        }
        let code = execute(&board, firmware, &arguments, |line| lines.push(line.text.clone()))
            .map_err(|error| error.to_string())?;
        std::fs::remove_file("model.eye").map_err(io)?;
        if input.is_some() {
            std::fs::remove_file("input").map_err(io)?;
        }
        let after = |start: &str| lines.iter().find_map(|line| line.strip_prefix(start));
        let numbers = after("instructions, arena, stack: ")
            .map(|numbers| numbers.split(' ').filter_map(|number| number.parse().ok()).collect::<Vec<u64>>());
        match (after("outputs: "), numbers.as_deref()) {
            (Some(outputs), Some(&[instructions, _, stack])) if code == 0 => {
                Ok(Self { outputs: outputs.to_owned(), instructions, stack })
            }
            _ => Err(format!("{machine} ended with {code}:\n{}", lines.join("\n"))),
        }
    }
}
