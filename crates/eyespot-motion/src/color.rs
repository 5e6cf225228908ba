//! Blobs of given colours.

use core::borrow::BorrowMut;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorKind, ErrorType, Frame, ImageView, ModelSpec, PredictOptions,
    PredictionsMut, Predictor,
};

use crate::components::{Component, ComponentStorage, Labeler};
use crate::grid::Grid;

/// Most classes of colours.
const MAX_CLASSES: usize = 255;

/// A named range of colours in HSV: hue in degrees `0..360`, saturation and value in `0..=255`. Where the first hue is
/// larger than the last, the range runs through 0: red is `340..=20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColorClass {
    /// First and last hue, both included.
    pub hue: (u16, u16),
    /// Smallest and largest saturation.
    pub saturation: (u8, u8),
    /// Smallest and largest value.
    pub value: (u8, u8),
}

impl ColorClass {
    /// Vivid colours of these hues: saturation and value of at least 80.
    #[must_use]
    pub const fn vivid(first_hue: u16, last_hue: u16) -> Self {
        Self { hue: (first_hue, last_hue), saturation: (80, 255), value: (80, 255) }
    }

    /// Dark pixels of any hue, with a value of at most `value`: a line on a bright floor.
    #[must_use]
    pub const fn dark(value: u8) -> Self {
        Self { hue: (0, 359), saturation: (0, 255), value: (0, value) }
    }

    /// Is the colour in the range?
    #[must_use]
    pub fn contains(&self, rgb: [u8; 3]) -> bool {
        self.contains_hsv(hsv(rgb))
    }

    fn contains_hsv(&self, (hue, saturation, value): (u16, u8, u8)) -> bool {
        let (first, last) = self.hue;
        let hue = if first <= last { first <= hue && hue <= last } else { hue >= first || hue <= last };
        hue && (self.saturation.0..=self.saturation.1).contains(&saturation)
            && (self.value.0..=self.value.1).contains(&value)
    }

    const fn is_valid(&self) -> bool {
        self.hue.0 < 360
            && self.hue.1 < 360
            && self.saturation.0 <= self.saturation.1
            && self.value.0 <= self.value.1
    }
}

/// Hue in degrees, saturation and value (Smith, 1978).
fn hsv([red, green, blue]: [u8; 3]) -> (u16, u8, u8) {
    let (r, g, b) = (i32::from(red), i32::from(green), i32::from(blue));
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if chroma == 0 {
        return (0, 0, value as u8);
    }
    let sixth =
        |difference: i32, start: i32| (60 * difference + start * chroma).div_euclid(chroma).rem_euclid(360);
    let hue = if value == r {
        sixth(g - b, 0)
    } else if value == g {
        sixth(b - r, 120)
    } else {
        sixth(r - g, 240)
    };
    (hue as u16, (255 * chroma / value) as u8, value as u8)
}

/// Which colours to find and how large their blobs must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColorBlobConfig<'a> {
    /// The colours; a pixel belongs to the first that contains it. At most 255.
    pub classes: &'a [ColorClass],
    /// Their names, as many.
    pub labels: &'a [&'a str],
    /// Smallest blob, as a fraction of the view's area, `0..=1`.
    pub min_area: f32,
}

impl<'a> ColorBlobConfig<'a> {
    /// Blobs of at least a thousandth of the view.
    #[must_use]
    pub const fn new(classes: &'a [ColorClass], labels: &'a [&'a str]) -> Self {
        Self { classes, labels, min_area: 0.001 }
    }
}

/// Why a predictor of colour blobs can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColorError {
    /// There are more than 255 classes.
    TooMany,
    /// There are not as many labels as classes.
    Labels,
    /// A class has a hue of 360 or more, or an empty range.
    Class {
        /// Its index.
        index: usize,
    },
    /// The smallest area does not lie in `0..=1`.
    MinArea,
}

impl core::fmt::Display for ColorError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooMany => f.write_str("at most 255 colour classes can be told apart"),
            Self::Labels => f.write_str("give one label per colour class"),
            Self::Class { index } => {
                write!(f, "colour class {index}: hues must be below 360 and ranges must not be empty")
            }
            Self::MinArea => f.write_str("min_area must lie between 0 and 1"),
        }
    }
}

impl core::error::Error for ColorError {}

impl eyespot_core::Error for ColorError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany => ErrorKind::Capacity,
            _ => ErrorKind::InvalidInput,
        }
    }
}

/// Memory of a [`ColorBlobPredictor`]: a grid of at most `W` columns and any number of rows, and at most `N` unfinished
/// blobs. About 5 bytes per column and 20 per blob. Empty memory is all zeros, so a static one lies in `.bss`.
#[derive(Debug, Clone)]
pub struct ColorBlobStorage<const W: usize, const N: usize = 64> {
    keys: [u8; W],
    components: ComponentStorage<W, N>,
}

impl<const W: usize, const N: usize> ColorBlobStorage<W, N> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(W > 0 && W <= 16384, "the grid needs 1 to 16384 columns") };
        Self { keys: [0; W], components: ComponentStorage::new() }
    }
}

