//! The trait of everything that describes how objects look.

use core::convert::Infallible;

use crate::{BBox, ErrorType, Frame};

/// Describes how the objects in boxes look, so that a tracker knows them again (re-identification).
///
/// # Contract
/// - `out` is called at most once per box, with the index of the box and its feature: [`dim`](Self::dim) finite
///   numbers of any length as a vector. Two views of one object point in about the same direction.
/// - A box that can't be described (outside the image, no area) is left out.
/// - The feature is borrowed for the call: the embedder may use one small buffer for all boxes.
pub trait Embedder: ErrorType {
    /// Numbers per feature.
    fn dim(&self) -> usize;

    /// Describes the objects in `boxes`, all in one batch where that is faster. Boxes are in pixels of the frame.
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type. What `out` was given before stays valid.
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Self::Error>;
}

impl<E: Embedder + ?Sized> Embedder for &mut E {
    fn dim(&self) -> usize {
        (**self).dim()
    }
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Self::Error> {
        (**self).embed(frame, boxes, out)
    }
}

/// Describes nothing: objects are matched by their boxes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoEmbedder;

impl ErrorType for NoEmbedder {
    type Error = Infallible;
}

impl Embedder for NoEmbedder {
    fn dim(&self) -> usize {
        0
    }
    fn embed(
        &mut self,
        _: &Frame<'_>,
        _: &[BBox],
        _: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Infallible> {
        Ok(())
    }
}
