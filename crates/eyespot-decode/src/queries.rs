//! Instances from queries: a row of class scores and a map of mask logits for each object.

use core::ops::Range;

use eyespot_core::{BBox, Detection, InputSize, MaskRect, PredictionsMut};

use crate::masks::Tap;
use crate::scores::sigmoid;
use crate::{
    Activation, Background, Candidate, Candidates, DecodeError, DecodeOptions, LabelMode, Matrix, Scores,
};

/// Where an image lies in the input of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Size of the input.
    pub input: InputSize,
    /// Left and top edge of the image in it, pixels.
    pub origin: (u16, u16),
    /// Size of the image in it; around it is padding.
    pub resized: InputSize,
    /// Size of the image itself.
    pub source: InputSize,
}

/// Queries with a class and a mask each: `MaskFormer` (arXiv:2107.06278), Mask2Former (arXiv:2112.01527), EoMT
/// (arXiv:2503.19108). No suppression.
///
/// A mask are the pixels of the image whose probability is above one half. The map becomes as large as the network's input
/// first, what lies on the padding is cut off, and the rest becomes as large as the image, both bilinear: as the authors of
/// EoMT and Hugging Face do it. The score of an object is that of its class (softmax; the last column is no class) times the
/// mean probability of its mask, and its box is the smallest around the mask.
#[derive(Debug, Clone, Copy)]
pub struct Queries<'a> {
    maps: &'a [f32],
    width: usize,
    height: usize,
    classes: Matrix<'a>,
}

impl<'a> Queries<'a> {
    /// Logits of masks, `[queries, height, width]`, and of classes, `[queries, classes + 1]`.
    ///
    /// # Errors
    /// [`DecodeError::Length`] unless there is a map with a value at least for each row of `classes`.
    pub fn new(
        maps: &'a [f32],
        (width, height): (usize, usize),
        classes: Matrix<'a>,
    ) -> Result<Self, DecodeError> {
        let expected = width.saturating_mul(height).saturating_mul(classes.rows());
        if maps.len() != expected || expected == 0 {
            return Err(DecodeError::Length { expected: expected.max(1), actual: maps.len() });
        }
        Ok(Self { maps, width, height, classes })
    }

    /// Values of scratch memory that [`decode`](Self::decode) and [`push_into`](Self::push_into) need.
    #[must_use]
    pub fn scratch_len(&self, placed: &Placed) -> usize {
        self.width + usize::from(placed.resized.width)
    }

    /// Adds the objects to `candidates`, best first. Their boxes are in pixels of the image already, and each has the best
    /// of the wanted classes.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where the scratch memory is too small.
    pub fn decode(
        &self,
        placed: &Placed,
        options: &DecodeOptions<'_>,
        scratch: &mut [f32],
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let scores = Scores::Classes {
            values: self.classes,
            objectness: None,
            activation: Activation::Softmax,
            background: Background::Last,
        };
        let options = options.with_labels(LabelMode::Best);
        for query in 0..self.classes.rows() {
            // The mask can only lower the score: most queries need no look at it.
            let mut slot = [Candidate::EMPTY];
            let mut class = Candidates::new(&mut slot);
            scores.push(query, || BBox::new(0.0, 0.0, 1.0, 1.0), &options, &mut class);
            let found = class.as_slice().first().copied();
            if class.invalid() > 0
                || found.is_some() && !self.map(query).iter().all(|logit| logit.is_finite())
            {
                candidates.count_invalid();
                continue;
            }
            let Some(found) = found else { continue };
            let mut mask = self.mask(query, placed, scratch)?;
            let Some((bbox, probability)) = mask.measure() else { continue };
            let score = found.score * probability;
            if score >= options.conf {
                candidates.push(Candidate { bbox, score, ..found });
            }
        }
        candidates.sort();
        Ok(())
    }

