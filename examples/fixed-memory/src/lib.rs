#![doc = include_str!("../README.md")]
#![no_std]

use eyespot_core::{NullSink, Pipeline, Predictions, ram_budget};
use eyespot_motion::{MotionPredictor, MotionStorage};
use eyespot_scene::{Scene, SceneConfig, SceneError, SceneFormat, SceneSource};
use eyespot_track::{BotSort, BotSortConfig, ConfigError, TrackStorage};
use static_cell::ConstStaticCell;

/// Width of the frames in pixels.
pub const WIDTH: usize = 160;
/// Height of the frames in pixels.
pub const HEIGHT: usize = 120;
/// Objects that the tracker has room for.
pub const TRACKS: usize = 32;
/// Detections per frame.
pub const DETECTIONS: usize = 64;

type Frame = [u8; WIDTH * HEIGHT];
type Motion = MotionStorage<WIDTH, HEIGHT>;
type Results = Predictions<DETECTIONS>;
type Tracks = TrackStorage<TRACKS, DETECTIONS>;

// All memory of the pipeline. It is zeroed at start-up and takes no flash.
static FRAME: ConstStaticCell<Frame> = ConstStaticCell::new([0; WIDTH * HEIGHT]);
static MOTION: ConstStaticCell<Motion> = ConstStaticCell::new(MotionStorage::new());
static RESULTS: ConstStaticCell<Results> = ConstStaticCell::new(Predictions::new());
static TRACK: ConstStaticCell<Tracks> = ConstStaticCell::new(TrackStorage::new());

// The build fails when a capacity is raised beyond what the board has.
ram_budget!(192 * 1024; Frame, Motion, Results, Tracks);

/// The rendered street in place of a camera.
type Camera = SceneSource<&'static mut Frame>;
/// The pipeline with its static plugins.
pub type App = Pipeline<
    'static,
    Camera,
    MotionPredictor<&'static mut Motion, WIDTH, HEIGHT, 64>,
    BotSort<&'static mut Tracks, TRACKS, DETECTIONS>,
    NullSink,
    &'static mut Results,
>;

/// Why the pipeline can't be built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SetupError {
    /// It was built before: the memory is taken.
    Taken,
    /// A setting of the scene.
    Scene(SceneError),
    /// A setting of the motion predictor.
    Motion(eyespot_motion::MotionError),
    /// A setting of the tracker.
    Tracker(ConfigError),
}

/// Builds the pipeline in the static memory. Call it once.
///
/// # Errors
/// [`SetupError`] says what is wrong.
pub fn pipeline() -> Result<App, SetupError> {
    let taken = (FRAME.try_take(), MOTION.try_take(), RESULTS.try_take(), TRACK.try_take());
    let (Some(frame), Some(motion), Some(results), Some(tracks)) = taken else {
        return Err(SetupError::Taken);
    };
    let config = SceneConfig { format: SceneFormat::Gray8, ..SceneConfig::new(WIDTH as u16, HEIGHT as u16) };
    let camera = SceneSource::new(Scene::new(config).map_err(SetupError::Scene)?, frame);
    let motion = MotionPredictor::new(Default::default(), motion).map_err(SetupError::Motion)?;
    let tracker = BotSort::new(BotSortConfig::default(), tracks).map_err(SetupError::Tracker)?;
    Ok(Pipeline::new(camera, motion, tracker, NullSink, results))
}
