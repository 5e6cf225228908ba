//! How long it takes to describe the people in an image: the median of 20 calls.
//!
//! `cargo run --release -p osnet --example describe -- osnet_x0_25.pth photo.jpg 10 cpu`: ten boxes. A variant in place
//! of the weights runs on noise.

use std::error::Error;
use std::time::{Duration, Instant};

use eyespot_burn::{BurnEmbedder, BurnModel, DeviceChoice, EmbedTimings, FromWeights, Loader};
use eyespot_core::{BBox, Embedder, Frame, ImageView, PixelFormat};
use osnet::{Osnet, Variant};

const CALLS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(weights), Some(image), Some(count)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: describe WEIGHTS IMAGE BOXES [DEVICE] [BATCH]".into());
    };
    let device = arguments.next().as_deref().unwrap_or("cpu").parse::<DeviceChoice>()?.open()?;
    let batch = arguments.next().as_deref().unwrap_or("32").parse()?;
    let image = image::open(image)?.to_rgb8();
    let (width, height) = (u16::try_from(image.width())?, u16::try_from(image.height())?);
    let frame = Frame::still(ImageView::packed(image.as_raw(), width, height, PixelFormat::Rgb8)?);
    let start = Instant::now();
    let model = match weights.parse::<Variant>() {
        Ok(variant) => Osnet::build(variant.config(), &mut Loader::synthetic(1, 1, device.device()))?,
        Err(_) => Osnet::load(&weights, device.device())?,
    };
    let load = start.elapsed();
    let mut embedder = BurnEmbedder::new(model, device).with_batch(batch);

    // People side by side.
    let step = f32::from(width) / count.parse::<f32>()?;
    let boxes: Vec<BBox> = (0..count.parse::<u16>()?)
        .map(|at| BBox::from_xywh(f32::from(at) * step, 0.0, step, (3.0 * step).min(f32::from(height))))
        .collect();
    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        embedder.embed(&frame, &boxes, &mut |_, _| ())?;
        calls.push(embedder.timings());
    }
    let median = |stage: fn(&EmbedTimings) -> Duration| {
        let mut times: Vec<_> = calls.iter().map(stage).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!(
        "{} on {}: loaded in {load:.1?}; {count} boxes: crops {:.2?}, network {:.2?}",
        embedder.model().head().name,
        embedder.device(),
        median(|call| call.crop),
        median(|call| call.forward)
    );
    Ok(())
}
