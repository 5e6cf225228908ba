//! `convert MODEL -o FILE.eye`: a model for the fixed-memory engine.

use std::path::{Path, PathBuf};

use eyespot_convert::{ColorOrder, Graph, ImageFit, ImageInput, Task, sample};
use eyespot_core::FrameSource as _;
use eyespot_media::{ImageOptions, ImageSource, MediaSource as _};

use crate::args::{self, Convert};
use crate::{Failure, Outcome, progress};

pub(crate) fn run(args: &Convert, quiet: bool) -> Result<Outcome, Failure> {
    let of_model = |error: &dyn std::fmt::Display| format!("{}: {error}", args.model.display());
    let bytes = std::fs::read(&args.model).map_err(|error| of_model(&error))?;
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let size = args.img_size.map(|size| [usize::from(size.0.height), usize::from(size.0.width)]);
    let onnx = args.model.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    let graph = if onnx {
        Graph::from_onnx(&bytes, size).map_err(|error| of_model(&error))?
    } else if size.is_some() {
        return Err("--img-size is for .onnx models: the size of a .tflite model is fixed".into());
    } else {
        Graph::from_tflite(&bytes).map_err(|error| of_model(&error))?
    };
    let image = image(args, &graph)?;
    let task = match args.task {
        args::Task::Raw => Task::Raw,
        args::Task::Classify => Task::Classify,
        args::Task::Fastestdet => Task::FastestDet { trained: [352, 352] },
        args::Task::Yolox => Task::Yolox,
    };
    let mut graph = graph.with_name(name).with_image(image).with_task(task);
    if let Some(folder) = &args.calibrate {
        let size = graph.input_size().ok_or("the model has no image as its input: it can't be calibrated")?;
        graph = graph.quantized(samples(folder, &image, size, quiet)?).map_err(|error| of_model(&error))?;
    }
    let converted = graph.build().map_err(|error| of_model(&error))?;
    let output = args.output.clone().unwrap_or_else(|| args.model.with_extension("eye"));
    std::fs::write(&output, &converted.bytes).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("{}", converted.report);
    if !quiet {
        eprintln!("wrote {}", output.display());
    }
    Ok(Outcome::Done)
}

/// How an image becomes the input: from the arguments, and for quantised models so that levels stay what they are.
fn image(args: &Convert, graph: &Graph) -> Result<ImageInput, Failure> {
    // What the published models take.
    let (color, fit) = match args.task {
        args::Task::Raw | args::Task::Classify => (args::Color::Rgb, args::Fit::Stretch),
        args::Task::Fastestdet => (args::Color::Bgr, args::Fit::Stretch),
        args::Task::Yolox => (args::Color::Bgr, args::Fit::TopLeft),
    };
    let order = match args.color.unwrap_or(color) {
        args::Color::Gray => ColorOrder::Gray,
        args::Color::Rgb => ColorOrder::Rgb,
        args::Color::Bgr => ColorOrder::Bgr,
    };
    let fit = match args.fit.unwrap_or(fit) {
        args::Fit::Stretch => ImageFit::Stretch,
        args::Fit::TopLeft => ImageFit::TopLeft,
        args::Fit::Center => ImageFit::Center,
    };
    let mut image = graph.image_of_levels(order, fit);
    image.mean = per_channel("--mean", &args.mean, image.mean)?;
    let levels = args.task == args::Task::Yolox && !graph.is_quantized();
    image.std = per_channel("--std", &args.std, if levels { [1.0; 3] } else { image.std })?;
    Ok(image)
}

/// A number for each channel, from one for all or from three.
fn per_channel(flag: &str, given: &[f32], default: [f32; 3]) -> Result<[f32; 3], Failure> {
    match *given {
        [] => Ok(default),
        [all] => Ok([all; 3]),
        [first, second, third] => Ok([first, second, third]),
        _ => Err(format!("{flag} takes one number or three, but was given {}", given.len()).into()),
    }
}

/// The photos of a folder as inputs. A broken one is said and left out.
fn samples(
    folder: &Path,
    image: &ImageInput,
    size: [usize; 2],
    quiet: bool,
) -> Result<Vec<Vec<f32>>, Failure> {
    let options = ImageOptions { recursive: true, ..ImageOptions::default() };
    let mut photos = ImageSource::open(folder, options)?;
    let count = photos.frame_count().unwrap_or_default();
    let bar = progress::frames(quiet, "calibrate");
    bar.set_length(count);
    let mut samples = Vec::new();
    loop {
        match photos.next_frame() {
            Ok(Some(frame)) => samples.push(sample(&frame.image, image, size)?),
            Ok(None) => break,
            Err(error) => bar.suspend(|| eprintln!("skipped: {error}")),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if samples.is_empty() {
        return Err(format!("{}: no photo could be read", PathBuf::from(folder).display()).into());
    }
    Ok(samples)
}
