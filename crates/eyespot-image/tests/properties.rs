//! What must hold for any image, size and layout.

#![allow(clippy::unwrap_used)]

use eyespot_core::{BBox, ImageView, InputSize, PixelFormat};
use eyespot_image::{
    Channels, Encoding, Fit, Layout, Letterbox, Levels, Normalize, Quantize, ResizeError, ResizeScratch,
    Scratch, Tap, TensorFormat, gray_resized, rgb_resized,
};
use proptest::prelude::*;

const BYTES: usize = 20_000;

fn bytes() -> Vec<u8> {
    (0..BYTES as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A crop of an image of any format with any stride.
fn view(data: &[u8], format: u8, [width, height, padding]: [u16; 3], crop: [u16; 4]) -> ImageView<'_> {
    let stride = |format: PixelFormat| format.row_bytes(width) as u32 + u32::from(padding);
    let packed = |format| ImageView::packed_with_stride(data, width, height, stride(format), format);
    let chroma = (&data[7000..], u32::from(width + padding + 1));
    let luma = (data, stride(PixelFormat::Gray8));
    let whole = match format {
        0 => packed(PixelFormat::Gray8),
        1 => packed(PixelFormat::Rgb8),
        2 => packed(PixelFormat::Bgr8),
        3 => packed(PixelFormat::Rgba8),
        4 => packed(PixelFormat::Yuyv),
        5 => ImageView::nv12(luma, chroma, width, height),
        _ => ImageView::yuv420(luma, chroma, (&data[9000..], chroma.1), width, height),
    };
    let (x, y) = (crop[0] % width, crop[1] % height);
    whole.unwrap().crop(x, y, crop[2] % (width - x) + 1, crop[3] % (height - y) + 1).unwrap()
}

fn views() -> impl Strategy<Value = (u8, [u16; 3], [u16; 4])> {
    // Some much wider than the window in which rows are converted.
    let size = prop_oneof![[1u16..60, 1u16..60, 0u16..9], [400u16..600, 1u16..6, 0u16..3]];
    (0u8..7, size, any::<[u16; 4]>())
}

fn fit() -> impl Strategy<Value = Fit> {
    prop_oneof![Just(Fit::TopLeft), Just(Fit::Center), Just(Fit::Stretch)]
}

fn tensor<E: Encoding>(view: &ImageView<'_>, letterbox: &Letterbox, format: &TensorFormat<E>) -> Vec<E::Value>
where
    E::Value: Default,
{
    let columns = usize::from(letterbox.resized().width);
    let (mut taps, mut rows) = (vec![Tap::default(); columns], vec![0; 6 * columns]);
    let mut out = vec![E::Value::default(); format.len_of(letterbox.target())];
    letterbox.apply(view, format, Scratch::new(&mut taps, &mut rows), &mut out).unwrap();
    out
}

proptest! {
    /// Every format, layout and channel order gives what the same image as packed RGB gives, interleaved.
    #[test]
    fn formats_layouts_and_orders_agree(
        (format, size, crop) in views(),
        (width, height) in (1u16..80, 1u16..40),
        fit in fit(),
        pad: u8,
    ) {
        let data = bytes();
        let view = view(&data, format, size, crop);
        let area = usize::from(view.width()) * usize::from(view.height());
        let (mut rgb, mut gray) = (Vec::with_capacity(3 * area), Vec::with_capacity(area));
        for y in 0..view.height() {
            for x in 0..view.width() {
                rgb.extend(view.rgb(x, y));
                gray.push(view.gray(x, y));
            }
        }
        let packed = |data, format| ImageView::packed(data, view.width(), view.height(), format).unwrap();
        let (rgb, gray) = (packed(&rgb, PixelFormat::Rgb8), packed(&gray, PixelFormat::Gray8));
        let letterbox = Letterbox::of(&view, InputSize::new(width, height), fit).unwrap();
        let levels = |layout, channels| TensorFormat::new(layout, channels, Levels).with_pad(pad);
        let expected = tensor(&rgb, &letterbox, &levels(Layout::Interleaved, Channels::Rgb));
        let plane = usize::from(width) * usize::from(height);
        for (channels, order) in [(Channels::Rgb, [0, 1, 2]), (Channels::Bgr, [2, 1, 0])] {
            let interleaved = tensor(&view, &letterbox, &levels(Layout::Interleaved, channels));
            let planar = tensor(&view, &letterbox, &levels(Layout::Planar, channels));
            for (at, pixel) in expected.as_chunks::<3>().0.iter().enumerate() {
                for (channel, from) in order.into_iter().enumerate() {
                    prop_assert_eq!(interleaved[3 * at + channel], pixel[from]);
                    prop_assert_eq!(planar[channel * plane + at], pixel[from]);
                }
            }
        }
        let expected = tensor(&gray, &letterbox, &levels(Layout::Planar, Channels::Gray));
        prop_assert_eq!(&tensor(&view, &letterbox, &levels(Layout::Planar, Channels::Gray)), &expected);
        prop_assert_eq!(&tensor(&view, &letterbox, &levels(Layout::Interleaved, Channels::Gray)), &expected);

        // Around the image there is nothing but padding.
        let ((left, top), resized) = (letterbox.origin(), letterbox.resized());
        for (at, &level) in expected.iter().enumerate() {
            let (x, y) = ((at % usize::from(width)) as u16, (at / usize::from(width)) as u16);
            let inside = (left..left + resized.width).contains(&x) && (top..top + resized.height).contains(&y);
            prop_assert!(inside || level == pad);
        }
    }

    /// The mean of the covered area, by the definition.
    #[test]
    fn areas_are_exact_means(
        (format, size, crop) in views(),
        (width, height) in (1u16..70, 1u16..20),
    ) {
        let data = bytes();
        let view = view(&data, format, size, crop);
        let plane = usize::from(width) * usize::from(height);
        let (mut gray, mut rgb) = (vec![0; plane], vec![0; 3 * plane]);
        gray_resized(&view, width, height, &mut gray).unwrap();
        rgb_resized(&view, width, height, &mut rgb).unwrap();
        // The overlap of a source and a target pixel, with a source pixel as long as `target`.
        let overlap = |at: u16, source: u16, index: u16, target: u16| {
            let [at, source, index, target] = [at, source, index, target].map(u64::from);
            ((at + 1) * target).min((index + 1) * source).saturating_sub((at * target).max(index * source))
        };
        let total = u64::from(view.width()) * u64::from(view.height());
        for row in 0..height {
            for column in 0..width {
                let mut sums = [0u64; 4];
                for y in 0..view.height() {
                    let weight_y = overlap(y, view.height(), row, height);
                    for x in (0..view.width()).filter(|_| weight_y > 0) {
                        let weight = weight_y * overlap(x, view.width(), column, width);
                        let [r, g, b] = view.rgb(x, y);
                        for (sum, level) in sums.iter_mut().zip([r, g, b, view.gray(x, y)]) {
                            *sum += weight * u64::from(level);
                        }
                    }
                }
                let means = sums.map(|sum| ((sum + total / 2) / total) as u8);
                let at = usize::from(row) * usize::from(width) + usize::from(column);
                prop_assert_eq!(gray[at], means[3]);
                prop_assert_eq!(&rgb[3 * at..3 * at + 3], &means[..3]);
            }
        }
    }

    /// There and back again.
    #[test]
    fn boxes_come_back(
        (width, height) in (1u16.., 1u16..),
        (columns, rows) in (1u16.., 1u16..),
        fit in fit(),
        corner in [0.0f32..1.0, 0.0f32..1.0],
    ) {
        let source = InputSize::new(width, height);
        let target = InputSize::new(columns, rows);
        let letterbox = Letterbox::new(source, target, fit).unwrap();
        let ((x, y), resized) = (letterbox.origin(), letterbox.resized());
        prop_assert!(u32::from(x) + u32::from(resized.width) <= u32::from(columns));
        prop_assert!(u32::from(y) + u32::from(resized.height) <= u32::from(rows));
        prop_assert!(resized.width == columns || resized.height == rows || fit != Fit::Stretch);
        let (px, py) = (corner[0] * f32::from(width), corner[1] * f32::from(height));
        let (tx, ty) = letterbox.point_to_target(px, py);
        let back = letterbox.point_to_source(tx, ty);
        // An ulp of the target's coordinate, in pixels of the source.
        let tolerance = |source: u16, target: u16| 1e-3 + 0.02 * f32::from(source) / f32::from(target);
        let larger = tolerance(width, columns).max(tolerance(height, rows));
        prop_assert!((back.0 - px).abs() <= larger && (back.1 - py).abs() <= larger);
        let cut = letterbox.to_source_clipped(BBox::new(-1e9, -1e9, 1e9, 1e9));
        prop_assert_eq!(cut, BBox::new(0.0, 0.0, width.into(), height.into()));
    }
}

/// `int(w * r)`, `int(h * r)` with `r = min(H / h, W / w)` in doubles, computed by Python for sizes where rounding
/// matters.
#[test]
fn sizes_are_rounded_as_by_yolox() {
    let cases = [
        ((1280, 720), (416, 416), (416, 234)),
        ((810, 1080), (416, 416), (312, 416)),
        ((49, 49), (1, 1), (1, 1)),
        ((1333, 800), (640, 640), (640, 384)),
        ((500, 375), (416, 416), (416, 312)),
        ((65535, 1), (416, 416), (416, 1)),
    ];
    for ((width, height), (columns, rows), resized) in cases {
        let target = InputSize::new(columns, rows);
        let letterbox = Letterbox::new(InputSize::new(width, height), target, Fit::TopLeft).unwrap();
        assert_eq!(letterbox.resized(), InputSize::new(resized.0, resized.1), "{width}x{height}");
    }
}

#[test]
fn values_are_normalised_and_quantised() {
    let pixels = [10, 20, 30, 255, 0, 128];
    let view = ImageView::packed(&pixels, 2, 1, PixelFormat::Rgb8).unwrap();
    let letterbox = Letterbox::of(&view, InputSize::new(2, 2), Fit::TopLeft).unwrap();
    let normalize = Normalize::mean_std([10.0, 20.0, 30.0], [1.0, 2.0, 4.0]);
    let format = TensorFormat::new(Layout::Interleaved, Channels::Rgb, normalize).with_pad(50);
    assert_eq!(
        tensor(&view, &letterbox, &format),
        [0.0, 0.0, 0.0, 245.0, -10.0, 24.5, 40.0, 15.0, 5.0, 40.0, 15.0, 5.0]
    );
    // The usual input of a TensorFlow Lite model: levels less 128.
    let quantize = Quantize::i8(&Normalize::UNIT, 1.0 / 255.0, -128).unwrap();
    let format = TensorFormat::new(Layout::Planar, Channels::Bgr, quantize).with_pad(0);
    assert_eq!(
        tensor(&view, &letterbox, &format),
        [-98, 0, -128, -128, -108, -128, -128, -128, -118, 127, -128, -128]
    );
    // Steps of 4 levels from 100 on, saturating.
    let quantize = Quantize::u8(&Normalize::LEVELS, 4.0, 200).unwrap();
    let format = TensorFormat::new(Layout::Interleaved, Channels::Rgb, quantize);
    assert_eq!(tensor(&view, &letterbox, &format)[..6], [203, 205, 208, 255, 200, 232]);
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(Quantize::i8(&Normalize::UNIT, scale, 0), Err(ResizeError::Scale));
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let pixels = [0; 12];
    let view = ImageView::packed(&pixels, 4, 3, PixelFormat::Gray8).unwrap();
    let empty = Letterbox::of(&view, InputSize::new(0, 8), Fit::TopLeft);
    assert_eq!(empty, Err(ResizeError::Empty));
    let letterbox = Letterbox::of(&view, InputSize::square(8), Fit::TopLeft).unwrap();
    let format = TensorFormat::new(Layout::Planar, Channels::Gray, Levels);
    let mut out = [0; 64];
    let mut small = ResizeScratch::<7>::new();
    assert_eq!(
        letterbox.apply(&view, &format, small.lend(), &mut out),
        Err(ResizeError::Scratch { needed: 8, available: 7 })
    );
    let mut scratch = ResizeScratch::<8>::new();
    assert_eq!(
        letterbox.apply(&view, &format, scratch.lend(), &mut out[1..]),
        Err(ResizeError::Output { expected: 64, actual: 63 })
    );
    let other = view.crop(0, 0, 3, 3).unwrap();
    assert_eq!(
        letterbox.apply(&other, &format, scratch.lend(), &mut out),
        Err(ResizeError::Source { expected: (4, 3), actual: (3, 3) })
    );
    assert_eq!(
        rgb_resized(&view, 2, 2, &mut out[..13]),
        Err(ResizeError::Output { expected: 12, actual: 13 })
    );
    assert_eq!(gray_resized(&view, 0, 2, &mut []), Err(ResizeError::Empty));
}
