//! A model as a predictor.

use std::collections::VecDeque;
use std::time::Duration;

use burn::tensor::Tensor;
use eyespot_core::{
    BatchOutput, ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_image::{Layout, Letterbox};

use crate::batch::{Batch, Clock, read};
use crate::gpu::{Frames, Kept, Reading, Selection, Sparse};
use crate::head::Finder;
use crate::{BurnDevice, BurnError, BurnModel, DetectorHead, InputFormat};

/// Batches that may be under way: one that the device computes, and one that waits for it.
const UNDER_WAY: usize = 2;
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

/// How long the caller spent in the stages of the last batch that was predicted or collected, all its frames together. What
/// a device computes between submission and collection shows nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Images to tensors.
    pub letterbox: Duration,
    /// Starting the network and waiting for its results, with the way to the device and back.
    pub forward: Duration,
    /// Results of the network to boxes.
    pub decode: Duration,
    /// Non-maximum suppression, and boxes to the caller.
    pub nms: Duration,
}

/// Where frames become the input of the network.
#[derive(Debug)]
enum Input {
    Host(Batch),
    Device(Box<Frames>),
}

/// Images that became the input of the network.
#[derive(Debug, Default)]
struct Images {
    letterboxes: Vec<Letterbox>,
    timings: Timings,
}

/// A network that was started.
#[derive(Debug)]
enum Forward {
    /// In host memory it is done.
    Host(Vec<Vec<f32>>),
    /// All results come back.
    All(Reading),
    /// The rows that count come back. If that is too many for an image, all results do.
    Rows(Selection, Vec<Tensor<3>>),
}

impl Forward {
    /// Waits for the results.
    fn wait(self) -> Result<Results, BurnError> {
        match self {
            Self::Host(results) => Ok(Results::All(results)),
            Self::All(reading) => reading.wait().map(Results::All),
            Self::Rows(selection, results) => {
                let count = selection.count();
                match selection.wait()? {
                    Some(kept) => Ok(Results::Kept(kept, count)),
                    None => results.into_iter().map(read).collect::<Result<_, _>>().map(Results::All),
                }
            }
        }
    }
}

/// What the network gave.
enum Results {
    /// Each result of all images.
    All(Vec<Vec<f32>>),
    /// For each image the rows that count, of so many.
    Kept(Vec<Kept>, usize),
}

