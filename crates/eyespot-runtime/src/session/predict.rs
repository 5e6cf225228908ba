//! The model with its settings: in windows, on resized frames, in batches.

use std::sync::Arc;

use eyespot_core::{
    AnyError, Boxed, Error as _, ErrorKind, Frame, ImageView, InputSize, PixelFormat, PredictOptions,
    PredictionsBuf, PredictionsMut, PredictionsStorage as _, Predictor,
};
use eyespot_image::{Channels, Fit, Layout, Letterbox, Levels, ResizeError, Scratch, Tap, TensorFormat};
use eyespot_window::SlidingWindow;

use crate::classes::{Classes, classes};
use crate::model::Shared;
use crate::registry::BoxedPredictor;
use crate::{Model, RuntimeError, Settings, WindowSettings};

pub(super) struct Stage {
    model: Arc<Shared>,
    asked: Asked,
    window: Option<WindowSettings>,
    /// With windows: the size that the frame gets before it is cut.
    resize: Option<Resizer>,
    batch: usize,
}

/// What the model is asked for.
struct Asked {
    options: PredictOptions<'static>,
    classes: Option<Classes>,
}

impl Asked {
    fn options(&self) -> PredictOptions<'_> {
        match &self.classes {
            Some(classes) => self.options.with_classes(classes.as_filter()),
            None => self.options,
        }
    }
}

impl Stage {
    pub(super) fn new(model: &Model, settings: &Settings) -> Result<Self, RuntimeError> {
        let mut options = settings.options()?;
        let classes = settings.classes.as_ref().map(|wanted| classes(wanted, model.labels())).transpose()?;
        let mut resize = None;
        match (settings.img_size, settings.sliding_window) {
            (Some(size), Some(_)) => resize = Some(Resizer::new(size)?),
            (Some(size), None) if model.input_size().is_some() => options = options.with_img_size(size),
            (Some(_), None) => return Err(RuntimeError::NoInputSize { model: model.name().to_owned() }),
            (None, _) => {}
        }
        if let Some(window) = settings.sliding_window {
            // A plan for the smallest frame shows whether size and overlap fit together at all.
            window.tiles.plan(InputSize::square(1), model.input_size())?;
        }
        let batch = settings.batch();
        let model = Arc::clone(&model.shared);
        let asked = Asked { options, classes };
        Ok(Self { model, asked, window: settings.sliding_window, resize, batch })
    }

    /// The model, which other sessions may share.
    pub(super) fn model(&self) -> Arc<Shared> {
        Arc::clone(&self.model)
    }

