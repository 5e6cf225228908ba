//! A model as a predictor.

use core::borrow::BorrowMut;
use core::fmt;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorKind, ErrorType, Frame, InputSize, ModelSpec, PredictOptions,
    PredictionsMut, Predictor,
};
#[cfg(feature = "host")]
use eyespot_decode::yolox;
use eyespot_decode::{Candidate, Candidates, DecodeOptions, Nms, fastestdet};
use eyespot_image::{
    Channels, Fit, Layout, Letterbox, Normalize, Quantize, ResizeError, ResizeScratch, TensorFormat,
};

use crate::graph::{ColorOrder, Element, ImageFit, Port, Task};
use crate::{Description, Network, Values};

/// Memory of a predictor beside the network's arena: an image as wide as `COLUMNS` pixels of the model's input, and
/// `CANDIDATES` boxes before suppression.
#[derive(Debug)]
pub struct NnStorage<const COLUMNS: usize, const CANDIDATES: usize> {
    scratch: ResizeScratch<COLUMNS>,
    candidates: [Candidate; CANDIDATES],
}

impl<const COLUMNS: usize, const CANDIDATES: usize> NnStorage<COLUMNS, CANDIDATES> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty; all bits are zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { scratch: ResizeScratch::new(), candidates: [Candidate::EMPTY; CANDIDATES] }
    }
}

impl<const COLUMNS: usize, const CANDIDATES: usize> Default for NnStorage<COLUMNS, CANDIDATES> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a model can't be a predictor or a frame can't be its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NnError {
    /// The model's file does not say what a predictor needs.
    Unspecified {
        /// What is missing.
        what: &'static str,
    },
    /// The outputs don't have the shapes that the task asks for.
    Outputs {
        /// What they should be.
        expected: &'static str,
    },
    /// There are fewer labels than classes, or more.
    Labels {
        /// Classes of the model.
        classes: usize,
        /// Labels that were given.
        labels: usize,
    },
    /// The storage is made for a narrower input.
    Columns {
        /// Columns of the model's input.
        needed: usize,
        /// Columns of the storage.
        available: usize,
    },
    /// Another input size was asked for: that of a planned model is fixed.
    InputSize {
        /// The size that was asked for.
        asked: InputSize,
        /// The size that the model has.
        size: InputSize,
    },
    /// The image could not be resized.
    Resize(ResizeError),
}

impl fmt::Display for NnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified { what } => {
                write!(f, "the model does not say {what}: convert it again and tell the converter")
            }
            Self::Outputs { expected } => {
                write!(f, "the model's outputs don't fit its task: expected {expected}")
            }
            Self::Labels { classes, labels } => {
                write!(f, "the model has {classes} classes but {labels} labels were given: give one for each")
            }
            Self::Columns { needed, available } => {
                write!(
                    f,
                    "the model's input has {needed} columns but the storage {available}: use a larger one"
                )
            }
            Self::InputSize { asked, size } => write!(
                f,
                "the model's input is {} x {} pixels and can't be {} x {}: leave the size out, or convert the model \
                 again with that size",
                size.width, size.height, asked.width, asked.height
            ),
            Self::Resize(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NnError {}

impl eyespot_core::Error for NnError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Columns { .. } => ErrorKind::Capacity,
            Self::InputSize { .. } => ErrorKind::Unsupported,
            Self::Resize(error) => error.kind(),
            _ => ErrorKind::InvalidInput,
        }
    }
}

impl From<ResizeError> for NnError {
    fn from(error: ResizeError) -> Self {
        Self::Resize(error)
    }
}

/// How levels become values.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one per predictor, and no heap to put it")]
enum Format {
    I8(TensorFormat<Quantize<i8>>),
    F32(TensorFormat<Normalize>),
}

