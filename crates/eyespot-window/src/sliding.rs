//! A predictor that looks at a frame tile by tile.

use eyespot_core::{
    BatchOutput, ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_decode::Merge;

use crate::{SlidingWindowError, Tile, Tiles};

/// Runs a predictor on overlapping tiles of a frame and merges what they saw.
///
/// `BATCH` tiles at a time go to the predictor's `predict_batch`; for a model that gains nothing from batches 1 is
/// best. The merge takes in everything that `out` holds, so hand it over empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlidingWindow<P, const BATCH: usize = 1> {
    predictor: P,
    tiles: Tiles,
    merge: Merge,
    whole_frame: bool,
}

impl<P> SlidingWindow<P> {
    /// One tile at a time, merged as [`Merge::default`] does.
    pub fn new(predictor: P, tiles: Tiles) -> Self {
        Self { predictor, tiles, merge: Merge::default(), whole_frame: false }
    }
}

impl<P, const BATCH: usize> SlidingWindow<P, BATCH> {
    /// The same with batches of another size, at least 1 (checked when it is compiled).
    pub fn with_batch<const TILES: usize>(self) -> SlidingWindow<P, TILES> {
        const { assert!(TILES > 0, "a batch needs at least one tile") };
        let Self { predictor, tiles, merge, whole_frame } = self;
        SlidingWindow { predictor, tiles, merge, whole_frame }
    }

    /// The same with another way to merge.
    #[must_use]
    pub fn with_merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// Looks at the whole frame as well, for objects that are larger than a tile. Costs nothing where the frame is a
    /// single tile.
    #[must_use]
    pub fn with_whole_frame(mut self, whole_frame: bool) -> Self {
        self.whole_frame = whole_frame;
        self
    }

    /// The predictor inside.
    pub const fn inner(&self) -> &P {
        &self.predictor
    }

    /// The predictor inside, to change.
    pub const fn inner_mut(&mut self) -> &mut P {
        &mut self.predictor
    }

    /// The predictor alone.
    pub fn into_inner(self) -> P {
        self.predictor
    }
}

impl<P: ErrorType, const BATCH: usize> ErrorType for SlidingWindow<P, BATCH> {
    type Error = SlidingWindowError<P::Error>;
}

impl<P: Predictor, const BATCH: usize> Predictor for SlidingWindow<P, BATCH> {
    /// That of the predictor inside, for frames of any size.
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec { input: None, ..self.predictor.spec() }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error> {
        let (width, height) = (frame.image.width(), frame.image.height());
        let plan = self
            .tiles
            .plan(InputSize::new(width, height), self.predictor.spec().input)
            .map_err(SlidingWindowError::Window)?;
        if plan.len() == 1 {
            // Nothing to merge, and the tile is the frame.
            return self.predictor.predict(frame, options, out).map_err(SlidingWindowError::Predictor);
        }
        let whole = self.whole_frame.then_some(Tile { x: 0, y: 0, width, height });
        let found = self.tile_by_tile(plan.chain(whole), frame, options, out.reborrow());
        if found.is_err() {
            self.predictor.discard();
        }
        found.map_err(SlidingWindowError::Predictor)?;
        self.merge.apply(&mut out);
        Ok(())
    }
}

impl<P: Predictor, const BATCH: usize> SlidingWindow<P, BATCH> {
    /// Looks at all tiles, batch by batch. A predictor that works ahead gets the next batch before the results of the one
    /// before are waited for.
    fn tile_by_tile(
        &mut self,
        mut tiles: impl Iterator<Item = Tile>,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), P::Error> {
        let mut submitted: Option<[(u16, u16); BATCH]> = None;
        loop {
            let mut frames = [*frame; BATCH];
            let mut origins = [(0, 0); BATCH];
            let mut count = 0;
            for ((slot, origin), tile) in frames.iter_mut().zip(&mut origins).zip(&mut tiles) {
                // A tile lies inside the frame, so there is always a crop of it.
                let Ok(image) = frame.image.crop(tile.x, tile.y, tile.width, tile.height) else { continue };
                *slot = frame.with_image(image);
                *origin = (tile.x, tile.y);
                count += 1;
            }
            let frames = frames.get(..count).unwrap_or_default();
            let ahead = !frames.is_empty() && self.predictor.submit(frames, options)?;
            if let Some(origins) = submitted.take() {
                let mut outputs = TileOutputs { out: out.reborrow(), origins: &origins };
                self.predictor.collect(options, &mut outputs)?;
            }
            if ahead {
                submitted = Some(origins);
            } else if frames.is_empty() {
                return Ok(());
            } else {
                let mut outputs = TileOutputs { out: out.reborrow(), origins: &origins };
                self.predictor.predict_batch(frames, options, &mut outputs)?;
            }
        }
    }
}

/// One storage for all tiles of a batch, each with its origin.
struct TileOutputs<'a> {
    out: PredictionsMut<'a>,
    origins: &'a [(u16, u16)],
}

impl BatchOutput for TileOutputs<'_> {
    fn output(&mut self, index: usize) -> PredictionsMut<'_> {
        let (x, y) = self.origins.get(index).copied().unwrap_or_default();
        self.out.offset(x, y)
    }
}