    /// Starts a batch without waiting for it. `false`: the model does not work ahead, or only within a frame, from window to
    /// window.
    pub(super) fn submit(&self, model: &mut BoxedPredictor, frames: &[Frame<'_>]) -> Result<bool, AnyError> {
        if self.window.is_some() { Ok(false) } else { model.submit(frames, &self.asked.options()) }
    }

    /// Fills one storage per frame of the batch that was started first; errors as in [`predict`](Self::predict).
    pub(super) fn collect(
        &self,
        model: &mut BoxedPredictor,
        frames: &[Frame<'_>],
        results: &mut [PredictionsBuf],
    ) -> Vec<Result<(), AnyError>> {
        results.iter_mut().for_each(|results| results.view_mut().clear());
        let together = model.collect(&self.asked.options(), &mut &mut *results);
        self.each(model, together, frames, results)
    }

    /// The outcome for each frame of a batch. Which frame an error belongs to shows when they go one by one.
    pub(super) fn each(
        &self,
        model: &mut BoxedPredictor,
        together: Result<(), AnyError>,
        frames: &[Frame<'_>],
        results: &mut [PredictionsBuf],
    ) -> Vec<Result<(), AnyError>> {
        match (together, frames.len()) {
            (Ok(()), _) => frames.iter().map(|_| Ok(())).collect(),
            (Err(error), 1) => vec![Err(error)],
            (Err(error), _) if error.kind() != ErrorKind::Device => frames
                .iter()
                .zip(results)
                .map(|(frame, results)| {
                    results.view_mut().clear();
                    model.predict(frame, &self.asked.options(), results.view_mut())
                })
                .collect(),
            // It ends the session: nothing that comes after it is of use.
            (Err(error), _) => vec![Err(error)],
        }
    }

    /// Fills one storage per frame; the error of one frame costs that frame only.
    pub(super) fn predict(
        &mut self,
        model: &mut BoxedPredictor,
        frames: &[Frame<'_>],
        results: &mut [PredictionsBuf],
    ) -> Vec<Result<(), AnyError>> {
        let Some(window) = self.window else {
            results.iter_mut().for_each(|results| results.view_mut().clear());
            let together = model.predict_batch(frames, &self.asked.options(), &mut &mut *results);
            return self.each(model, together, frames, results);
        };
        let options = self.asked.options();
        let one = |(frame, results): (&Frame<'_>, &mut PredictionsBuf)| {
            let mut out = results.view_mut();
            out.clear();
            match &mut self.resize {
                None => in_windows(&mut **model, window, self.batch, frame, &options, out),
                Some(resizer) => {
                    let (width, height) = (frame.image.width(), frame.image.height());
                    let resized = resizer.resize(frame).map_err(AnyError::new)?;
                    let x = f32::from(width) / f32::from(resized.image.width());
                    let y = f32::from(height) / f32::from(resized.image.height());
                    in_windows(&mut **model, window, self.batch, &resized, &options, out.scaled(x, y))
                }
            }
        };
        frames.iter().zip(results).map(one).collect()
    }
}

/// Predicts a frame window by window. Batches of windows have the power of two that is nearest below `batch`, up to 32.
fn in_windows(
    model: &mut dyn Predictor<Error = AnyError>,
    window: WindowSettings,
    batch: usize,
    frame: &Frame<'_>,
    options: &PredictOptions<'_>,
    out: PredictionsMut<'_>,
) -> Result<(), AnyError> {
    let sliding =
        SlidingWindow::new(model, window.tiles).with_merge(window.merge).with_whole_frame(window.whole_frame);
    match batch {
        0 | 1 => Boxed(sliding).predict(frame, options, out),
        2..4 => Boxed(sliding.with_batch::<2>()).predict(frame, options, out),
        4..8 => Boxed(sliding.with_batch::<4>()).predict(frame, options, out),
        8..16 => Boxed(sliding.with_batch::<8>()).predict(frame, options, out),
        16..32 => Boxed(sliding.with_batch::<16>()).predict(frame, options, out),
        _ => Boxed(sliding.with_batch::<32>()).predict(frame, options, out),
    }
}

/// Resizes frames to an exact size, bilinearly. Grey stays grey, all else becomes RGB.
struct Resizer {
    size: InputSize,
    pixels: Vec<u8>,
    taps: Vec<Tap>,
    rows: Vec<u16>,
}

impl Resizer {
    fn new(size: InputSize) -> Result<Self, ResizeError> {
        if size.width == 0 || size.height == 0 {
            return Err(ResizeError::Empty);
        }
        let columns = usize::from(size.width);
        Ok(Self { size, pixels: Vec::new(), taps: vec![Tap::default(); columns], rows: vec![0; columns * 6] })
    }

    fn resize<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Frame<'a>, ResizeError> {
        let gray = frame.image.format() == PixelFormat::Gray8;
        let (channels, target) =
            if gray { (Channels::Gray, PixelFormat::Gray8) } else { (Channels::Rgb, PixelFormat::Rgb8) };
        let format = TensorFormat::new(Layout::Interleaved, channels, Levels);
        self.pixels.resize(format.len_of(self.size), 0);
        let letterbox = Letterbox::of(&frame.image, self.size, Fit::Stretch)?;
        let scratch = Scratch::new(&mut self.taps, &mut self.rows);
        letterbox.apply(&frame.image, &format, scratch, &mut self.pixels)?;
        let image = ImageView::packed(&self.pixels, self.size.width, self.size.height, target)
            .map_err(|_| ResizeError::Empty)?;
        Ok(frame.with_image(image))
    }
}
