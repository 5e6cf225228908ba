//! A camera's frame to a model's input.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use eyespot_core::{ImageView, InputSize, PixelFormat};
use eyespot_image::{
    Channels, Fit, Layout, Letterbox, Levels, Normalize, Quantize, ResizeScratch, TensorFormat, gray_resized,
};

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;

fn view(data: &[u8], format: PixelFormat) -> ImageView<'_> {
    let luma = usize::from(WIDTH) * usize::from(HEIGHT);
    let (stride, half) = (u32::from(WIDTH), u32::from(WIDTH / 2));
    match format {
        PixelFormat::Nv12 => ImageView::nv12((data, stride), (&data[luma..], stride), WIDTH, HEIGHT).unwrap(),
        PixelFormat::Yuv420 => {
            let chroma = (&data[luma..], half);
            ImageView::yuv420((data, stride), chroma, chroma, WIDTH, HEIGHT).unwrap()
        }
        _ => ImageView::packed(data, WIDTH, HEIGHT, format).unwrap(),
    }
}

fn benches(criterion: &mut Criterion) {
    let data: Vec<u8> =
        (0..4 * 1280 * 720u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let formats = [
        PixelFormat::Rgb8,
        PixelFormat::Bgr8,
        PixelFormat::Rgba8,
        PixelFormat::Gray8,
        PixelFormat::Yuyv,
        PixelFormat::Nv12,
        PixelFormat::Yuv420,
    ];
    let target = InputSize::square(416);
    let letterbox = Letterbox::new(InputSize::new(WIDTH, HEIGHT), target, Fit::TopLeft).unwrap();
    let mut scratch = ResizeScratch::<416>::new();

    let mut group = criterion.benchmark_group("letterbox 1280x720 to 416x416");
    let float = TensorFormat::new(Layout::Planar, Channels::Bgr, Normalize::LEVELS);
    let mut tensor = vec![0.0; float.len_of(target)];
    for format in formats {
        let view = view(&data, format);
        group.bench_function(format!("{format:?} to planar f32"), |bencher| {
            bencher.iter(|| letterbox.apply(&view, &float, scratch.lend(), black_box(&mut tensor)).unwrap());
        });
    }
    let image = view(&data, PixelFormat::Rgb8);
    let interleaved = TensorFormat::new(Layout::Interleaved, Channels::Rgb, Levels);
    let mut levels = vec![0; interleaved.len_of(target)];
    group.bench_function("Rgb8 to interleaved u8", |bencher| {
        bencher
            .iter(|| letterbox.apply(&image, &interleaved, scratch.lend(), black_box(&mut levels)).unwrap());
    });
    let quantize = Quantize::i8(&Normalize::UNIT, 1.0 / 255.0, -128).unwrap();
    let quantized = TensorFormat::new(Layout::Interleaved, Channels::Rgb, quantize);
    let mut values = vec![0; quantized.len_of(target)];
    group.bench_function("Rgb8 to interleaved i8", |bencher| {
        bencher.iter(|| letterbox.apply(&image, &quantized, scratch.lend(), black_box(&mut values)).unwrap());
    });
    let gray = TensorFormat::new(Layout::Planar, Channels::Gray, Levels);
    let mut grays = vec![0; gray.len_of(target)];
    for format in [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Nv12] {
        let image = view(&data, format);
        group.bench_function(format!("{format:?} to grey u8"), |bencher| {
            bencher.iter(|| letterbox.apply(&image, &gray, scratch.lend(), black_box(&mut grays)).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("grey areas from 1280x720");
    for (width, height) in [(320, 180), (416, 234), (96, 96)] {
        let mut out = vec![0; usize::from(width) * usize::from(height)];
        for format in [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Nv12] {
            let image = view(&data, format);
            group.bench_function(format!("{format:?} to {width}x{height}"), |bencher| {
                bencher.iter(|| gray_resized(&image, width, height, black_box(&mut out)).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = benches
}
criterion_main!(all);