#[derive(Debug, Clone, Copy)]
enum Head {
    Classify,
    FastestDet(fastestdet::Head),
    #[cfg(feature = "host")]
    Yolox(yolox::Head<'static>),
}

/// A model as a predictor: letterbox, network, head, suppression, in fixed memory.
///
/// What the outputs mean is said in the model's file ([`Task`]):
/// - With [`Task::Classify`] every class that reaches the threshold is a detection as large as the frame. A class with an
///   empty label is never reported: the background, or "no person".
/// - With [`Task::FastestDet`] and [`Task::Yolox`] the detections are boxes.
#[derive(Debug)]
pub struct NnPredictor<'m, A, S, const COLUMNS: usize, const CANDIDATES: usize> {
    network: Network<'m, A>,
    storage: S,
    labels: &'m [&'m str],
    size: InputSize,
    fit: Fit,
    format: Format,
    head: Head,
}

impl<'m, A, S, const COLUMNS: usize, const CANDIDATES: usize> NnPredictor<'m, A, S, COLUMNS, CANDIDATES>
where
    A: AsMut<[u64]> + AsRef<[u64]>,
    S: BorrowMut<NnStorage<COLUMNS, CANDIDATES>>,
{
    /// A predictor from a network, its memory and a label for each class.
    ///
    /// # Errors
    /// [`NnError`] where the model's file does not say how an image becomes its input and what its outputs mean, or
    /// where labels or storage don't fit.
    pub fn new(network: Network<'m, A>, storage: S, labels: &'m [&'m str]) -> Result<Self, NnError> {
        let model = network.description();
        let (size, fit, format) = input_of(model)?;
        if usize::from(size.width) > COLUMNS {
            return Err(NnError::Columns { needed: size.width.into(), available: COLUMNS });
        }
        let (head, classes) = head_of(model, size)?;
        if labels.len() != classes {
            return Err(NnError::Labels { classes, labels: labels.len() });
        }
        Ok(Self { network, storage, labels, size, fit, format, head })
    }

    /// The score threshold where the caller gives none.
    const fn conf(&self) -> f32 {
        match self.head {
            #[cfg(feature = "host")]
            Head::Yolox(_) => 0.25,
            _ => 0.5,
        }
    }

    /// The network.
    pub const fn network(&self) -> &Network<'m, A> {
        &self.network
    }
}

/// How the outputs of a model are read, and its number of classes.
fn head_of(model: &Description<'_>, size: InputSize) -> Result<(Head, usize), NnError> {
    let output = |index: usize| model.output(index).map(|port| port.slot.shape);
    Ok(match model.info().task {
        Task::Raw => return Err(NnError::Unspecified { what: "what its outputs mean" }),
        Task::Classify => {
            let expected = NnError::Outputs { expected: "one score per class" };
            let shape = output(0).filter(|shape| shape.h == 1 && shape.w == 1).ok_or(expected)?;
            (Head::Classify, shape.c as usize)
        }
        Task::FastestDet { trained: [width, height] } => {
            let classes = match (output(0), output(2)) {
                (Some(_), Some(scores)) => scores.c,
                (Some(whole), None) => whole.c.saturating_sub(5),
                _ => 0,
            };
            let head = fastestdet::Head::new(size, u16::try_from(classes).unwrap_or(u16::MAX))
                .with_trained(InputSize::new(width, height));
            let cells = |index: usize, channels: usize| {
                output(index).is_some_and(|shape| {
                    shape.h == u32::from(head.rows())
                        && shape.w == u32::from(head.columns())
                        && shape.c as usize == channels
                })
            };
            let parts = cells(0, 1) && cells(1, 4) && cells(2, classes as usize);
            if !(parts || output(1).is_none() && cells(0, head.channels())) {
                return Err(NnError::Outputs { expected: "objectness, box and classes for each cell" });
            }
            (Head::FastestDet(head), classes as usize)
        }
        #[cfg(feature = "host")]
        Task::Yolox => yolox_of(model, size)?,
        #[cfg(not(feature = "host"))]
        Task::Yolox => return Err(NnError::Unspecified { what: "outputs that firmware can read" }),
    })
}

/// The number of classes of a model: of the labels that [`NnPredictor::new`] asks for.
///
/// # Errors
/// [`NnError`] where the model's file does not say how an image becomes its input and what its outputs mean, or where the
/// outputs have other shapes.
pub fn classes(model: &Description<'_>) -> Result<usize, NnError> {
    let (size, ..) = input_of(model)?;
    head_of(model, size).map(|(_, classes)| classes)
}

