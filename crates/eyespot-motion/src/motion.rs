//! The motion predictor.

use core::borrow::BorrowMut;
use core::convert::Infallible;

use eyespot_core::{
    ClassId, Detection, ErrorKind, ErrorType, Frame, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};

use crate::blob::{Blob, merge_pieces};
use crate::cell::{Cell, OLD, Rates};
use crate::components::{ComponentStorage, Labeler, Stats};
use crate::grid::Grid;
use crate::light::Light;
use crate::pass::{Pass, RING, Rows};
use crate::random::XorShift;

/// Ghosts that are remembered from one frame to the next.
const GHOSTS: usize = 8;

/// How motion is told from noise and from light. The default suits fixed cameras indoors and outdoors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionConfig {
    /// Smallest difference from the background that counts, in grey levels, `1..=127`. Where the background varies, more
    /// is asked for.
    pub threshold: u8,
    /// Smallest object, as a fraction of the view's area, `0..=1`.
    pub min_area: f32,
    /// Pieces closer than this are one object, as a fraction of the longer side of the view, `0..=1`.
    pub merge_gap: f32,
    /// Time constant of the background in seconds, above 0.
    pub adapt_seconds: f32,
    /// After this time in one place an object becomes background, in seconds, above 0.
    pub absorb_seconds: f32,
    /// Where more than this fraction of the view changes at once, the background is learnt anew and nothing is reported,
    /// `0..=1`.
    pub scene_change: f32,
}

impl Default for MotionConfig {
    fn default() -> Self {
        Self {
            threshold: 9,
            min_area: 0.0008,
            merge_gap: 0.025,
            adapt_seconds: 5.0,
            absorb_seconds: 30.0,
            scene_change: 0.6,
        }
    }
}

/// A setting of a [`MotionConfig`] is outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MotionError {
    /// Name of the setting.
    pub setting: &'static str,
    /// Its range.
    pub range: &'static str,
}

impl core::fmt::Display for MotionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} must lie in {}", self.setting, self.range)
    }
}

impl core::error::Error for MotionError {}

impl eyespot_core::Error for MotionError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl MotionConfig {
    fn check(&self) -> Result<(), MotionError> {
        let seconds = |value: f32| value.is_finite() && value > 0.0 && value <= 1e6;
        let fraction = |value: f32| (0.0..=1.0).contains(&value);
        let checks = [
            ((1..=127).contains(&self.threshold), "threshold", "1..=127"),
            (fraction(self.min_area), "min_area", "0..=1"),
            (fraction(self.merge_gap), "merge_gap", "0..=1"),
            (seconds(self.adapt_seconds), "adapt_seconds", "more than 0 and at most a million"),
            (seconds(self.absorb_seconds), "absorb_seconds", "more than 0 and at most a million"),
            (fraction(self.scene_change), "scene_change", "0..=1"),
        ];
        match checks.into_iter().find(|(good, ..)| !good) {
            Some((_, setting, range)) => Err(MotionError { setting, range }),
            None => Ok(()),
        }
    }
}

/// Memory of a [`MotionPredictor`]: a grid of at most `W` x `H` cells and at most `N` objects. Two bytes per cell, about
/// 20 per column and 110 per object; 160 x 120 takes 45 KiB. Empty memory is all zeros, so a static one lies in `.bss`.
#[derive(Debug, Clone)]
pub struct MotionStorage<const W: usize, const H: usize, const N: usize = 64> {
    cells: [[u16; W]; H],
    level: [[u8; W]; RING],
    raw: [[u8; W]; RING],
    clean: [[u8; W]; RING],
    zone: [u8; W],
    components: ComponentStorage<W, N, Blob>,
    blobs: [Blob; N],
}

impl<const W: usize, const H: usize, const N: usize> MotionStorage<W, H, N> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(W > 0 && H > 0 && W <= 16384 && H <= 16384, "the grid needs 1 to 16384 columns and rows") };
        Self {
            cells: [[0; W]; H],
            level: [[0; W]; RING],
            raw: [[0; W]; RING],
            clean: [[0; W]; RING],
            zone: [0; W],
            components: ComponentStorage::new(),
            blobs: [Blob::ZERO; N],
        }
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            columns: W,
            rows: H,
            cells: self.cells.as_flattened_mut(),
            level: self.level.each_mut().map(|row| &mut row[..]),
            raw: self.raw.each_mut().map(|row| &mut row[..]),
            clean: self.clean.each_mut().map(|row| &mut row[..]),
            zone: &mut self.zone,
            labeler: self.components.begin(),
            blobs: &mut self.blobs,
        }
    }
}

