//! A detector on the CPU.

use std::path::Path;

use eyespot_core::{ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor};
use eyespot_image::{Layout, Letterbox, Normalize, TensorFormat};
use eyespot_nn::host::Host;

use super::{Networks, PlanError};
use crate::batch::Clock;
use crate::head::Finder;
use crate::predictor::check;
use crate::{BurnError, DetectorHead, InputFormat, PortableModel, Timings};

/// A detector as a predictor, on the CPU by the engine of `eyespot-nn`.
///
/// A network is planned for a size of its input when that is first asked for; the last four stay. Nothing is allocated
/// while it runs. Where a frame has more candidates than there is room for, the best are kept and the loss is counted.
#[derive(Debug)]
pub struct CpuPredictor<H> {
    head: H,
    networks: Networks,
    format: InputFormat,
    tensor: TensorFormat<Normalize>,
    /// Where the caller asks for no other.
    size: InputSize,
    finder: Finder,
    timings: Timings,
}

fn size_of(head: &impl DetectorHead) -> InputSize {
    head.spec().input.unwrap_or(InputSize::square(0))
}

impl<H: DetectorHead + Clone> CpuPredictor<H> {
    /// A predictor with the network of a model, whose weights it copies, and the input size that the model was made for.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new<M: PortableModel<Head = H>>(model: &M, host: Host) -> Result<Self, PlanError> {
        let head = model.head().clone();
        let networks = Networks::of(model, size_of(&head), host)?;
        Ok(Self::with(head, networks))
    }

    /// A predictor from a file of weights of any [`WeightFormat`](crate::WeightFormat). With `cache`, a path whose
    /// extension is replaced, the planned network is kept in a file and loaded from there the next time, in milliseconds.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn load<M: PortableModel<Head = H>>(
        weights: impl AsRef<Path>,
        cache: Option<&Path>,
        host: Host,
    ) -> Result<Self, PlanError> {
        let (networks, head) = Networks::load::<M>(weights.as_ref(), cache, host, size_of)?;
        Ok(Self::with(head, networks))
    }

    fn with(head: H, networks: Networks) -> Self {
        let (format, size) = (head.input_format(), size_of(&head));
        Self {
            tensor: format.tensor(Layout::Interleaved),
            head,
            networks,
            format,
            size,
            finder: Finder::default(),
            timings: Timings::default(),
        }
    }

    /// With another input size where the caller asks for none: smaller is faster, larger finds smaller objects. It is not
    /// rounded.
    ///
    /// # Errors
    /// [`BurnError::InputSize`] unless width and height are multiples of [`InputFormat::multiple`], up to 8192.
    pub fn with_input_size(mut self, size: InputSize) -> Result<Self, BurnError> {
        check(&self.format, size)?;
        self.size = size;
        Ok(self)
    }

    /// With room for another number of candidates per frame; the default is 4096.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.finder = Finder::new(candidates);
        self
    }

    /// What surrounds the network.
    pub const fn head(&self) -> &H {
        &self.head
    }

    /// How long the stages of the last call took.
    pub const fn timings(&self) -> Timings {
        self.timings
    }
}

impl<H> ErrorType for CpuPredictor<H> {
    type Error = BurnError;
}

impl<H: DetectorHead + Clone> Predictor for CpuPredictor<H> {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec { input: Some(self.size), ..self.head.spec() }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        let size = options.img_size_or(self.size);
        check(&self.format, size)?;
        let network = self.networks.of_size(size)?;
        let letterbox = Letterbox::of(&frame.image, size, self.format.fit)?;
        network.put(&frame.image, &letterbox, &self.tensor)?;
        self.timings = Timings { letterbox: clock.lap(), ..Timings::default() };
        network.run();
        self.timings.forward = clock.lap();
        let Self { head, finder, timings, .. } = self;
        network.read(|outputs| {
            let decoded = || timings.decode = clock.lap();
            finder.find(head, outputs, &letterbox, options, &mut out, decoded)
        })?;
        timings.nms = clock.lap();
        Ok(())
    }
}