/// The head of a YOLOX model and its number of classes.
#[cfg(feature = "host")]
fn yolox_of(model: &Description<'_>, size: InputSize) -> Result<(Head, usize), NnError> {
    let expected =
        NnError::Outputs { expected: "boxes, objectness and classes for each cell of three strides" };
    let shape = |index: usize| model.output(index).map(|port| port.slot.shape);
    let parts = shape(1).is_some();
    let classes = match (parts, shape(0), shape(2)) {
        (false, Some(whole), _) => whole.c.checked_sub(5),
        (true, _, Some(scores)) => Some(scores.c),
        _ => None,
    };
    let classes = classes.and_then(|classes| u16::try_from(classes).ok()).ok_or(expected)?;
    let head = yolox::Head::new(size, &yolox::STRIDES, classes);
    let fits = |index: usize, cells: usize, channels: usize| {
        shape(index).is_some_and(|shape| {
            (shape.h as usize) * (shape.w as usize) == cells && shape.c as usize == channels
        })
    };
    let fits = if parts {
        yolox::STRIDES.iter().enumerate().all(|(at, &stride)| {
            let cells = yolox::Head::new(size, &[stride], classes).anchors();
            [4, 1, classes.into()].iter().zip(3 * at..).all(|(&channels, index)| fits(index, cells, channels))
        })
    } else {
        fits(0, head.anchors(), 5 + usize::from(classes))
    };
    if fits { Ok((Head::Yolox(head), classes.into())) } else { Err(expected) }
}

/// How an image becomes the input of a model.
fn input_of(model: &Description<'_>) -> Result<(InputSize, Fit, Format), NnError> {
    let image = model.info().image;
    let image = image.ok_or(NnError::Unspecified { what: "how an image becomes its input" })?;
    let port = model.input(0).ok_or(NnError::Unspecified { what: "its input" })?;
    let shape = port.slot.shape;
    let (Ok(width), Ok(height)) = (u16::try_from(shape.w), u16::try_from(shape.h)) else {
        return Err(NnError::Outputs { expected: "an input of at most 65535 pixels each way" });
    };
    let channels = match image.order {
        ColorOrder::Gray => Channels::Gray,
        ColorOrder::Rgb => Channels::Rgb,
        ColorOrder::Bgr => Channels::Bgr,
    };
    if channels.count() != shape.c as usize {
        return Err(NnError::Unspecified { what: "the right order of its input's channels" });
    }
    let normalize = Normalize::mean_std(image.mean, image.std);
    let layout = Layout::Interleaved;
    let format = match port.element {
        Element::I8 => {
            let encoding = Quantize::i8(&normalize, port.scale, port.zero_point)?;
            Format::I8(TensorFormat::new(layout, channels, encoding).with_pad(image.pad))
        }
        Element::F32 => Format::F32(TensorFormat::new(layout, channels, normalize).with_pad(image.pad)),
    };
    let fit = match image.fit {
        ImageFit::Stretch => Fit::Stretch,
        ImageFit::TopLeft => Fit::TopLeft,
        ImageFit::Center => Fit::Center,
    };
    Ok((InputSize::new(width, height), fit, format))
}

/// A value of an output in floating point.
fn real(values: Values<'_>, port: &Port<'_>, at: usize) -> f32 {
    match values {
        Values::I8(values) => values
            .get(at)
            .map_or(f32::NAN, |&value| f32::from(i16::from(value) - i16::from(port.zero_point)) * port.scale),
        Values::F32(values) => values.get(at).copied().unwrap_or(f32::NAN),
    }
}

impl<A, S, const COLUMNS: usize, const CANDIDATES: usize> ErrorType
    for NnPredictor<'_, A, S, COLUMNS, CANDIDATES>
{
    type Error = NnError;
}

impl<A, S, const COLUMNS: usize, const CANDIDATES: usize> Predictor
    for NnPredictor<'_, A, S, COLUMNS, CANDIDATES>