    /// Pushes candidates that [`decode`](Self::decode) found, with their masks. Where the arena of the masks is full, a
    /// detection keeps its box and the loss is counted.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where the scratch memory is too small.
    pub fn push_into(
        &self,
        placed: &Placed,
        candidates: &Candidates<'_>,
        scratch: &mut [f32],
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        self.mask(0, placed, scratch)?;
        let detection = |found: &Candidate| Some(Detection::new(found.bbox, found.score, found.class));
        candidates.push_with(out, detection, |found, index, out| {
            let Ok(mut mask) = self.mask(found.row as usize, placed, scratch) else { return };
            // Whole pixels.
            let [x, y, right, bottom] = found.bbox.xyxy().map(|edge| edge as u16);
            let rect = MaskRect { x, y, width: right.saturating_sub(x), height: bottom.saturating_sub(y) };
            mask.columns = usize::from(x)..usize::from(right);
            let mut line = None;
            out.set_mask_with(index, rect, |column, row| {
                if line != Some(row) {
                    mask.read(usize::from(y) + usize::from(row));
                    line = Some(row);
                }
                mask.at(usize::from(x) + usize::from(column)) > 0.0
            });
        });
        Ok(())
    }

    /// The logits of a query's mask.
    fn map(&self, query: usize) -> &'a [f32] {
        let len = self.width * self.height;
        self.maps.get(query * len..(query + 1) * len).unwrap_or_default()
    }

    fn mask<'s>(&self, query: usize, placed: &Placed, scratch: &'s mut [f32]) -> Result<Mask<'s>, DecodeError>
    where
        'a: 's,
    {
        let (expected, actual) = (self.scratch_len(placed), scratch.len());
        let scratch = scratch.get_mut(..expected).ok_or(DecodeError::Length { expected, actual })?;
        let (cells, pixels) = scratch.split_at_mut(self.width);
        let Placed { input, origin, resized, source } = *placed;
        let x = Axis::new(self.width, input.width, origin.0, resized.width, source.width);
        let y = Axis::new(self.height, input.height, origin.1, resized.height, source.height);
        Ok(Mask { map: self.map(query), x, y, cells, pixels, columns: 0..x.source })
    }
}

/// From the pixels of the image to the cells of a map along an axis, in two steps.
#[derive(Clone, Copy)]
struct Axis {
    cells: usize,
    /// Cells in a pixel of the input.
    per_input: f32,
    /// Of the image in the input.
    origin: usize,
    resized: usize,
    /// Pixels of the input in one of the image.
    per_source: f32,
    source: usize,
}

impl Axis {
    fn new(cells: usize, input: u16, origin: u16, resized: u16, source: u16) -> Self {
        Self {
            cells,
            per_input: cells as f32 / f32::from(input),
            origin: origin.into(),
            resized: resized.into(),
            per_source: f32::from(resized) / f32::from(source),
            source: source.into(),
        }
    }

    /// Pixels of the image in the input for a pixel of the image.
    fn inner(&self, pixel: usize) -> Tap {
        tap(pixel, self.per_source, self.resized)
    }

    /// Cells for a pixel of the image in the input.
    fn outer(&self, pixel: usize) -> Tap {
        tap(pixel + self.origin, self.per_input, self.cells)
    }

    /// The pixels of the image that a range of cells may have a share in.
    fn reach(&self, cells: Range<usize>) -> Range<usize> {
        // A cell reaches to the centres of its neighbours, a pixel of the input too, and one more for rounding.
        let to_source = |cell: f32, margin: f32| {
            ((cell / self.per_input - self.origin as f32) + margin) / self.per_source + margin
        };
        let first = to_source(cells.start as f32 - 0.5, -1.0) as usize;
        let end = libm::ceilf(to_source(cells.end as f32 + 0.5, 1.0)) as usize;
        first.min(self.source)..end.min(self.source)
    }
}

/// The two numbers that the centre of a pixel lies between, where `scale` of `len` numbers are as wide as the pixel. Beyond
/// the first and last the nearest counts.
fn tap(pixel: usize, scale: f32, len: usize) -> Tap {
    let place = ((pixel as f32 + 0.5) * scale - 0.5).max(0.0);
    let last = len.saturating_sub(1);
    let first = (place as usize).min(last);
    Tap { first, second: (first + 1).min(last), share: place - first as f32 }
}

