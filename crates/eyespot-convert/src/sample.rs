//! Images as samples for the calibration.

use eyespot_core::{ImageView, InputSize};
use eyespot_image::{Channels, Fit, Layout, Letterbox, Normalize, ResizeError, Tap, TensorFormat};
use eyespot_nn::graph::{ColorOrder, ImageFit, ImageInput};

/// An image as a network takes it: fitted to `size` (height, width) and normalised, the channels of a pixel together.
///
/// # Errors
/// [`ResizeError::Empty`] where the size is zero or above 65535.
pub fn sample(view: &ImageView<'_>, input: &ImageInput, size: [usize; 2]) -> Result<Vec<f32>, ResizeError> {
    let [height, width] = size.map(|side| u16::try_from(side).unwrap_or(0));
    let fit = match input.fit {
        ImageFit::Stretch => Fit::Stretch,
        ImageFit::TopLeft => Fit::TopLeft,
        ImageFit::Center => Fit::Center,
    };
    let channels = match input.order {
        ColorOrder::Gray => Channels::Gray,
        ColorOrder::Rgb => Channels::Rgb,
        ColorOrder::Bgr => Channels::Bgr,
    };
    let size = InputSize::new(width, height);
    let letterbox = Letterbox::of(view, size, fit)?;
    let format = TensorFormat::new(Layout::Interleaved, channels, Normalize::mean_std(input.mean, input.std));
    let format = format.with_pad(input.pad);
    let mut values = vec![0.0; format.len_of(size)];
    let (mut taps, mut rows) = (vec![Tap::default(); width.into()], vec![0; usize::from(width) * 6]);
    letterbox.apply(view, &format, eyespot_image::Scratch::new(&mut taps, &mut rows), &mut values)?;
    Ok(values)
}
