//! Networks on the boards in QEMU: their outputs, and what they take.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use eyespot_convert::{ColorOrder, Converted, Graph, ImageFit, Task, sample};
use eyespot_core::{
    Detection, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage as _,
    Predictor as _,
};
use eyespot_launch::{Board, PROFILE, Runner, Toolchain, execute};
use eyespot_nn::{Model, Network, NnPredictor, NnStorage};
use object::{Object as _, ObjectSymbol as _, SymbolKind};

use crate::run::{Result, data, run as command};
use crate::size::compare;

const PACKAGE: &str = "network";

/// Models of TensorFlow Lite and the number of images that they run on.
const QUANTISED: [(&str, u32); 4] = [
    ("person_detect_96_int8", 3),
    ("vww_96_int8", 3),
    ("resnet8_cifar10_int8", 3),
    ("mobilenet_v1_0.25_128_uint8", 3),
];

/// Confidence from which on an object of the original counts, and that with which its quantised twin may find it.
const CONF: (f32, f32) = (0.6, 0.5);

/// The side of FastestDet's input: the model's own, which fits in 1 MB.
const SIDE: usize = 352;

/// QEMU's boards: name in the table, machine, target, and the processor where the target alone has no DSP instructions.
const BOARDS: [(&str, &str, &str, Option<&str>); 2] = [
    ("Cortex-M7", "mps2-an500", "thumbv7em-none-eabihf", None),
    ("Cortex-M33", "mps2-an505", "thumbv8m.main-none-eabihf", Some("cortex-m33")),
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
    let Some(data) = data("models/mcu") else { return Ok(None) };
    let mut models = Vec::new();
    for (name, images) in QUANTISED {
        let bytes = read(&data.join(format!("models/mcu/{name}.tflite")))?;
        let graph = Graph::from_tflite(&bytes).map_err(|error| format!("{name}: {error}"))?;
        models.push((graph.with_name(name).build().map_err(|error| format!("{name}: {error}"))?, images));
    }
    let detector = fastestdet(&data)?;
    models.push((detector[1].clone(), 1));

    let mut text = String::from(
        "| model | flash | arena | MACs | M7, instructions | per MAC | M33, instructions | per MAC | stack |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut code = String::from("\n| code, bytes | engine | whole firmware |\n|---|---:|---:|\n");
    let mut firmwares = Vec::new();
    for (name, machine, target, cpu) in BOARDS {
        let firmware = build(target, cpu, "network-all", &[])?;
        let small = build(target, cpu, "network-classifiers", &["--no-default-features"])?;
        for (which, firmware) in [("", &firmware), (", classifiers only", &small)] {
            let (engine, all) = code_of(firmware)?;
            let _ = writeln!(code, "| {name}{which} | {engine} | {all} |");
        }
        // Without the operators that it does not have a classifier gives what it gives with them.
        if let Some((Converted { bytes, .. }, images)) = models.first() {
            let run = Run::of(machine, target, &small, bytes, *images, None)?;
            let expected = on_computer(bytes, *images)?;
            if run.outputs != expected {
                return Err(format!("{}: {machine} gives {}, not {expected}", QUANTISED[0].0, run.outputs));
            }
        }
        firmwares.push((machine, target, firmware));
    }
    let photos = photos(&data, &detector, &firmwares)?;
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
    Ok(Some(text + &code + &photos))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// FastestDet as it was published, and quantised with the calibration photos.
fn fastestdet(data: &Path) -> Result<[Converted; 2]> {
    let name = format!("fastestdet_{SIDE}_int8");
    let wrong = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let graph = Graph::from_onnx(&read(&data.join("models/fastestdet_352.onnx"))?, Some([SIDE, SIDE]))
        .map_err(|error| wrong(&error))?;
    let input = graph.image_of_levels(ColorOrder::Bgr, ImageFit::Stretch);
    let side = SIDE as u16;
    let graph =
        graph.with_name(&name).with_image(input).with_task(Task::FastestDet { trained: [side, side] });
    let photos = std::fs::read_dir(data.join("calibration")).map_err(|error| wrong(&error))?;
    let mut photos: Vec<PathBuf> = photos
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| wrong(&error))?;
    photos.sort();
    let mut samples = Vec::new();
    for path in photos {
        let photo = Photo::read(&path)?;
        samples.push(sample(&photo.view()?, &input, [SIDE, SIDE]).map_err(|error| wrong(&error))?);
    }
    let original = graph.build().map_err(|error| wrong(&error))?;
    let quantised =
        graph.quantized(samples).and_then(|graph| graph.build()).map_err(|error| wrong(&error))?;
    Ok([original, quantised])
}

/// A photo of the test data.
struct Photo(image::RgbImage);

impl Photo {
    fn read(path: &Path) -> Result<Self> {
        let photo = image::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(photo.into_rgb8()))
    }
    fn view(&self) -> Result<ImageView<'_>> {
        let (width, height) = (self.0.width() as u16, self.0.height() as u16);
        ImageView::packed(&self.0, width, height, PixelFormat::Rgb8).map_err(|error| error.to_string())
    }
}

