//! Time per frame at 1920x1080.

#![allow(clippy::expect_used, missing_docs, reason = "a figure that can't be taken ends the program")]

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use criterion::{Criterion, criterion_group, criterion_main};
use eyespot_core::{CameraMotion, Frame, ImageView, PixelFormat};
use eyespot_flow::{FlowStorage, SparseFlow};
use scenes::{Move, Pair, Picture, Trouble};

fn flow<const PIXELS: usize, const POINTS: usize>(c: &mut Criterion, name: &str, frames: &[Frame<'_>; 2]) {
    let mut motion = SparseFlow::new(Box::new(FlowStorage::<PIXELS, POINTS>::new()));
    let mut next = 0;
    c.bench_function(name, |bencher| {
        bencher.iter(|| {
            next ^= 1;
            motion.estimate(&frames[next], &[])
        });
    });
}

fn bench(c: &mut Criterion) {
    let picture = Picture::procedural(2000, 1200, 1);
    let turn = Move { degrees: 0.4, zoom: 1.004, shift: [6.3, -3.1] };
    let pair = Pair::new(&picture, (1920, 1080), turn, Trouble { noise: 2.0, movers: 4, brighter: 0.0 }, 1);
    let luma: Vec<Vec<u8>> =
        pair.frames.iter().map(|frame| frame.iter().map(|pixel| pixel[1]).collect()).collect();
    let colour = [0, 1].map(|index| {
        let bytes = pair.frames[index].as_flattened();
        Frame::still(ImageView::packed(bytes, 1920, 1080, PixelFormat::Bgr8).expect("a frame"))
    });
    let gray = [0, 1].map(|index| {
        Frame::still(ImageView::packed(&luma[index], 1920, 1080, PixelFormat::Gray8).expect("a frame"))
    });
    flow::<{ 480 * 270 }, 512>(c, "flow 480x270, BGR", &colour);
    flow::<{ 640 * 360 }, 960>(c, "flow 640x360, BGR", &colour);
    flow::<{ 480 * 270 }, 512>(c, "flow 480x270, luma", &gray);
    flow::<{ 640 * 360 }, 960>(c, "flow 640x360, luma", &gray);
    flow::<{ 160 * 90 }, 160>(c, "flow 160x90, luma", &gray);
}

criterion_group!(benches, bench);
criterion_main!(benches);