impl<const W: usize, const N: usize> Default for ColorBlobStorage<W, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds blobs of given colours: a ball, a line, a marker.
///
/// Looks at one pixel per grid cell, in whatever format the frame has; no frame is converted. The class of a detection
/// is the index of its colour, its score the part of its box that the blob fills, `0..=1`.
///
/// `S` is a [`ColorBlobStorage`], a `&mut` to one or a `Box` of one.
#[derive(Debug, Clone)]
pub struct ColorBlobPredictor<'a, S, const W: usize, const N: usize> {
    config: ColorBlobConfig<'a>,
    storage: S,
}

impl<'a, S, const W: usize, const N: usize> ColorBlobPredictor<'a, S, W, N>
where
    S: BorrowMut<ColorBlobStorage<W, N>>,
{
    /// A predictor of these colours.
    ///
    /// # Errors
    /// [`ColorError`] where labels and classes differ in number or a range is not one.
    pub fn new(config: ColorBlobConfig<'a>, storage: S) -> Result<Self, ColorError> {
        if config.classes.len() > MAX_CLASSES {
            return Err(ColorError::TooMany);
        }
        if config.classes.len() != config.labels.len() {
            return Err(ColorError::Labels);
        }
        if let Some(index) = config.classes.iter().position(|class| !class.is_valid()) {
            return Err(ColorError::Class { index });
        }
        if !(0.0..=1.0).contains(&config.min_area) {
            return Err(ColorError::MinArea);
        }
        Ok(Self { config, storage })
    }
}

impl<S, const W: usize, const N: usize> ErrorType for ColorBlobPredictor<'_, S, W, N> {
    type Error = core::convert::Infallible;
}

impl<S, const W: usize, const N: usize> Predictor for ColorBlobPredictor<'_, S, W, N>
where
    S: BorrowMut<ColorBlobStorage<W, N>>,
{
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("eyespot/color-blobs", None, self.config.labels)
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error> {
        let conf = options.conf_or(self.spec().conf);
        let storage = self.storage.borrow_mut();
        find(&self.config, &frame.image, &mut storage.keys, storage.components.begin(), conf, options, out);
        Ok(())
    }
}

fn find(
    config: &ColorBlobConfig<'_>,
    image: &ImageView<'_>,
    keys: &mut [u8],
    mut labeler: Labeler<'_>,
    conf: f32,
    options: &PredictOptions<'_>,
    mut out: PredictionsMut<'_>,
) {
    let grid = Grid::fit(image, keys.len(), usize::MAX);
    let keys = &mut keys[..grid.width];
    let min_area = config.min_area * grid.cells() as f32;
    let side = f32::from(grid.side);
    let mut push = |blob: &Component| {
        let class = ClassId(u16::from(blob.key) - 1);
        let box_cells = f32::from(blob.right - blob.left) * f32::from(blob.bottom - blob.top);
        let score = (blob.area as f32 / box_cells).min(1.0);
        if blob.area as f32 >= min_area && score >= conf && options.classes().keeps(class) {
            let edges = [blob.left, blob.top, blob.right, blob.bottom].map(|edge| f32::from(edge) * side);
            let bbox = BBox::new(edges[0], edges[1], edges[2], edges[3]);
            let bbox = bbox.clipped(f32::from(grid.view.0), f32::from(grid.view.1));
            out.push(Detection::new(bbox, score, class));
        }
    };
    for row in 0..grid.height {
        let middle = |cell: usize| (cell * usize::from(grid.side) + usize::from(grid.side) / 2) as u16;
        for (column, key) in keys.iter_mut().enumerate() {
            let color = hsv(image.rgb(middle(column), middle(row)));
            *key = config
                .classes
                .iter()
                .position(|class| class.contains_hsv(color))
                .map_or(0, |at| at as u8 + 1);
        }
        labeler.row(keys, |_| (), &mut push);
    }
    let lost = labeler.finish(push);
    out.count_lost(lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_of_known_colours() {
        let known = [
            ([255, 0, 0], (0, 255, 255)),
            ([255, 255, 0], (60, 255, 255)),
            ([0, 255, 0], (120, 255, 255)),
            ([0, 255, 255], (180, 255, 255)),
            ([0, 0, 255], (240, 255, 255)),
            ([255, 0, 255], (300, 255, 255)),
            ([255, 0, 4], (359, 255, 255)),
            ([128, 128, 128], (0, 0, 128)),
            ([0, 0, 0], (0, 0, 0)),
            ([200, 100, 100], (0, 127, 200)),
        ];
        for (rgb, want) in known {
            assert_eq!(hsv(rgb), want, "{rgb:?}");
        }
    }

    #[test]
    fn ranges_run_through_zero() {
        let red = ColorClass::vivid(340, 20);
        assert!(red.contains([255, 0, 4]) && red.contains([255, 60, 0]));
        assert!(!red.contains([0, 255, 0]) && !red.contains([60, 0, 0]));
        assert!(ColorClass::dark(40).contains([10, 30, 20]));
    }
}
