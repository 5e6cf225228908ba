//! `cargo run --release` in this folder trains spotter and writes `../spotter.onnx` and `../spotter.eye`.
//!
//! Nothing is downloaded: the images are rendered by `eyespot-scene`. Equal settings give equal weights on one machine.

mod data;
mod loss;
mod network;
mod onnx;

use std::path::Path;

use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::Device;
use eyespot_convert::{ColorOrder, Graph, ImageFit, Task};

use data::{Batch, Crops, SIDE};
use network::Spotter;

/// Images of a step.
const BATCH: usize = 48;
/// Images that are rendered; each is seen several times.
const CROPS: usize = 48_000;
/// The largest learning rate.
const RATE: f64 = 3e-3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(4000), |steps| steps.parse::<usize>())?;
    let device = Device::flex().autodiff();
    device.seed(1);

    let crops = Crops::render(10_000, CROPS);
    let held_out = Crops::render(5_000, 960);
    eprintln!("{} images, {} objects", crops.len(), crops.objects());

    let mut model = Spotter::new(&device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(1e-3).init();
    let mut mean = 0.0;
    for step in 0..steps {
        let batch = Batch::new(&crops, (0..BATCH).map(|index| step * BATCH + index), &device);
        let loss = loss::total(model.forward(batch.images.clone()), &batch);
        mean += loss.clone().into_scalar::<f32>();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(rate(step, steps), model, gradients);
        if (step + 1) % 100 == 0 {
            eprintln!("step {}: loss {:.4}", step + 1, mean / 100.0);
            mean = 0.0;
        }
        if (step + 1) % 1000 == 0 || step + 1 == steps {
            eprintln!("held out: loss {:.4}", held_out_loss(&model, &held_out));
            write(&model, &crops)?;
        }
    }
    Ok(())
}

/// Up for a twentieth of the steps, then down by half a cosine.
fn rate(step: usize, steps: usize) -> f64 {
    let (done, warm) = (step as f64 / steps as f64, 0.05);
    if done < warm {
        RATE * (done / warm).max(0.01)
    } else {
        RATE * 0.5 * (1.0 + (std::f64::consts::PI * (done - warm) / (1.0 - warm)).cos())
    }
}

fn held_out_loss(model: &Spotter, crops: &Crops) -> f32 {
    let (model, device) = (model.valid(), Device::flex());
    let starts = (0..crops.len()).step_by(BATCH);
    let count = starts.len() as f32;
    let losses = starts.map(|start| {
        let batch = Batch::new(crops, start..start + BATCH, &device);
        loss::total(model.forward(batch.images.clone()), &batch).into_scalar::<f32>()
    });
    losses.sum::<f32>() / count
}

/// The network as ONNX, and quantised for firmware.
fn write(model: &Spotter, crops: &Crops) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let bytes = onnx::model(model);
    std::fs::write(folder.join("spotter.onnx"), &bytes)?;
    let samples: Vec<Vec<f32>> = (0..128)
        .map(|index| crops.image(index * 7).iter().map(|&level| f32::from(level) / 255.0).collect())
        .collect();
    let side = SIDE as u16;
    let graph = Graph::from_onnx(&bytes, None)?;
    let image = graph.image_of_levels(ColorOrder::Gray, ImageFit::Stretch);
    let converted = graph
        .with_name("spotter")
        .with_image(image)
        .with_task(Task::FastestDet { trained: [side, side] })
        .quantized(samples)?
        .build()?;
    eprintln!("{}", converted.report);
    std::fs::write(folder.join("spotter.eye"), &converted.bytes)?;
    Ok(())
}
