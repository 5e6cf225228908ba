//! What surrounds a network: the same whatever runs it.

use eyespot_core::{InputSize, ModelSpec, PredictionsMut};
use eyespot_decode::{Candidate, Candidates, DecodeError, DecodeOptions, Nms};
use eyespot_image::{Channels, Fit, Layout, Letterbox, Normalize, TensorFormat};

/// How images become the input of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputFormat {
    /// Order of the channels.
    pub channels: Channels,
    /// What levels become.
    pub normalize: Normalize,
    /// Level (0 to 255) around the image.
    pub pad: u8,
    /// Where the image lies in it.
    pub fit: Fit,
    /// Width and height must be multiples of this.
    pub multiple: u16,
}

impl InputFormat {
    /// The format of the tensor in a layout.
    pub(crate) fn tensor(&self, layout: Layout) -> TensorFormat<Normalize> {
        TensorFormat::new(layout, self.channels, self.normalize).with_pad(self.pad)
    }
}

/// What a detector's outputs mean.
pub trait DetectorHead {
    /// Name, input size, classes.
    fn spec(&self) -> ModelSpec<'_>;

    /// How images become its input.
    fn input_format(&self) -> InputFormat;

    /// IoU threshold of non-maximum suppression where the caller gives none; `None` for a model that needs none.
    fn iou(&self) -> Option<f32>;

    /// Adds what one image's part of the results holds to `candidates`, in pixels of the model's input, whose size is the
    /// target of `letterbox`. A head with its own [`push`](Self::push) may choose other pixels.
    ///
    /// # Errors
    /// [`DecodeError`] where the results have another length than the input size asks for.
    fn decode(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError>;

    /// Pushes the candidates that are left after suppression, best first, to `out`, in pixels of the image. A model that
    /// gives masks or keypoints adds them here.
    fn push(
        &self,
        results: &[&[f32]],
        letterbox: &Letterbox,
        candidates: &Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) {
        let _ = results;
        candidates.push_into(out, |bbox| letterbox.to_source_clipped(bbox));
    }
}

/// What a network takes and gives that describes how objects look. An object fills the whole input, whatever its aspect
/// ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureHead {
    /// Its name.
    pub name: &'static str,
    /// The size that it was made for.
    pub input: InputSize,
    /// Order of the channels.
    pub channels: Channels,
    /// What levels become.
    pub normalize: Normalize,
    /// Numbers per feature.
    pub dim: usize,
}

impl FeatureHead {
    /// The format of the tensor in a layout.
    pub(crate) const fn tensor(&self, layout: Layout) -> TensorFormat<Normalize> {
        TensorFormat::new(layout, self.channels, self.normalize)
    }
}

/// Candidates of one frame that there is room for before suppression.
const CANDIDATES: usize = 4096;

/// Memory for what a head finds.
#[derive(Debug)]
pub(crate) struct Finder(Vec<Candidate>);

impl Default for Finder {
    fn default() -> Self {
        Self::new(CANDIDATES)
    }
}

impl Finder {
    /// With room for so many candidates.
    pub(crate) fn new(candidates: usize) -> Self {
        Self(vec![Candidate::EMPTY; candidates])
    }

    /// From one image's results to detections. `decoded` is called between decoding and suppression.
    pub(crate) fn find(
        &mut self,
        head: &impl DetectorHead,
        results: &[&[f32]],
        letterbox: &Letterbox,
        options: &eyespot_core::PredictOptions<'_>,
        out: &mut PredictionsMut<'_>,
        decoded: impl FnOnce(),
    ) -> Result<(), DecodeError> {
        let decode = DecodeOptions::of(options, head.spec().conf);
        let mut candidates = Candidates::new(&mut self.0);
        head.decode(results, letterbox, &decode, &mut candidates)?;
        decoded();
        if let Some(default) = head.iou() {
            Nms::new(options.iou_or(default)).suppress(&mut candidates);
        }
        head.push(results, letterbox, &candidates, out);
        Ok(())
    }
}
