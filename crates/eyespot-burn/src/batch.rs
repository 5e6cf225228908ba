//! The input of a network.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData};
use eyespot_core::{ImageView, InputSize};
use eyespot_image::{Letterbox, Normalize, ResizeError, Scratch, Tap, TensorFormat};

use crate::{BurnDevice, BurnError};

/// Memory for resizing an image to so many columns.
#[derive(Debug)]
pub(crate) struct Columns {
    taps: Vec<Tap>,
    rows: Vec<u16>,
}

impl Columns {
    pub(crate) fn new(size: InputSize) -> Self {
        let columns = usize::from(size.width);
        Self { taps: vec![Tap::default(); columns], rows: vec![0; columns * 6] }
    }

    pub(crate) fn lend(&mut self) -> Scratch<'_> {
        Scratch::new(&mut self.taps, &mut self.rows)
    }
}

/// Images of one size as a tensor, `[images, channels, height, width]`. The memory is kept from call to call.
#[derive(Debug)]
pub(crate) struct Batch {
    format: TensorFormat<Normalize>,
    size: InputSize,
    values: Vec<f32>,
    images: usize,
    columns: Columns,
}

impl Batch {
    pub(crate) fn new(format: TensorFormat<Normalize>, size: InputSize) -> Self {
        Self { format, size, values: Vec::new(), images: 0, columns: Columns::new(size) }
    }

    pub(crate) const fn size(&self) -> InputSize {
        self.size
    }

    /// Images that were added since it was cleared.
    pub(crate) const fn images(&self) -> usize {
        self.images
    }

    pub(crate) fn clear(&mut self) {
        self.images = 0;
    }

    /// Adds an image.
    pub(crate) fn push(&mut self, image: &ImageView<'_>, letterbox: &Letterbox) -> Result<(), ResizeError> {
        let len = self.format.len_of(self.size);
        let start = self.images * len;
        if self.values.len() < start + len {
            self.values.resize(start + len, 0.0);
        }
        let input = self.values.get_mut(start..start + len).unwrap_or_default();
        letterbox.apply(image, &self.format, self.columns.lend(), input)?;
        self.images += 1;
        Ok(())
    }

    /// Runs a network on the images that were added. The values of each result have the batch as their first
    /// dimension.
    pub(crate) fn run<const D: usize>(
        &mut self,
        device: &BurnDevice,
        forward: impl FnOnce(Tensor<4>) -> Vec<Tensor<D>>,
    ) -> Result<Vec<Vec<f32>>, BurnError> {
        let (height, width) = (usize::from(self.size.height), usize::from(self.size.width));
        let len = self.format.len_of(self.size);
        self.values.truncate(self.images * len);
        let shape = [self.images, len / (height * width).max(1), height, width];
        let data = TensorData::new(std::mem::take(&mut self.values), shape);
        let input = Tensor::<4>::from_data(data, device.device());
        // In host memory the tensor is the buffer: it comes back when the network is done with it.
        let buffer = device.is_cpu().then(|| input.clone());
        let results = forward(input).into_iter().map(read).collect();
        if let Some(buffer) = buffer.and_then(|buffer| buffer.try_into_data().ok()) {
            self.values = buffer.try_into_vec().unwrap_or_default();
        }
        results
    }
}

/// The values of a tensor.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, BurnError> {
    values(tensor.try_into_data().map_err(failed)?)
}

/// The values of a tensor that was read.
pub(crate) fn values(data: TensorData) -> Result<Vec<f32>, BurnError> {
    data.try_into_vec_as::<f32>().map_err(failed)
}

/// What the device says.
pub(crate) fn failed(error: impl core::fmt::Display) -> BurnError {
    BurnError::Execution { reason: error.to_string() }
}

pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}
