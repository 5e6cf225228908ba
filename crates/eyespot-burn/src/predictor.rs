//! A model as a predictor.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData};
use eyespot_core::{
    BatchOutput, ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_decode::{Candidate, Candidates, DecodeOptions, Nms};
use eyespot_image::{Letterbox, Scratch, Tap};

use crate::{BurnDevice, BurnError, BurnModel, InputFormat};

/// Largest width and height of an input: with it a batch of one takes 805 MB.
const LIMIT: u16 = 8192;

/// Candidates of one frame that there is room for before suppression.
const CANDIDATES: usize = 4096;

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

/// A model as a predictor, on one device.
///
/// Memory for images and candidates is kept from call to call. Where a frame has more candidates than there is room
/// for, the best are kept and the loss is counted.
#[derive(Debug)]
pub struct BurnPredictor<M> {
    model: M,
    device: BurnDevice,
    format: InputFormat,
    size: InputSize,
    input: Vec<f32>,
    letterboxes: Vec<Letterbox>,
    taps: Vec<Tap>,
    rows: Vec<u16>,
    candidates: Vec<Candidate>,
    timings: Timings,
}

impl<M: BurnModel> BurnPredictor<M> {
    /// A predictor with the input size that the model was made for.
    ///
    /// # Errors
    /// [`BurnError::InputSize`] where the model names none.
    pub fn new(model: M, device: BurnDevice) -> Result<Self, BurnError> {
        let format = model.input_format();
        let size = model.spec().input.unwrap_or(InputSize::square(0));
        let predictor = Self {
            model,
            device,
            format,
            size,
            input: Vec::new(),
            letterboxes: Vec::new(),
            taps: Vec::new(),
            rows: Vec::new(),
            candidates: vec![Candidate::EMPTY; CANDIDATES],
            timings: Timings::default(),
        };
        predictor.with_input_size(size)
    }

    /// With another input size: smaller is faster, larger finds smaller objects. It is not rounded.
    ///
    /// # Errors
    /// [`BurnError::InputSize`] unless width and height are multiples of [`InputFormat::multiple`], up to 8192.
    pub fn with_input_size(mut self, size: InputSize) -> Result<Self, BurnError> {
        let multiple = self.format.multiple.max(1);
        let fits = |side: u16| side > 0 && side <= LIMIT && side.is_multiple_of(multiple);
        if !(fits(size.width) && fits(size.height)) {
            return Err(BurnError::InputSize { size, multiple, limit: LIMIT });
        }
        self.size = size;
        let columns = usize::from(size.width);
        self.taps = vec![Tap::default(); columns];
        self.rows = vec![0; columns * 6];
        Ok(self)
    }

    /// With room for another number of candidates per frame; the default is 4096.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.candidates = vec![Candidate::EMPTY; candidates];
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
        let len = self.format.tensor.len_of(self.size);
        self.letterboxes.clear();
        self.input.resize(frames.len() * len, 0.0);
        for (frame, input) in frames.iter().zip(self.input.chunks_exact_mut(len.max(1))) {
            let letterbox = Letterbox::of(&frame.image, self.size, self.format.fit)?;
            let scratch = Scratch::new(&mut self.taps, &mut self.rows);
            letterbox.apply(&frame.image, &self.format.tensor, scratch, input)?;
            self.letterboxes.push(letterbox);
        }
        Ok(())
    }

    /// Runs the network on the images that were filled in.
    fn forward(&mut self) -> Result<Vec<Vec<f32>>, BurnError> {
        let images = self.letterboxes.len();
        let (height, width) = (usize::from(self.size.height), usize::from(self.size.width));
        let len = self.format.tensor.len_of(self.size);
        self.input.truncate(images * len);
        let data =
            TensorData::new(std::mem::take(&mut self.input), [images, len / (height * width), height, width]);
        let input = Tensor::<4>::from_data(data, self.device.device());
        // In host memory the tensor is the buffer: it comes back when the network is done with it.
        let buffer = self.device.is_cpu().then(|| input.clone());
        let results = self.model.forward(input);
        let execution = |reason: String| BurnError::Execution { reason };
        let results = results
            .into_iter()
            .map(|result| {
                let data = result.try_into_data().map_err(|error| execution(error.to_string()))?;
                data.try_into_vec_as::<f32>().map_err(|error| execution(error.to_string()))
            })
            .collect();
        if let Some(buffer) = buffer.and_then(|buffer| buffer.try_into_data().ok()) {
            self.input = buffer.try_into_vec().unwrap_or_default();
        }
        results
    }

    fn run(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), BurnError> {
        let mut clock = Clock(Instant::now());
        let prepared = self.letterbox(frames);
        self.timings = Timings { letterbox: clock.lap(), ..Timings::default() };
        let images = self.letterboxes.len();
        if images == 0 {
            return prepared;
        }
        let results = self.forward()?;
        self.timings.forward = clock.lap();
        let decode = DecodeOptions::of(options, self.model.spec().conf);
        let nms = self.model.iou().map(|default| Nms::new(options.iou_or(default)));
        for (index, letterbox) in self.letterboxes.iter().enumerate() {
            let parts: Vec<&[f32]> = results
                .iter()
                .map(|result| {
                    let len = result.len() / images;
                    result.get(index * len..(index + 1) * len).unwrap_or_default()
                })
                .collect();
            let mut candidates = Candidates::new(&mut self.candidates);
            self.model.decode(&parts, self.size, &decode, &mut candidates)?;
            self.timings.decode += clock.lap();
            if let Some(nms) = nms {
                nms.suppress(&mut candidates);
            }
            candidates.push_into(&mut out.output(index), |bbox| letterbox.to_source_clipped(bbox));
            self.timings.nms += clock.lap();
        }
        prepared
    }
}

impl<M> ErrorType for BurnPredictor<M> {
    type Error = BurnError;
}

impl<M: BurnModel> Predictor for BurnPredictor<M> {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec { input: Some(self.size), ..self.model.spec() }
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

struct Clock(Instant);

impl Clock {
    /// The time since the last lap.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}