/// A model as a predictor, on one device of Burn.
///
/// On a GPU frames go up as they are and become the network's input there, and of results with a
/// [bound](crate::PortableModel::bounds) only the rows come back that reach the threshold. There it works ahead
/// ([`submit`](Predictor::submit)): the GPU gets the next batch while it computes the one before.
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
    input: Input,
    under_way: VecDeque<(Images, Forward)>,
    sparse: Sparse,
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
        let frames = if device.is_cpu() { None } else { Frames::new(device.device(), format) };
        let input = match frames {
            Some(frames) => Input::Device(Box::new(frames)),
            None => Input::Host(Batch::new(format.tensor(Layout::Planar), size)),
        };
        let predictor = Self {
            model,
            device,
            format,
            size,
            input,
            under_way: VecDeque::new(),
            sparse: Sparse::default(),
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
        if let Input::Host(batch) = &mut self.input
            && batch.size() != size
        {
            *batch = Batch::new(self.format.tensor(Layout::Planar), size);
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

    /// How long the stages of the last batch took.
    pub const fn timings(&self) -> Timings {
        self.timings
    }

    /// Fills the input with images until one fails.
    fn letterbox(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        images: &mut Images,
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        let size = options.img_size_or(self.size);
        self.resize(size)?;
        match &mut self.input {
            Input::Host(batch) => batch.clear(),
            Input::Device(input) => input.clear(),
        }
        let mut push = |frame: &Frame<'_>| {
            let letterbox = Letterbox::of(&frame.image, size, self.format.fit)?;
            match &mut self.input {
                Input::Host(batch) => batch.push(&frame.image, &letterbox)?,
                Input::Device(input) => input.push(&frame.image, &letterbox)?,
            }
            images.letterboxes.push(letterbox);
            Ok(())
        };
        let pushed = frames.iter().try_for_each(&mut push);
        images.timings.letterbox = clock.lap();
        pushed
    }

    /// Starts the network on the input.
    fn forward(&mut self, options: &PredictOptions<'_>, images: &mut Images) -> Result<Forward, BurnError> {
        let mut clock = Clock::start();
        let forward = self.started(options.conf_or(self.model.head().spec().conf));
        images.timings.forward = clock.lap();
        forward
    }

    fn started(&mut self, conf: f32) -> Result<Forward, BurnError> {
        let input = match &mut self.input {
            Input::Host(batch) => {
                return batch.run(&self.device, |input| self.model.forward(input)).map(Forward::Host);
            }
            Input::Device(input) => input.take(),
        };
        let Some(input) = input else { return Ok(Forward::Host(Vec::new())) };
        let results = self.model.forward(input);
        // At a threshold of zero every row counts.
        Ok(match self.model.bounds(&results).filter(|_| conf > 0.0) {
            Some(bounds) => Forward::Rows(Selection::start(&results, bounds, conf), results),
            None => Forward::All(Reading::start(results)),
        })
    }

    /// Waits for the results of the network, and finds in them what there is.
    fn find(
        &mut self,
        images: &Images,
        forward: Forward,
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), BurnError> {
        let mut clock = Clock::start();
        let results = forward.wait()?;
        self.timings = images.timings;
        self.timings.forward += clock.lap();
        let count = images.letterboxes.len();
        for (index, letterbox) in images.letterboxes.iter().enumerate() {
            let parts: Vec<&[f32]> = match &results {
                Results::All(results) => results
                    .iter()
                    .map(|result| {
                        let len = result.len() / count;
                        result.get(index * len..(index + 1) * len).unwrap_or_default()
                    })
                    .collect(),
                Results::Kept(kept, count) => {
                    let Some(kept) = kept.get(index) else { continue };
                    self.sparse.fill(kept, *count).iter().map(Vec::as_slice).collect()
                }
            };
            let decoded = || self.timings.decode += clock.lap();
            let mut out = out.output(index);
            self.finder.find(self.model.head(), &parts, letterbox, options, &mut out, decoded)?;
            self.timings.nms += clock.lap();
        }
        Ok(())
    }

    /// All in one go, past what is under way.
    fn run(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), BurnError> {
        let mut images = Images::default();
        let pushed = self.letterbox(frames, options, &mut images);
        if !images.letterboxes.is_empty() {
            let forward = self.forward(options, &mut images)?;
            self.find(&images, forward, options, out)?;
        }
        pushed
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

    /// On a GPU the frames go up, and everything up to the results is enqueued. Elsewhere nothing is started.
    fn submit(&mut self, frames: &[Frame<'_>], options: &PredictOptions<'_>) -> Result<bool, BurnError> {
        if frames.is_empty() || matches!(self.input, Input::Host(_)) || self.under_way.len() == UNDER_WAY {
            return Ok(false);
        }
        let mut images = Images::default();
        self.letterbox(frames, options, &mut images)?;
        let forward = self.forward(options, &mut images)?;
        self.under_way.push_back((images, forward));
        Ok(true)
    }

    fn collect(&mut self, options: &PredictOptions<'_>, out: &mut dyn BatchOutput) -> Result<(), BurnError> {
        let Some((images, forward)) = self.under_way.pop_front() else { return Ok(()) };
        self.find(&images, forward, options, out)
    }

    fn discard(&mut self) {
        self.under_way.clear();
    }
}

/// The output of a batch of one.
struct One<'a>(PredictionsMut<'a>);

impl BatchOutput for One<'_> {
    fn output(&mut self, _: usize) -> PredictionsMut<'_> {
        self.0.reborrow()
    }
}