impl<const W: usize, const H: usize, const N: usize> Default for MotionStorage<W, H, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The storage without its sizes, so that the code exists once.
struct Memory<'a> {
    columns: usize,
    rows: usize,
    cells: &'a mut [u16],
    level: [&'a mut [u8]; RING],
    raw: [&'a mut [u8]; RING],
    clean: [&'a mut [u8]; RING],
    zone: &'a mut [u8],
    labeler: Labeler<'a, Blob>,
    blobs: &'a mut [Blob],
}

/// Finds what moves in front of a fixed camera, without a model. See the [crate documentation](crate).
///
/// `S` is a [`MotionStorage`], a `&mut` to one or a `Box` of one.
#[derive(Debug)]
pub struct MotionPredictor<S, const W: usize, const H: usize, const N: usize> {
    state: State,
    storage: S,
}

impl<S, const W: usize, const H: usize, const N: usize> MotionPredictor<S, W, H, N>
where
    S: BorrowMut<MotionStorage<W, H, N>>,
{
    /// A predictor that knows nothing of its background yet.
    ///
    /// # Errors
    /// [`MotionError`] where a setting is outside its range.
    pub fn new(config: MotionConfig, storage: S) -> Result<Self, MotionError> {
        config.check()?;
        Ok(Self { state: State::new(config), storage })
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &MotionConfig {
        &self.state.config
    }

    /// Forgets the background: the next frame is a new one. Frames of another size do the same by themselves.
    pub fn reset(&mut self) {
        self.state.frames = 0;
    }

    /// The storage back.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S, const W: usize, const H: usize, const N: usize> ErrorType for MotionPredictor<S, W, H, N> {
    type Error = Infallible;
}

/// Sees the frames in the order of time. Class 0 is `moving`.
impl<S, const W: usize, const H: usize, const N: usize> Predictor for MotionPredictor<S, W, H, N>
where
    S: BorrowMut<MotionStorage<W, H, N>>,
{
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec { conf: CONF, ..ModelSpec::boxes("eyespot/motion", None, &["moving"]) }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        self.state.predict(self.storage.borrow_mut().memory(), frame, options, out);
        Ok(())
    }
}

/// Frames after which the cells know how much they vary.
const FIRST_FRAMES: u32 = 30;

/// The first frame shows objects, too: what they leave behind becomes background within this many seconds...
const WARM_ABSORB: f32 = 1.5;

/// ...during the first three seconds.
const WARM_UP_US: u64 = 3_000_000;

/// Smallest difference that counts in median distances of the whole view: four standard deviations of its noise.
const NOISE: u8 = 6;

/// Score threshold where the caller gives none: a mean contrast of 1.35 thresholds.
const CONF: f32 = 0.15;

#[derive(Debug)]
struct State {
    config: MotionConfig,
    grid: Grid,
    /// Frames that the background was learnt from.
    frames: u32,
    timestamp_us: u64,
    /// Time of the first of them.
    started_us: u64,
    /// Time that has not made the foreground a step older yet.
    since_step_us: u64,
    ghosts: [[u16; 4]; GHOSTS],
    random: XorShift,
}

impl State {
    const fn new(config: MotionConfig) -> Self {
        Self {
            config,
            grid: Grid { view: (0, 0), side: 1, width: 0, height: 0 },
            frames: 0,
            timestamp_us: 0,
            started_us: 0,
            since_step_us: 0,
            ghosts: [[0; 4]; GHOSTS],
            random: XorShift::SEED,
        }
    }

    fn predict(
        &mut self,
        mut memory: Memory<'_>,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) {
        let grid = Grid::fit(&frame.image, memory.columns, memory.rows);
        if grid != self.grid || self.frames == 0 {
            self.grid = grid;
            return self.start(&mut memory, frame);
        }
        let rates = self.rates(frame.info.timestamp_us);
        let (light, noise) = Light::measure(
            &frame.image,
            &grid,
            memory.cells,
            memory.columns,
            self.config.threshold.saturating_mul(2),
            self.config.scene_change,
            memory.zone,
        );
        match light {
            Light::Same => {}
            Light::Moved(_) => relight(memory.cells, &light.table()),
            Light::Cut => return self.start(&mut memory, frame),
        }
        // Later the cells know their own spread, and a median that rises is an object, a shadow or a reflection.
        let floor = if self.frames < FIRST_FRAMES { noise.saturating_mul(NOISE) } else { 0 };
        let mut blobs = Best { blobs: memory.blobs, len: 0, lost: 0 };
        let lost = Pass {
            image: &frame.image,
            grid: &grid,
            cells: memory.cells,
            stride: memory.columns,
            rows: Rows { level: memory.level, raw: memory.raw, clean: memory.clean, zone: memory.zone },
            threshold: self.config.threshold.max(floor),
            rates,
            ghosts: &self.ghosts,
            random: &mut self.random,
        }
        .run(memory.labeler, |component| blobs.add(&component.stats));
        self.frames = self.frames.saturating_add(1);
        out.count_lost(lost.saturating_add(blobs.lost));
        let blobs = &mut blobs.blobs[..blobs.len];
        self.report(blobs, options, &mut out);
    }

    /// Takes a frame as the background.
    fn start(&mut self, memory: &mut Memory<'_>, frame: &Frame<'_>) {
        for row in 0..self.grid.height {
            self.grid.read_row(&frame.image, row, memory.zone);
            for (cell, &level) in
                memory.cells[row * memory.columns..].iter_mut().zip(&memory.zone[..self.grid.width])
            {
                *cell = Cell::new(level).0;
            }
        }
        self.frames = 1;
        self.timestamp_us = frame.info.timestamp_us;
        self.started_us = frame.info.timestamp_us;
        self.since_step_us = 0;
        self.ghosts = [[0; 4]; GHOSTS];
    }

    /// How fast to learn from a frame of this time.
    fn rates(&mut self, timestamp_us: u64) -> Rates {
        let elapsed_us = timestamp_us.saturating_sub(self.timestamp_us);
        self.timestamp_us = timestamp_us;
        let elapsed = elapsed_us as f32 / 1e6;
        // At first a plain mean of all frames, then a running one.
        let weight = (elapsed / (elapsed + self.config.adapt_seconds)).max(1.0 / (self.frames as f32 + 1.0));
        let weight = if elapsed_us == 0 { 0.0 } else { weight };
        let warming_up = timestamp_us.saturating_sub(self.started_us) < WARM_UP_US;
        let absorb =
            if warming_up { self.config.absorb_seconds.min(WARM_ABSORB) } else { self.config.absorb_seconds };
        let step_us = ((absorb * 1e6 / f32::from(OLD)) as u64).max(1);
        let waited = self.since_step_us.saturating_add(elapsed_us);
        self.since_step_us = waited % step_us;
        Rates {
            mean: (weight * 65536.0) as u32,
            spread: ((16.0 * weight).min(1.0) * 65536.0) as u32,
            age: (waited / step_us).min(u64::from(OLD)) as u16,
        }
    }

    fn report(&mut self, blobs: &mut [Blob], options: &PredictOptions<'_>, out: &mut PredictionsMut<'_>) {
        let grid = &self.grid;
        self.ghosts = [[0; 4]; GHOSTS];
        let mut ghosts = self.ghosts.iter_mut();
        let mut len = 0;
        for at in 0..blobs.len() {
            let blob = blobs[at];
            if blob.is_ghost() {
                if let Some(ghost) = ghosts.next() {
                    *ghost = [blob.left, blob.top, blob.right, blob.bottom];
                }
            } else {
                blobs[len] = blob;
                len += 1;
            }
        }
        let reach = (self.config.merge_gap * grid.width.max(grid.height) as f32 + 0.5) as u16;
        let len = merge_pieces(&mut blobs[..len], reach);
        let conf = options.conf_or(CONF);
        let min_area = self.config.min_area * grid.cells() as f32;
        if !options.classes().keeps(ClassId(0)) {
            return;
        }
        for blob in &blobs[..len] {
            let score = blob.score();
            if blob.area as f32 >= min_area && blob.strong > 0 && score >= conf {
                out.push(Detection::new(blob.bbox(grid), score, ClassId(0)));
            }
        }
    }
}

fn relight(cells: &mut [u16], table: &[u8; 256]) {
    for cell in cells {
        *cell = Cell(*cell).relit(table[usize::from(Cell(*cell).mean())]).0;
    }
}

/// The largest blobs of a frame.
struct Best<'a> {
    blobs: &'a mut [Blob],
    len: usize,
    lost: u32,
}

impl Best<'_> {
    fn add(&mut self, blob: &Blob) {
        if let Some(slot) = self.blobs.get_mut(self.len) {
            *slot = *blob;
            self.len += 1;
            return;
        }
        self.lost += 1;
        if let Some(smallest) = self.blobs.iter_mut().min_by_key(|blob| blob.area)
            && smallest.area < blob.area
        {
            *smallest = *blob;
        }
    }
}
