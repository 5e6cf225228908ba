//! A model as an embedder.

use std::time::Duration;

use eyespot_core::{BBox, Embedder, ErrorType, Frame, ImageView};
use eyespot_image::{Fit, Layout, Letterbox};

use crate::batch::{Batch, Clock};
use crate::{BurnDevice, BurnError, BurnModel, FeatureHead};

/// Objects that go through the network at once.
const BATCH: usize = 32;

/// How long the stages of the last call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmbedTimings {
    /// Boxes to tensors.
    pub crop: Duration,
    /// The network, with the way to the device and back.
    pub forward: Duration,
}

/// A model as an embedder, on one device.
///
/// A box is widened to whole pixels, cut at the edges of the image and stretched to the model's input. The boxes of a
/// frame go through the network together, up to 32 at once. Memory for them is kept from call to call.
#[derive(Debug)]
pub struct BurnEmbedder<M> {
    model: M,
    device: BurnDevice,
    batch: Batch,
    limit: usize,
    /// Which boxes the images of the batch are.
    indices: Vec<usize>,
    timings: EmbedTimings,
}

impl<M: BurnModel<Head = FeatureHead>> BurnEmbedder<M> {
    /// An embedder with the input size that the model was made for.
    pub fn new(model: M, device: BurnDevice) -> Self {
        let head = model.head();
        let batch = Batch::new(head.tensor(Layout::Planar), head.input);
        Self { model, device, batch, limit: BATCH, indices: Vec::new(), timings: EmbedTimings::default() }
    }

    /// With another number of objects that go through the network at once, at least one. More need more memory and
    /// keep a GPU busier.
    #[must_use]
    pub fn with_batch(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// The model.
    pub const fn model(&self) -> &M {
        &self.model
    }

    /// The device that computes.
    pub const fn device(&self) -> &BurnDevice {
        &self.device
    }

    /// How long the stages of the last call took.
    pub const fn timings(&self) -> EmbedTimings {
        self.timings
    }

    /// Runs the network on the boxes that were collected.
    fn flush(&mut self, out: &mut dyn FnMut(usize, &[f32])) -> Result<(), BurnError> {
        let results = self.batch.run(&self.device, |input| self.model.forward(input))?;
        let features = results.first().map(Vec::as_slice).unwrap_or_default();
        for (&index, feature) in self.indices.iter().zip(features.chunks_exact(self.model.head().dim.max(1)))
        {
            // The contract promises finite numbers; a GPU in half precision may overflow.
            if feature.iter().all(|value| value.is_finite()) {
                out(index, feature);
            }
        }
        self.batch.clear();
        self.indices.clear();
        Ok(())
    }
}

/// The pixels that a box touches; `None` where there are none.
pub(crate) fn crop<'a>(image: &ImageView<'a>, bbox: &BBox) -> Option<ImageView<'a>> {
    if !bbox.is_valid() {
        return None;
    }
    let bbox = bbox.clipped(f32::from(image.width()), f32::from(image.height()));
    // Casts saturate, and nothing is beyond the image.
    let (x, y) = (bbox.x1.floor() as u16, bbox.y1.floor() as u16);
    let (right, bottom) = (bbox.x2.ceil() as u16, bbox.y2.ceil() as u16);
    if !(bbox.width() > 0.0 && bbox.height() > 0.0) {
        return None;
    }
    image.crop(x, y, right.checked_sub(x)?, bottom.checked_sub(y)?).ok()
}

impl<M> ErrorType for BurnEmbedder<M> {
    type Error = BurnError;
}

impl<M: BurnModel<Head = FeatureHead>> Embedder for BurnEmbedder<M> {
    fn dim(&self) -> usize {
        self.model.head().dim
    }

    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        self.timings = EmbedTimings::default();
        // What a call left behind that failed.
        self.batch.clear();
        self.indices.clear();
        for (index, bbox) in boxes.iter().enumerate() {
            let Some(image) = crop(&frame.image, bbox) else { continue };
            let letterbox = Letterbox::of(&image, self.batch.size(), Fit::Stretch)?;
            self.batch.push(&image, &letterbox)?;
            self.indices.push(index);
            if self.batch.images() == self.limit {
                self.timings.crop += clock.lap();
                self.flush(out)?;
                self.timings.forward += clock.lap();
            }
        }
        self.timings.crop += clock.lap();
        if self.batch.images() > 0 {
            self.flush(out)?;
            self.timings.forward += clock.lap();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::PixelFormat;

    use super::*;

    #[test]
    fn boxes_are_widened_to_pixels_and_cut_at_the_edges() {
        let data = [0; 40 * 30];
        let image = ImageView::packed(&data, 40, 30, PixelFormat::Gray8).unwrap();
        let part = |x1, y1, x2, y2| {
            let view = crop(&image, &BBox::new(x1, y1, x2, y2))?;
            Some((view.origin(), (view.width(), view.height())))
        };
        assert_eq!(part(2.0, 3.0, 12.0, 23.0), Some(((2, 3), (10, 20))));
        assert_eq!(part(2.9, 3.9, 11.1, 22.1), Some(((2, 3), (10, 20))));
        assert_eq!(part(-5.0, -1e9, 1e9, 1.5), Some(((0, 0), (40, 2))));
        assert_eq!(part(39.5, 29.5, 39.6, 29.6), Some(((39, 29), (1, 1))));
        for nothing in [
            (-5.0, 0.0, 0.0, 5.0),
            (40.0, 0.0, 50.0, 5.0),
            (3.0, 3.0, 3.0, 9.0),
            (9.0, 3.0, 3.0, 9.0),
            (f32::NAN, 0.0, 9.0, 9.0),
            (0.0, 0.0, f32::INFINITY, 9.0),
        ] {
            assert_eq!(part(nothing.0, nothing.1, nothing.2, nothing.3), None, "{nothing:?}");
        }
    }
}
