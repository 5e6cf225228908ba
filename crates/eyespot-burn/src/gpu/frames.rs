//! Frames to the input of a network, on the device: the integers of [`Letterbox::apply`], so that both see the same levels.

use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use eyespot_core::{ImageView, InputSize};
use eyespot_image::{Channels, Letterbox, ResizeError};

use crate::InputFormat;

/// Frames of one batch as a tensor, `[images, channels, height, width]`.
#[derive(Debug)]
pub(crate) struct Frames {
    device: Device,
    format: InputFormat,
    /// Scale and offset of each channel, `[3, 1, 1]`; `None` where the network takes levels.
    normalize: Option<[Tensor<3>; 2]>,
    images: Vec<Tensor<4>>,
    /// The frame whose bytes went up last: windows of one frame share them.
    bytes: Option<(Bytes, Tensor<1, Int>)>,
    /// Where the last image was taken from, for the next one of its kind.
    taps: Option<(Key, Taps)>,
}

/// Tells one buffer from another for as long as both are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bytes([(usize, usize); 3]);

/// Everything that positions and weights depend on.
type Key = (Letterbox, [eyespot_core::Samples; 3], Bytes);

/// Where the values of the resized image lie in the bytes of the frame, and their weights.
#[derive(Debug)]
struct Taps {
    /// `[values, 2, rows, 1]` and `[values, 2, 1, columns]`: the neighbours that lie before and behind.
    rows: Tensor<4, Int>,
    columns: Tensor<4, Int>,
    /// `[2, rows, 1]` and `[2, 1, columns]`.
    row_weights: Tensor<3, Int>,
    column_weights: Tensor<3, Int>,
}

