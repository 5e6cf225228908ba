//! A network that describes objects, on the CPU.

use std::path::Path;

use eyespot_core::{BBox, Embedder, ErrorType, Frame};
use eyespot_image::{Fit, Layout, Letterbox, Normalize, TensorFormat};
use eyespot_nn::host::Host;

use super::{Networks, PlanError};
use crate::batch::Clock;
use crate::embedder::crop;
use crate::{BurnError, EmbedTimings, FeatureHead, PortableModel};

/// A model as an embedder, on the CPU by the engine of `eyespot-nn`.
///
/// A box is widened to whole pixels, cut at the edges of the image and stretched to the model's input. Nothing is
/// allocated while it runs.
#[derive(Debug)]
pub struct CpuEmbedder {
    head: FeatureHead,
    networks: Networks,
    tensor: TensorFormat<Normalize>,
    timings: EmbedTimings,
}

impl CpuEmbedder {
    /// An embedder with the network of a model, whose weights it copies.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new<M: PortableModel<Head = FeatureHead>>(model: &M, host: Host) -> Result<Self, PlanError> {
        let head = *model.head();
        Ok(Self::with(head, Networks::of(model, head.input, host)?))
    }

    /// An embedder from a file of weights; `cache` as for [`CpuPredictor::load`](crate::CpuPredictor::load).
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn load<M: PortableModel<Head = FeatureHead>>(
        weights: impl AsRef<Path>,
        cache: Option<&Path>,
        host: Host,
    ) -> Result<Self, PlanError> {
        let (networks, head) = Networks::load::<M>(weights.as_ref(), cache, host, |head| head.input)?;
        Ok(Self::with(head, networks))
    }

    fn with(head: FeatureHead, networks: Networks) -> Self {
        Self { tensor: head.tensor(Layout::Interleaved), head, networks, timings: EmbedTimings::default() }
    }

    /// What surrounds the network.
    pub const fn head(&self) -> &FeatureHead {
        &self.head
    }

    /// How long the stages of the last call took.
    pub const fn timings(&self) -> EmbedTimings {
        self.timings
    }
}

impl ErrorType for CpuEmbedder {
    type Error = BurnError;
}

impl Embedder for CpuEmbedder {
    fn dim(&self) -> usize {
        self.head.dim
    }

    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        self.timings = EmbedTimings::default();
        let FeatureHead { input, dim, .. } = self.head;
        let network = self.networks.of_size(input)?;
        for (index, bbox) in boxes.iter().enumerate() {
            let Some(image) = crop(&frame.image, bbox) else { continue };
            let letterbox = Letterbox::of(&image, input, Fit::Stretch)?;
            network.put(&image, &letterbox, &self.tensor)?;
            self.timings.crop += clock.lap();
            network.run();
            network.read(|outputs| {
                // The contract promises finite numbers.
                let feature = outputs.first().filter(|feature| feature.len() == dim);
                if let Some(feature) = feature.filter(|feature| feature.iter().all(|value| value.is_finite()))
                {
                    out(index, feature);
                }
            });
            self.timings.forward += clock.lap();
        }
        Ok(())
    }
}
