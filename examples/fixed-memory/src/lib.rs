#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "defmt")]
mod board;
#[cfg(all(target_os = "none", feature = "semihosting"))]
mod emulated;
mod judge;
mod neural;

use eyespot_core::{Pipeline, Predictions, Predictor, Sink, ram_budget};
use eyespot_firmware::{Clock, Meter, Timed};
use eyespot_flow::{FlowStorage, SparseFlow};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};
use eyespot_scene::{CameraMotion, Scene, SceneConfig, SceneFormat, SceneSource};
use eyespot_track::{BotSort, BotSortConfig, TrackStorage};
use static_cell::ConstStaticCell;

#[cfg(feature = "defmt")]
pub use board::{Ended, Log, Machine, run, run_neural};
#[cfg(all(target_os = "none", feature = "semihosting"))]
pub use emulated::run_emulated;
pub use judge::Judge;
pub use neural::{NEURAL_RAM, Spotter, spotter};
pub use spotter::LABELS as SPOTTER_LABELS;

/// Width of the frames in pixels.
pub const WIDTH: usize = 160;
/// Height of the frames in pixels.
pub const HEIGHT: usize = 120;
/// Columns and rows of the motion predictor's grid: cells of 2 x 2 pixels.
pub const GRID: (usize, usize) = (80, 60);
/// Moving objects per frame that the motion predictor has room for.
pub const BLOBS: usize = 16;
/// Pixels of the image that the camera's motion is estimated on: 80 x 60.
pub const FLOW_PIXELS: usize = 80 * 60;
/// Places in it that are followed.
pub const FLOW_POINTS: usize = 64;
/// Objects that the tracker has room for.
pub const TRACKS: usize = 16;
/// Frames that are processed unless another number is asked for.
pub const FRAMES: u64 = 200;
/// The same with the network, which takes longer.
pub const NEURAL_FRAMES: u64 = 30;
/// Frames at the start that the motion predictor is not judged by: what stands in the first one is background until it
/// has moved away.
pub const WARM_UP: u64 = 90;
/// Detections per frame.
pub const DETECTIONS: usize = 32;

type Frame = [u8; WIDTH * HEIGHT];
type Motion = MotionStorage<{ GRID.0 }, { GRID.1 }, BLOBS>;
type Flow = FlowStorage<FLOW_PIXELS, FLOW_POINTS>;
type Results = Predictions<DETECTIONS>;
type Tracks = TrackStorage<TRACKS, DETECTIONS>;

// All memory of the pipeline. It is zeroed at start-up and takes no flash.
static FRAME: ConstStaticCell<Frame> = ConstStaticCell::new([0; WIDTH * HEIGHT]);
static MOTION: ConstStaticCell<Motion> = ConstStaticCell::new(MotionStorage::new());
static FLOW: ConstStaticCell<Flow> = ConstStaticCell::new(FlowStorage::new());
static TRACK: ConstStaticCell<Tracks> = ConstStaticCell::new(TrackStorage::new());
static RESULTS: ConstStaticCell<Results> = ConstStaticCell::new(Predictions::new());

// The build fails when a capacity is raised beyond what the boards have: 64 KiB less the stack.
ram_budget!(55 * 1024; Frame, Motion, Flow, Tracks, Results);

/// Bytes of the statics of the pipeline.
pub const RAM: usize = WIDTH * HEIGHT + Motion::RAM + Flow::RAM + Tracks::RAM + Results::RAM;

/// What each stage took in the latest frame.
#[derive(Debug)]
pub struct Meters {
    /// Rendering the frame, in place of a camera.
    pub source: Meter,
    /// Finding objects.
    pub predictor: Meter,
    /// Tracking, with the estimate of the camera's motion.
    pub tracker: Meter,
    /// The estimate alone.
    pub camera_motion: Meter,
    /// Handing the results on.
    pub sink: Meter,
}

/// The meters of the pipeline.
pub static METERS: Meters = Meters {
    source: Meter::new(),
    predictor: Meter::new(),
    tracker: Meter::new(),
    camera_motion: Meter::new(),
    sink: Meter::new(),
};

/// The rendered street in place of a camera.
type Camera = SceneSource<&'static mut Frame>;
/// Finds what moves.
pub type Mover = MotionPredictor<&'static mut Motion, { GRID.0 }, { GRID.1 }, BLOBS>;
type Sway<C> = Timed<SparseFlow<&'static mut Flow, FLOW_PIXELS, FLOW_POINTS>, C>;
/// The pipeline with its static plugins, each measured by a clock.
pub type App<C, P, K> = Pipeline<
    'static,
    Timed<Camera, C>,
    Timed<P, C>,
    Timed<BotSort<&'static mut Tracks, TRACKS, DETECTIONS, Sway<C>>, C>,
    Timed<K, C>,
    &'static mut Results,
>;

/// Why the pipeline can't be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SetupError {
    /// It was built before: the memory is taken.
    Taken,
    /// A setting of the scene.
    Scene,
    /// A setting of the predictor.
    Predictor,
    /// A setting of the tracker.
    Tracker,
}

/// The predictor that finds what moves. Call it once.
///
/// # Errors
/// [`SetupError`] says what is wrong.
pub fn mover() -> Result<Mover, SetupError> {
    let motion = MOTION.try_take().ok_or(SetupError::Taken)?;
    MotionPredictor::new(MotionConfig::default(), motion).map_err(|_| SetupError::Predictor)
}

/// Builds the pipeline in the static memory. Call it once.
///
/// # Errors
/// [`SetupError`] says what is wrong.
pub fn pipeline<C: Clock, P: Predictor, K: Sink>(
    clock: &C,
    predictor: P,
    sink: K,
) -> Result<App<C, P, K>, SetupError> {
    let taken = (FRAME.try_take(), FLOW.try_take(), TRACK.try_take(), RESULTS.try_take());
    let (Some(frame), Some(flow), Some(tracks), Some(results)) = taken else {
        return Err(SetupError::Taken);
    };
    // A camera on a pole: it sways by half a pixel.
    let config = SceneConfig {
        format: SceneFormat::Gray8,
        objects: 4,
        seed: 5,
        camera: CameraMotion { shake: 0.5, ..CameraMotion::FIXED },
        ..SceneConfig::new(WIDTH as u16, HEIGHT as u16)
    };
    let camera = SceneSource::new(Scene::new(config).map_err(|_| SetupError::Scene)?, frame);
    let sway = Timed::new(SparseFlow::new(flow), clock.clone(), &METERS.camera_motion);
    let tracker = BotSort::with_camera_motion(BotSortConfig::default(), tracks, sway)
        .map_err(|_| SetupError::Tracker)?;
    Ok(Pipeline::new(
        Timed::new(camera, clock.clone(), &METERS.source),
        Timed::new(predictor, clock.clone(), &METERS.predictor),
        Timed::new(tracker, clock.clone(), &METERS.tracker),
        Timed::new(sink, clock.clone(), &METERS.sink),
        results,
    ))
}
