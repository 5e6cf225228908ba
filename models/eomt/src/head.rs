//! What surrounds the network.

use eyespot_burn::{DetectorHead, InputFormat, labels};
use eyespot_core::{InputSize, ModelSpec, Outputs, PredictionsMut};
use eyespot_decode::{Candidates, DecodeError, DecodeOptions, Matrix, Placed, Queries};
use eyespot_image::{Channels, Fit, Letterbox, Normalize};

use crate::{Config, Variant};

/// The statistics of ImageNet, red first, in levels.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const STD: [f32; 3] = [58.395, 57.12, 57.375];

/// What the outputs of EoMT mean.
#[derive(Debug, Clone, Copy)]
pub struct EomtHead {
    variant: Option<Variant>,
    /// Side of the input that it was made for, pixels.
    side: u16,
    patch: u16,
    /// Cells of a mask in a patch, each way.
    cells: usize,
    queries: usize,
    labels: &'static [&'static str],
}

impl EomtHead {
    pub(crate) fn new(config: &Config, classes: u16) -> Self {
        let pixels = |pixels: usize| u16::try_from(pixels).unwrap_or(u16::MAX);
        Self {
            variant: config.variant(),
            side: pixels(config.grid * config.patch),
            patch: pixels(config.patch),
            cells: 1 << config.doublings,
            queries: config.queries,
            labels: labels(classes),
        }
    }

    pub(crate) const fn variant(&self) -> Option<Variant> {
        self.variant
    }

    fn queries<'a>(&self, results: &[&'a [f32]], input: InputSize) -> Result<Queries<'a>, DecodeError> {
        let [classes, maps] = *results else {
            return Err(DecodeError::Length { expected: 2, actual: results.len() });
        };
        let classes = Matrix::new(classes, self.queries, self.labels.len() + 1)?;
        let cells = |pixels: u16| usize::from(pixels / self.patch.max(1)) * self.cells;
        Queries::new(maps, (cells(input.width), cells(input.height)), classes)
    }
}

fn placed(letterbox: &Letterbox) -> Placed {
    Placed {
        input: letterbox.target(),
        origin: letterbox.origin(),
        resized: letterbox.resized(),
        source: letterbox.source(),
    }
}

impl DetectorHead for EomtHead {
    fn spec(&self) -> ModelSpec<'_> {
        let name = self.variant.map_or("eomt", Variant::name);
        let spec = ModelSpec::boxes(name, Some(InputSize::square(self.side)), self.labels);
        // As for other networks with queries; Hugging Face's post-processing asks for 0.8.
        ModelSpec { conf: 0.5, outputs: Outputs { masks: true, ..spec.outputs }, ..spec }
    }

    fn input_format(&self) -> InputFormat {
        InputFormat {
            channels: Channels::Rgb,
            normalize: Normalize::mean_std(MEAN, STD),
            pad: 0,
            fit: Fit::TopLeft,
            multiple: self.patch,
        }
    }

    fn iou(&self) -> Option<f32> {
        None
    }

    /// The boxes of these candidates are in pixels of the image.
    fn decode(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let (queries, placed) = (self.queries(results, letterbox.target())?, placed(letterbox));
        let mut scratch = vec![0.0; queries.scratch_len(&placed)];
        queries.decode(&placed, options, &mut scratch, candidates)
    }

    fn push(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        candidates: &Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) {
        // That they fit was checked in decoding.
        let Ok(queries) = self.queries(results, letterbox.target()) else { return };
        let placed = placed(letterbox);
        let mut scratch = vec![0.0; queries.scratch_len(&placed)];
        let _ = queries.push_into(&placed, candidates, &mut scratch, out);
    }
}