/// What a model of FastestDet finds on this computer, and the checksum of its outputs.
fn detect(
    bytes: &[u8],
    photo: &ImageView<'_>,
    labels: &[&str],
    conf: f32,
) -> Result<(Vec<Detection>, String)> {
    let wrong = |error: &dyn std::fmt::Display| format!("fastestdet: {error}");
    let model = Model::load(bytes).map_err(|error| wrong(&error))?;
    let network = Network::new(model, vec![0u64; model.arena_words()]).map_err(|error| wrong(&error))?;
    let storage = Box::new(NnStorage::<SIDE, 1024>::new());
    let mut predictor = NnPredictor::new(network, storage, labels).map_err(|error| wrong(&error))?;
    let mut results = Predictions::<32>::new();
    let options = PredictOptions::new().with_conf(conf).map_err(|error| wrong(&error))?;
    predictor.predict(&Frame::still(*photo), &options, results.view_mut()).map_err(|error| wrong(&error))?;
    let checksum = format!("{:08x}", network::checksum(predictor.network(), 0));
    Ok((results.view().detections().to_vec(), checksum))
}

/// What FastestDet finds in photos, as it was published and quantised; the outputs of the boards must be those of this
/// computer.
fn photos(data: &Path, models: &[Converted; 2], firmwares: &[(&str, &str, PathBuf)]) -> Result<String> {
    let [original, quantised] = models.each_ref().map(|model| &*model.bytes);
    let classes = String::from_utf8_lossy(&read(&data.join("models/coco_classes.txt"))?).into_owned();
    let labels: Vec<&str> = classes.lines().collect();
    let model = Model::load(quantised).map_err(|error| error.to_string())?;
    let (Some(port), Some(image)) = (model.input(0), model.info().image) else {
        return Err("fastestdet: no image goes in".to_owned());
    };
    let mut text = String::from("\n| photo | found | original | int8, boards |\n|---|---|---:|---:|\n");
    for name in ["dog.jpg", "bus.jpg"] {
        let photo = Photo::read(&data.join("images").join(name))?;
        let view = photo.view()?;
        let values = sample(&view, &image, [SIDE, SIDE]).map_err(|error| format!("{name}: {error}"))?;
        let quantise = |value: f32| (value / port.scale).round() as i32 + i32::from(port.zero_point);
        let input: Vec<u8> = values.into_iter().map(|value| quantise(value).clamp(-128, 127) as u8).collect();
        let (found, expected) = detect(quantised, &view, &labels, CONF.1)?;
        for (machine, target, firmware) in firmwares {
            let run = Run::of(machine, target, firmware, quantised, 1, Some(&input))?;
            if run.outputs != expected {
                return Err(format!("{name}: {machine} gives {} and this computer {expected}", run.outputs));
            }
        }
        for object in detect(original, &view, &labels, CONF.0)?.0 {
            let label = labels.get(object.class.index()).copied().unwrap_or_default();
            let same = |other: &&Detection| other.class == object.class && other.bbox.iou(&object.bbox) > 0.5;
            let Some(same) = found.iter().find(same) else {
                return Err(format!("{name}: the boards don't find the {label} of {:.2}", object.score));
            };
            let _ = writeln!(text, "| `{name}` | {label} | {:.2} | {:.2} |", object.score, same.score);
        }
    }
    Ok(text)
}

/// The checksum of the outputs by the plain kernels of this computer.
fn on_computer(bytes: &[u8], images: u32) -> Result<String> {
    let model = Model::load(bytes).map_err(|error| error.to_string())?;
    let arena = vec![0u64; model.arena_words()];
    let mut network = Network::plain(model, arena).map_err(|error| error.to_string())?;
    Ok(format!("{:08x}", network::outputs(&mut network, images, Network::run)))
}

/// Builds the firmware for a target with options about its features. Returns the ELF file under a name of its own.
pub(crate) fn build(target: &str, cpu: Option<&str>, name: &str, features: &[&str]) -> Result<PathBuf> {
    let toolchain = Toolchain::core_only(target).map_err(|error| error.to_string())?.tuned_for(cpu);
    let run = |what: &str, lints: &[&str]| {
        let mut cargo = toolchain.cargo(what);
        cargo.args(["--quiet", "--profile", PROFILE, "-p", PACKAGE, "--bin", PACKAGE]);
        cargo.args(features).args(lints);
        command(cargo.env("DEFMT_LOG", "info"))
    };
    if cpu.is_none() {
        run("clippy", &["--", "-D", "warnings"])?;
    }
    run("build", &[])?;
    let built = toolchain.target_dir().join(target).join(PROFILE).join(PACKAGE);
    let kept = built.with_file_name(name);
    std::fs::copy(&built, &kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    Ok(kept)
}

/// Bytes of the functions of the engine, and of all.
pub(crate) fn code_of(firmware: &Path) -> Result<(u64, u64)> {
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
pub(crate) struct Run {
    /// Checksum of all outputs.
    outputs: String,
    /// Mean of a run.
    pub(crate) instructions: u64,
    /// Bytes of stack that were used at most.
    pub(crate) stack: u64,
}

impl Run {
    pub(crate) fn of(
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
            cpu: None,
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