impl Frames {
    /// `None` where the network takes something else than colours.
    pub(crate) fn new(device: &Device, format: InputFormat) -> Option<Self> {
        let (scale, offset): (Vec<f32>, Vec<f32>) =
            [0, 1, 2].map(|channel| format.normalize.of(channel)).into_iter().unzip();
        let levels = scale == [1.0; 3] && offset == [0.0; 3];
        let of_channels =
            |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, [3, 1, 1]), device);
        (format.channels != Channels::Gray).then(|| Self {
            device: device.clone(),
            format,
            normalize: (!levels).then(|| [scale, offset].map(of_channels)),
            images: Vec::new(),
            bytes: None,
            taps: None,
        })
    }

    /// Forgets the frames of the batch before.
    pub(crate) fn clear(&mut self) {
        self.images.clear();
        // Another frame may lie in the same place.
        self.bytes = None;
    }

    /// Adds a frame.
    pub(crate) fn push(&mut self, view: &ImageView<'_>, letterbox: &Letterbox) -> Result<(), ResizeError> {
        let (expected, actual) =
            ((letterbox.source().width, letterbox.source().height), (view.width(), view.height()));
        if expected != actual {
            return Err(ResizeError::Source { expected, actual });
        }
        let (bytes, words) = self.upload(view);
        let key = (*letterbox, view.samples(), bytes);
        let taps = match self.taps.take() {
            Some((known, taps)) if known == key => taps,
            _ => self.taps(view, letterbox),
        };
        let levels = self.resized(view, words, &taps);
        self.taps = Some((key, taps));
        self.images.push(self.encoded(levels, letterbox));
        Ok(())
    }

    /// The batch; `None` where it is empty.
    pub(crate) fn take(&mut self) -> Option<Tensor<4>> {
        let mut images = std::mem::take(&mut self.images);
        match images.len() {
            0 | 1 => images.pop(),
            _ => Some(Tensor::cat(images, 0)),
        }
    }

    /// The planes of a frame, one after the other, each from a whole word on. There is no type of 8 bits on all GPUs.
    fn upload(&mut self, view: &ImageView<'_>) -> (Bytes, Tensor<1, Int>) {
        let planes = [0, 1, 2].map(|index| view.plane(index));
        let bytes = Bytes(planes.map(|plane| (plane.as_ptr() as usize, plane.len())));
        if let Some((known, words)) = &self.bytes
            && *known == bytes
        {
            return (bytes, words.clone());
        }
        let len = planes.iter().map(|plane| plane.len().next_multiple_of(4)).sum();
        let mut copy = Vec::with_capacity(len);
        for plane in planes {
            copy.extend_from_slice(plane);
            copy.resize(copy.len().next_multiple_of(4), 0);
        }
        let data = TensorData::from_bytes_vec(copy, [len / 4], DType::I32);
        let words = Tensor::from_data(data, (&self.device, DType::I32));
        self.bytes = Some((bytes, words.clone()));
        (bytes, words)
    }

    fn taps(&self, view: &ImageView<'_>, letterbox: &Letterbox) -> Taps {
        let mut starts = [0; 3];
        let mut start = 0;
        for (index, place) in starts.iter_mut().enumerate() {
            *place = start;
            start += view.plane(index).len().next_multiple_of(4);
        }
        let mut samples = view.samples();
        if !view.format().is_yuv() && self.format.channels == Channels::Bgr {
            samples.reverse();
        }
        let InputSize { width, height } = letterbox.resized();
        let (width, height) = (usize::from(width), usize::from(height));
        let (mut rows, mut columns) = (Vec::with_capacity(6 * height), Vec::with_capacity(6 * width));
        for samples in samples {
            for side in [0, 1] {
                let start = starts.get(samples.plane()).copied().unwrap_or(0);
                rows.extend(letterbox.rows().map(|tap| (start + samples.rows(tap.pixels()[side])) as i32));
                columns.extend(letterbox.columns().map(|tap| samples.columns(tap.pixels()[side]) as i32));
            }
        }
        let weights = |taps: &mut dyn Iterator<Item = [u16; 2]>| {
            let (before, behind): (Vec<i32>, Vec<i32>) =
                taps.map(|[before, behind]| (i32::from(before), i32::from(behind))).unzip();
            [before, behind].concat()
        };
        let row_weights = weights(&mut letterbox.rows().map(|tap| tap.weights()));
        let column_weights = weights(&mut letterbox.columns().map(|tap| tap.weights()));
        Taps {
            rows: self.table(rows, [3, 2, height, 1]),
            columns: self.table(columns, [3, 2, 1, width]),
            row_weights: self.table(row_weights, [2, height, 1]),
            column_weights: self.table(column_weights, [2, 1, width]),
        }
    }

    fn table<const D: usize>(&self, values: Vec<i32>, shape: [usize; D]) -> Tensor<D, Int> {
        Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::I32))
    }

    /// Levels `[channels, rows, columns]` to the input of the network, padding around them.
    fn encoded(&self, levels: Tensor<3>, letterbox: &Letterbox) -> Tensor<4> {
        let (target, resized) = (letterbox.target(), letterbox.resized());
        let (left, top) = letterbox.origin();
        let after = |target: u16, before: u16, len: u16| usize::from(target.saturating_sub(before + len));
        let padding = (
            usize::from(left),
            after(target.width, left, resized.width),
            usize::from(top),
            after(target.height, top, resized.height),
        );
        let levels = match padding {
            (0, 0, 0, 0) => levels,
            _ => levels.pad(padding, PadMode::Constant(f32::from(self.format.pad))),
        };
        let values = match &self.normalize {
            Some([scale, offset]) => levels * scale.clone() + offset.clone(),
            None => levels,
        };
        values.unsqueeze::<4>()
    }

    /// The levels of the network's channels, `[3, rows, columns]`.
    fn resized(&self, view: &ImageView<'_>, words: Tensor<1, Int>, taps: &Taps) -> Tensor<3> {
        let side = |table: &Tensor<4, Int>, side| table.clone().narrow(1, side, 1).squeeze_dim::<3>(1);
        let levels = |row: usize, column: usize| {
            let values = gathered(&words, side(&taps.rows, row), side(&taps.columns, column));
            if view.format().is_yuv() { colours(values, view, self.format.channels) } else { values }
        };
        let weight = |table: &Tensor<3, Int>, side| table.clone().narrow(0, side, 1);
        let mixed = |row| {
            let [before, behind] =
                [0, 1].map(|column| levels(row, column) * weight(&taps.column_weights, column));
            (before + behind).bitwise_right_shift_scalar(4)
        };
        let [above, below] =
            [0, 1].map(|row| (mixed(row) * weight(&taps.row_weights, row)).bitwise_right_shift_scalar(16));
        (above + below).add_scalar(2).bitwise_right_shift_scalar(2).float()
    }
}

/// The bytes at `rows + columns`, `[values, rows, columns]`.
fn gathered(words: &Tensor<1, Int>, rows: Tensor<3, Int>, columns: Tensor<3, Int>) -> Tensor<3, Int> {
    let places = rows + columns;
    let shape = places.dims();
    let places = places.flatten::<1>(0, 2);
    let shift = places.clone().bitwise_and_scalar(3).mul_scalar(8);
    let words = words.clone().select(0, places.bitwise_right_shift_scalar(2));
    words.bitwise_right_shift(shift).bitwise_and_scalar(255).reshape(shape)
}

/// Y, U and V to colours.
fn colours(values: Tensor<3, Int>, view: &ImageView<'_>, channels: Channels) -> Tensor<3, Int> {
    let by = view.encoding().coefficients();
    let part = |index: usize, zero: i32| values.clone().narrow(0, index, 1).sub_scalar(zero);
    let y = part(0, by.black).mul_scalar(by.luma).add_scalar(1 << 15);
    let (u, v) = (part(1, 128), part(2, 128));
    let red = y.clone() + v.clone().mul_scalar(by.v_red);
    let green = y.clone() - u.clone().mul_scalar(by.u_green) - v.mul_scalar(by.v_green);
    let blue = y + u.mul_scalar(by.u_blue);
    let order = if channels == Channels::Bgr { vec![blue, green, red] } else { vec![red, green, blue] };
    Tensor::cat(order, 0).bitwise_right_shift_scalar(16).clamp(0, 255)
}
