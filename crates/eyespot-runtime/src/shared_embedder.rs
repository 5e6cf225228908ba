//! An embedder that several sessions use in turn.

use std::sync::{Arc, Mutex, PoisonError};

use eyespot_core::{AnyError, BBox, Embedder, ErrorType, Frame};

use crate::BoxedEmbedder;

/// A handle: its clones are the same embedder.
#[derive(Clone)]
pub(crate) struct SharedEmbedder {
    embedder: Arc<Mutex<BoxedEmbedder>>,
    dim: usize,
}

impl SharedEmbedder {
    pub(crate) fn new(embedder: BoxedEmbedder) -> Self {
        let dim = embedder.dim();
        Self { embedder: Arc::new(Mutex::new(embedder)), dim }
    }
}

impl ErrorType for SharedEmbedder {
    type Error = AnyError;
}

impl Embedder for SharedEmbedder {
    fn dim(&self) -> usize {
        self.dim
    }
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), AnyError> {
        self.embedder.lock().unwrap_or_else(PoisonError::into_inner).embed(frame, boxes, out)
    }
}
