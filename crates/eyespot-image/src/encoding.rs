//! From levels to the values of a tensor.

use crate::ResizeError;

/// Turns the levels of a channel into the values of a tensor. Channels are counted in the order of the tensor.
pub trait Encoding {
    /// The values of the tensor.
    type Value: Copy;

    /// The map of one channel.
    fn channel(&self, channel: usize) -> impl Fn(u8) -> Self::Value + '_;
}

/// Levels as they are: `u8`, 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels;

impl Encoding for Levels {
    type Value = u8;

    #[inline]
    fn channel(&self, _: usize) -> impl Fn(u8) -> u8 + '_ {
        |level| level
    }
}

/// Floats: `level * scale + offset`, each channel with its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    scale: [f32; 3],
    offset: [f32; 3],
}

impl Normalize {
    /// 0 to 255.
    pub const LEVELS: Self = Self { scale: [1.0; 3], offset: [0.0; 3] };
    /// 0 to 1.
    pub const UNIT: Self = Self { scale: [1.0 / 255.0; 3], offset: [0.0; 3] };
    /// -1 to 1.
    pub const SYMMETRIC: Self = Self { scale: [2.0 / 255.0; 3], offset: [-1.0; 3] };

    /// `(level - mean) / std`, both in levels (0 to 255) and in the order of the tensor's channels.
    ///
    /// For statistics of images in `0..=1`, multiply them by 255. A standard deviation of 0 gives non-finite values.
    #[must_use]
    pub const fn mean_std(mean: [f32; 3], std: [f32; 3]) -> Self {
        let scale = [1.0 / std[0], 1.0 / std[1], 1.0 / std[2]];
        Self { scale, offset: [-mean[0] * scale[0], -mean[1] * scale[1], -mean[2] * scale[2]] }
    }

    /// Scale and offset of a channel, `0..3`.
    #[must_use]
    pub const fn of(&self, channel: usize) -> (f32, f32) {
        match channel {
            0 => (self.scale[0], self.offset[0]),
            1 => (self.scale[1], self.offset[1]),
            _ => (self.scale[2], self.offset[2]),
        }
    }
}

impl Encoding for Normalize {
    type Value = f32;

    #[inline]
    fn channel(&self, channel: usize) -> impl Fn(u8) -> f32 + '_ {
        let (scale, offset) = self.of(channel);
        move |level| f32::from(level) * scale + offset
    }
}

/// Quantised values, `i8` or `u8`: `round(x / scale) + zero_point` of the normalised level `x`, saturating. A table of
/// 768 bytes, filled once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantize<T> {
    table: [[T; 256]; 3],
}

impl Quantize<i8> {
    /// The quantisation of an `i8` input of a model.
    ///
    /// # Errors
    /// [`ResizeError::Scale`] unless the scale is finite and above zero.
    pub fn i8(normalize: &Normalize, scale: f32, zero_point: i8) -> Result<Self, ResizeError> {
        let zero_point = f32::from(zero_point);
        // A float to integer cast saturates.
        Ok(Self { table: table(normalize, scale, 0, |steps| (steps + zero_point) as i8)? })
    }
}

impl Quantize<u8> {
    /// The quantisation of a `u8` input of a model.
    ///
    /// # Errors
    /// [`ResizeError::Scale`] unless the scale is finite and above zero.
    pub fn u8(normalize: &Normalize, scale: f32, zero_point: u8) -> Result<Self, ResizeError> {
        let zero_point = f32::from(zero_point);
        Ok(Self { table: table(normalize, scale, 0, |steps| (steps + zero_point) as u8)? })
    }
}

fn table<T: Copy>(
    normalize: &Normalize,
    scale: f32,
    zero: T,
    quantize: impl Fn(f32) -> T,
) -> Result<[[T; 256]; 3], ResizeError> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(ResizeError::Scale);
    }
    let mut table = [[zero; 256]; 3];
    for (channel, values) in table.iter_mut().enumerate() {
        let normalized = normalize.channel(channel);
        for (level, value) in (0..=u8::MAX).zip(values) {
            *value = quantize(libm::roundf(normalized(level) / scale));
        }
    }
    Ok(table)
}

impl<T: Copy> Encoding for Quantize<T> {
    type Value = T;

    #[inline]
    fn channel(&self, channel: usize) -> impl Fn(u8) -> T + '_ {
        let [first, second, third] = &self.table;
        let values = match channel {
            0 => first,
            1 => second,
            _ => third,
        };
        move |level| values[usize::from(level)]
    }
}