/// The mask of a query, as large as the image, a line at a time.
struct Mask<'a> {
    map: &'a [f32],
    x: Axis,
    y: Axis,
    /// A line of cells.
    cells: &'a mut [f32],
    /// The same as wide as the image in the input.
    pixels: &'a mut [f32],
    /// Of the image: those that are read.
    columns: Range<usize>,
}

impl Mask<'_> {
    /// Makes a line of the image ready.
    fn read(&mut self, line: usize) {
        let between = self.y.inner(line);
        let [above, below] = [between.first, between.second].map(|row| self.y.outer(row));
        let (first, last) = (self.columns.start, self.columns.end.saturating_sub(1));
        let needed = self.x.inner(first).first..self.x.inner(last).second + 1;
        let cells = self.x.outer(needed.start).first..self.x.outer(needed.end - 1).second + 1;
        let row = |row: usize| {
            let start = row * self.x.cells;
            self.map.get(start + cells.start..start + cells.end).unwrap_or_default()
        };
        let above_rows = row(above.first).iter().zip(row(above.second));
        let below_rows = row(below.first).iter().zip(row(below.second));
        let mixed = self.cells.get_mut(cells.clone()).unwrap_or_default();
        for ((cell, (a, b)), (c, d)) in mixed.iter_mut().zip(above_rows).zip(below_rows) {
            *cell = between.mix(above.mix(*a, *b), below.mix(*c, *d));
        }
        for (pixel, at) in self.pixels.get_mut(needed.clone()).unwrap_or_default().iter_mut().zip(needed) {
            *pixel = mix(self.cells, &self.x.outer(at));
        }
    }

    /// The logit of a pixel of the line that was read.
    fn at(&self, column: usize) -> f32 {
        mix(self.pixels, &self.x.inner(column))
    }

    /// The box around the mask, in pixels of the image, and the mean probability inside; `None` where no pixel is set.
    fn measure(&mut self) -> Option<(BBox, f32)> {
        let (mut columns, mut lines) = (Span::EMPTY, Span::EMPTY);
        for (line, cells) in self.map.chunks_exact(self.x.cells.max(1)).enumerate() {
            let set = |logit: &f32| *logit > 0.0;
            if let (Some(first), Some(last)) = (cells.iter().position(set), cells.iter().rposition(set)) {
                columns.include(first);
                columns.include(last);
                lines.include(line);
            }
        }
        self.columns = self.x.reach(columns.range()?);
        let (mut inside_x, mut inside_y) = (Span::EMPTY, Span::EMPTY);
        let (mut sum, mut count) = (0.0, 0.0);
        // The mask may lie on the padding alone.
        let lines = if self.columns.is_empty() { 0..0 } else { self.y.reach(lines.range()?) };
        for line in lines {
            self.read(line);
            let (mut line_sum, mut line_count) = (0.0, 0.0);
            for column in self.columns.clone() {
                let logit = self.at(column);
                if logit > 0.0 {
                    line_sum += sigmoid(logit);
                    line_count += 1.0;
                    inside_x.include(column);
                }
            }
            if line_count > 0.0 {
                inside_y.include(line);
            }
            // Line by line, so that millions of pixels don't lose what each adds.
            sum += line_sum;
            count += line_count;
        }
        let (x, y) = (inside_x.range()?, inside_y.range()?);
        let [x1, y1, x2, y2] = [x.start, y.start, x.end, y.end].map(|edge| edge as f32);
        let probability: f32 = sum / count;
        Some((BBox::new(x1, y1, x2, y2), probability.min(1.0)))
    }
}

/// From the first to the last of some numbers.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    end: usize,
}

impl Span {
    const EMPTY: Self = Self { first: usize::MAX, end: 0 };

    fn include(&mut self, at: usize) {
        self.first = self.first.min(at);
        self.end = self.end.max(at + 1);
    }

    fn range(self) -> Option<Range<usize>> {
        (self.first < self.end).then_some(self.first..self.end)
    }
}

fn mix(values: &[f32], tap: &Tap) -> f32 {
    let value = |at: usize| values.get(at).copied().unwrap_or(f32::NAN);
    tap.mix(value(tap.first), value(tap.second))
}
