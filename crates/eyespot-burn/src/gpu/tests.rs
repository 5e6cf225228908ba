//! The device against the same work in host memory. Burn on the CPU runs it too, where there is no GPU.

#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_core::{ImageView, InputSize, PixelFormat, YuvEncoding};
use eyespot_image::{Channels, Fit, Layout, Letterbox, Normalize};

use super::{Frames, Reading, Selection, Sparse};
use crate::InputFormat;
use crate::batch::{Columns, read};

/// Every device of this build.
fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "wgpu")]
        crate::DeviceChoice::Gpu(None).open().unwrap().device().clone(),
    ]
}

/// Bytes without a pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

const FORMAT: InputFormat = InputFormat {
    channels: Channels::Bgr,
    normalize: Normalize::LEVELS,
    pad: 114,
    fit: Fit::TopLeft,
    multiple: 1,
};

/// The largest difference between the input that the device makes of frames and the one of the host.
fn difference(device: &Device, views: &[ImageView<'_>], target: InputSize, format: InputFormat) -> f32 {
    let mut frames = Frames::new(device, format).unwrap();
    let tensor = format.tensor(Layout::Planar);
    let mut columns = Columns::new(target);
    let mut expected = Vec::new();
    frames.clear();
    for view in views {
        let letterbox = Letterbox::of(view, target, format.fit).unwrap();
        let mut input = vec![f32::NAN; tensor.len_of(target)];
        letterbox.apply(view, &tensor, columns.lend(), &mut input).unwrap();
        expected.extend(input);
        frames.push(view, &letterbox).unwrap();
    }
    let batch = frames.take().unwrap();
    assert_eq!(batch.dims(), [views.len(), 3, usize::from(target.height), usize::from(target.width)]);
    assert!(frames.take().is_none());
    let found = read(batch).unwrap();
    assert_eq!(found.len(), expected.len());
    found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn frames_of_every_format_have_the_levels_of_the_host() {
    let bytes = noise(40_000);
    let (width, height) = (51, 37);
    let packed =
        |stride, format| ImageView::packed_with_stride(&bytes, width, height, stride, format).unwrap();
    let views = [
        packed(53, PixelFormat::Gray8),
        packed(157, PixelFormat::Rgb8),
        packed(153, PixelFormat::Bgr8),
        packed(205, PixelFormat::Rgba8),
        packed(105, PixelFormat::Yuyv),
        ImageView::nv12((&bytes, 52), (&bytes[5001..], 53), width, height).unwrap(),
        ImageView::yuv420((&bytes, 51), (&bytes[5001..9000], 26), (&bytes[9003..], 27), width, height)
            .unwrap()
            .with_encoding(YuvEncoding::Bt709Full),
    ];
    for device in devices() {
        // Made smaller, larger, and of windows that start between two samples of colour.
        for view in views {
            let window = view.crop(7, 5, 29, 31).unwrap();
            let all = [view, window, view];
            assert_eq!(difference(&device, &all, InputSize::new(32, 24), FORMAT), 0.0, "{:?}", view.format());
        }
        let rgb = InputFormat { channels: Channels::Rgb, fit: Fit::Center, ..FORMAT };
        assert_eq!(difference(&device, &views, InputSize::new(80, 100), rgb), 0.0);
        let normalize = Normalize::mean_std([123.0, 117.0, 104.0], [58.0, 57.0, 59.0]);
        let statistics = InputFormat { normalize, fit: Fit::Stretch, pad: 0, ..rgb };
        assert!(difference(&device, &views, InputSize::new(24, 40), statistics) < 1e-5);
    }
}

/// Frames that lie in the same place one after the other are told apart.
#[test]
fn a_frame_in_the_memory_of_the_one_before_goes_up_again() {
    for device in devices() {
        let mut frames = Frames::new(&device, FORMAT).unwrap();
        let mut pixels = vec![10; 8 * 8];
        for level in [10.0, 200.0] {
            pixels.fill(level as u8);
            let view = ImageView::packed(&pixels, 8, 8, PixelFormat::Gray8).unwrap();
            frames.clear();
            frames.push(&view, &Letterbox::of(&view, InputSize::square(8), Fit::TopLeft).unwrap()).unwrap();
            assert!(read(frames.take().unwrap()).unwrap().iter().all(|&value| value == level));
        }
        let view = ImageView::packed(&pixels, 4, 8, PixelFormat::Gray8).unwrap();
        let other = Letterbox::new(InputSize::square(8), InputSize::square(8), Fit::TopLeft).unwrap();
        assert!(frames.push(&view, &other).is_err());
    }
}

/// Two images with results of two and three values a row, as one of `conf` would see them.
#[test]
fn the_rows_that_reach_the_threshold_come_back() {
    for (device, rows) in
        devices().into_iter().flat_map(|device| [1, 64, 200, 1000].map(|rows| (device.clone(), rows)))
    {
        let scores: Vec<f32> = noise(2 * rows).into_iter().map(|byte| f32::from(byte) / 255.0).collect();
        let numbers: Vec<f32> = (0..2 * rows * 3).map(|number| number as f32).collect();
        let tensor = |values: Vec<f32>, width: usize| {
            Tensor::<3>::from_data(TensorData::new(values, [2, rows, width]), &device)
        };
        let pairs: Vec<f32> = scores.iter().flat_map(|&score| [score, -score]).collect();
        let results = [tensor(pairs.clone(), 2), tensor(numbers.clone(), 3)];
        let bounds = || Tensor::<2>::from_data(TensorData::new(scores.clone(), [2, rows]), &device);
        let kept = Selection::start(&results, bounds(), 0.8).wait().unwrap().unwrap();
        assert_eq!(kept.len(), 2);
        let mut sparse = Sparse::default();
        for (image, kept) in kept.iter().enumerate() {
            let own = image * rows..(image + 1) * rows;
            let expected = |values: &[f32], width: usize| -> Vec<f32> {
                let keep = |row: usize| if scores[row] >= 0.8 { 1.0 } else { 0.0 };
                own.clone()
                    .flat_map(|row| {
                        values[row * width..(row + 1) * width].iter().map(move |value| (row, value))
                    })
                    .map(|(row, value)| value * keep(row))
                    .collect()
            };
            let found = sparse.fill(kept, rows);
            assert_eq!(found, [expected(&pairs, 2), expected(&numbers, 3)], "{rows} rows");
        }
        // Nothing reaches it; everything does, which is too much at once.
        let none = Selection::start(&results, bounds(), 1.5).wait().unwrap().unwrap();
        assert!(sparse.fill(&none[0], rows).iter().flatten().all(|&value| value == 0.0));
        assert_eq!(sparse.fill(&none[0], rows)[1].len(), 3 * rows);
        assert_eq!(Selection::start(&results, bounds(), 1e-9).wait().unwrap().is_none(), rows == 1000);
    }
}

/// Whatever is asked for first, and whatever the device was given since.
#[test]
fn values_are_those_of_the_time_when_reading_started() {
    for device in devices() {
        let tensor = |value: f32| Tensor::<1>::from_data(TensorData::new(vec![value; 100], [100]), &device);
        let (ones, twos) = (tensor(1.0), tensor(2.0));
        let early = Reading::start(vec![ones.clone() + 1.0, twos.clone()]);
        let late = Reading::start(vec![(ones + twos) * 2.0]);
        assert_eq!(late.wait().unwrap(), [vec![6.0; 100]]);
        assert_eq!(early.wait().unwrap(), [vec![2.0; 100], vec![2.0; 100]]);
        assert!(Reading::start::<1>(Vec::new()).wait().unwrap().is_empty());
        // One that nobody waits for leaves its memory fit for the next.
        drop(Reading::start(vec![tensor(3.0) + 1.0]));
        assert_eq!(Reading::start(vec![tensor(4.0) + 1.0]).wait().unwrap(), [vec![5.0; 100]]);
    }
}

/// What is not a number is for the head to count.
#[test]
fn rows_without_a_number_come_back() {
    for device in devices() {
        let values = [0.1, f32::NAN, 0.9, f32::INFINITY];
        let result = Tensor::<3>::from_data(TensorData::new(values.to_vec(), [1, 4, 1]), &device);
        let bounds = result.clone().squeeze_dim::<2>(2);
        let kept = Selection::start(&[result], bounds, 0.5).wait().unwrap().unwrap();
        let mut sparse = Sparse::default();
        let found = &sparse.fill(&kept[0], 4)[0];
        assert!(found[0] == 0.0 && found[1].is_nan() && found[2] == 0.9 && found[3] == f32::INFINITY);
    }
}