where
    A: AsMut<[u64]> + AsRef<[u64]>,
    S: BorrowMut<NnStorage<COLUMNS, CANDIDATES>>,
{
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec {
            conf: self.conf(),
            ..ModelSpec::boxes(self.network.description().name(), Some(self.size), self.labels)
        }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), NnError> {
        let asked = options.img_size_or(self.size);
        if asked != self.size {
            return Err(NnError::InputSize { asked, size: self.size });
        }
        let decode = DecodeOptions::of(options, self.conf());
        let NnStorage { scratch, candidates } = self.storage.borrow_mut();
        let letterbox = Letterbox::of(&frame.image, self.size, self.fit)?;
        match (&self.format, self.network.input_mut(0)) {
            (Format::I8(format), crate::ValuesMut::I8(values)) => {
                letterbox.apply(&frame.image, format, scratch.lend(), values)?;
            }
            (Format::F32(format), crate::ValuesMut::F32(values)) => {
                letterbox.apply(&frame.image, format, scratch.lend(), values)?;
            }
            // The format was made for the input.
            _ => return Err(NnError::Unspecified { what: "its input" }),
        }
        self.network.run();
        let model = self.network.description();
        let output = |index: usize| model.output(index).map(|port| (self.network.output(index), port));
        let Some((values, port)) = output(0) else { return Ok(()) };
        let mut candidates = Candidates::new(candidates);
        match self.head {
            Head::Classify => {
                let (width, height) = (frame.image.width(), frame.image.height());
                let whole = BBox::new(0.0, 0.0, f32::from(width), f32::from(height));
                for (class, label) in (0u16..).zip(self.labels) {
                    let score = real(values, &port, class.into());
                    let wanted = !label.is_empty() && decode.classes.keeps(ClassId(class));
                    if wanted && score >= decode.conf {
                        out.push(Detection::new(whole, score.min(1.0), ClassId(class)));
                    }
                }
                return Ok(());
            }
            Head::FastestDet(head) => match (output(1), output(2)) {
                (Some((boxes, box_port)), Some((scores, score_port))) => {
                    let classes = self.labels.len();
                    let value = |cell: usize, channel: usize| match channel {
                        0 => real(values, &port, cell),
                        1..5 => real(boxes, &box_port, cell * 4 + channel - 1),
                        _ => real(scores, &score_port, cell * classes + channel - 5),
                    };
                    head.decode_with(value, &decode, &mut candidates);
                }
                _ => {
                    let channels = head.channels();
                    let value = |cell: usize, channel: usize| real(values, &port, cell * channels + channel);
                    head.decode_with(value, &decode, &mut candidates);
                }
            },
            #[cfg(feature = "host")]
            Head::Yolox(head) => {
                let channels = 5 + self.labels.len();
                if output(1).is_none() {
                    let value =
                        |anchor: usize, channel: usize| real(values, &port, anchor * channels + channel);
                    head.decode_with(value, &decode, &mut candidates);
                } else {
                    // Boxes, objectness and classes of each stride.
                    let parts: [_; 9] = core::array::from_fn(output);
                    let cells = |at: usize| {
                        parts.get(3 * at + 1).and_then(Option::as_ref).map_or(0, |(values, _)| values.len())
                    };
                    let (fine, middle) = (cells(0), cells(1));
                    let value = |anchor: usize, channel: usize| {
                        let (at, cell) = match anchor {
                            anchor if anchor < fine => (0, anchor),
                            anchor if anchor < fine + middle => (1, anchor - fine),
                            anchor => (2, anchor - fine - middle),
                        };
                        let (part, width, channel) = match channel {
                            0..4 => (0, 4, channel),
                            4 => (1, 1, 0),
                            _ => (2, channels - 5, channel - 5),
                        };
                        parts
                            .get(3 * at + part)
                            .and_then(Option::as_ref)
                            .map_or(f32::NAN, |(values, port)| real(*values, port, cell * width + channel))
                    };
                    head.decode_with(value, &decode, &mut candidates);
                }
            }
        }
        Nms::new(options.iou_or(0.45)).suppress(&mut candidates);
        candidates.push_into(&mut out, |bbox| letterbox.to_source_clipped(bbox));
        Ok(())
    }
}
