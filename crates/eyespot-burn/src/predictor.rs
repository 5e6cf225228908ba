//! A model as a predictor.

use std::time::Duration;

use eyespot_core::{
    BatchOutput, ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_image::{Layout, Letterbox};

use crate::batch::{Batch, Clock};
use crate::head::Finder;
use crate::{BurnDevice, BurnError, BurnModel, DetectorHead, InputFormat};

/// Largest width and height of an input: with it a batch of one takes 805 MB.
const LIMIT: u16 = 8192;

/// Can a model take this size?
pub(crate) fn check(format: &InputFormat, size: InputSize) -> Result<(), BurnError> {
    let multiple = format.multiple.max(1);
    let fits = |side: u16| side > 0 && side <= LIMIT && side.is_multiple_of(multiple);
    if fits(size.width) && fits(size.height) {
        return Ok(());
    }
    Err(BurnError::InputSize { size, multiple, limit: LIMIT })
}

/// How long the stages of the last call took, all frames of its batch together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Images to tensors.
    pub letterbox: Duration,
    /// The network, with the way to the device and back.
    pub forward: Duration,
    /// Results of the network to boxes.
    pub decode: Duration,
    /// Non-maximum suppression, and boxes to the caller.
    pub nms: Duration,
}

/// A model as a predictor, on one device of Burn.
///
/// Memory for images and candidates is kept from call to call. Where a frame has more candidates than there is room
/// for, the best are kept and the loss is counted.
#[derive(Debug)]
pub struct BurnPredictor<M> {
    model: M,
    device: BurnDevice,
    format: InputFormat,
    /// Where the caller asks for no other.
    size: InputSize,
    batch: Batch,
    letterboxes: Vec<Letterbox>,
    finder: Finder,
    timings: Timings,
}

impl<M: BurnModel<Head: DetectorHead>> BurnPredictor<M> {
    /// A predictor with the input size that the model was made for.
    ///
    /// # Errors
    /// [`BurnError::InputSize`] where the model names none.
    pub fn new(model: M, device: BurnDevice) -> Result<Self, BurnError> {
        let format = model.head().input_format();
        let size = model.head().spec().input.unwrap_or(InputSize::square(0));
        let predictor = Self {
            model,
            device,
            format,
            size,
            batch: Batch::new(format.tensor(Layout::Planar), size),
            letterboxes: Vec::new(),
            finder: Finder::default(),
            timings: Timings::default(),
        };
        predictor.with_input_size(size)
    }

    /// With another input size where the caller asks for none: smaller is faster, larger finds smaller objects. It is not
    /// rounded.
    ///
    /// # Errors
    /// [`BurnError::InputSize`] unless width and height are multiples of [`InputFormat::multiple`], up to 8192.
    pub fn with_input_size(mut self, size: InputSize) -> Result<Self, BurnError> {
        self.size = size;
        self.resize(size)?;
        Ok(self)
    }

    /// Makes the input of that size.
    fn resize(&mut self, size: InputSize) -> Result<(), BurnError> {
        check(&self.format, size)?;
        if size != self.batch.size() {
            self.batch = Batch::new(self.format.tensor(Layout::Planar), size);
        }
        Ok(())
    }

    /// With room for another number of candidates per frame; the default is 4096.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.finder = Finder::new(candidates);
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
    pub const fn timings(&self) -> Timings {
        self.timings
    }

    /// Fills the input with images until one fails.
    fn letterbox(&mut self, frames: &[Frame<'_>]) -> Result<(), BurnError> {
        self.letterboxes.clear();
        self.batch.clear();
        for frame in frames {
            let letterbox = Letterbox::of(&frame.image, self.batch.size(), self.format.fit)?;
            self.batch.push(&frame.image, &letterbox)?;
            self.letterboxes.push(letterbox);
        }
        Ok(())
    }

    fn run(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        self.resize(options.img_size_or(self.size))?;
        let prepared = self.letterbox(frames);
        self.timings = Timings { letterbox: clock.lap(), ..Timings::default() };
        let images = self.letterboxes.len();
        if images == 0 {
            return prepared;
        }
        let results = self.batch.run(&self.device, |input| self.model.forward(input))?;
        self.timings.forward = clock.lap();
        for (index, letterbox) in self.letterboxes.iter().enumerate() {
            let parts: Vec<&[f32]> = results
                .iter()
                .map(|result| {
                    let len = result.len() / images;
                    result.get(index * len..(index + 1) * len).unwrap_or_default()
                })
                .collect();
            let decoded = || self.timings.decode += clock.lap();
            let mut out = out.output(index);
            self.finder.find(self.model.head(), &parts, letterbox, options, &mut out, decoded)?;
            self.timings.nms += clock.lap();
        }
        prepared
    }
}

impl<M> ErrorType for BurnPredictor<M> {
    type Error = BurnError;
}

impl<M: BurnModel<Head: DetectorHead>> Predictor for BurnPredictor<M> {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec { input: Some(self.size), ..self.model.head().spec() }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), BurnError> {
        self.run(std::slice::from_ref(frame), options, &mut One(out))
    }

    /// One pass of the network for all frames.
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), BurnError> {
        self.run(frames, options, out)
    }
}

/// The output of a batch of one.
struct One<'a>(PredictionsMut<'a>);

impl BatchOutput for One<'_> {
    fn output(&mut self, _: usize) -> PredictionsMut<'_> {
        self.0.reborrow()
    }
}
