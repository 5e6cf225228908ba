//! The run of a firmware board: the pipeline, frame after frame, and what it costs.

use core::convert::Infallible;

use eyespot_core::{Detection, Error as _, ErrorType, Predictor, Record, Sink};

use eyespot_firmware::Clock;

use crate::{Judge, METERS, NEURAL_RAM, RAM, SetupError, WARM_UP, mover, pipeline, spotter};

/// Logs the results of each frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

/// `#track left,top..right,bottom`
struct Found<'a>(&'a Detection);

impl defmt::Format for Found<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let [x1, y1, x2, y2] = self.0.bbox.xyxy().map(|side| side as i32);
        let track = self.0.track.map_or(0, eyespot_core::TrackId::get);
        defmt::write!(f, " #{} {},{}..{},{}", track, x1, y1, x2, y2);
    }
}

/// One after the other.
struct All<'a>(&'a [Detection]);

impl defmt::Format for All<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for detection in self.0 {
            defmt::write!(f, "{}", Found(detection));
        }
    }
}

impl ErrorType for Log {
    type Error = Infallible;
}

impl Sink for Log {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        defmt::info!("frame {}:{}", record.info.index, All(record.predictions.detections()));
        Ok(())
    }
}

/// What a board knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// What its clock counts: `instructions` or `cycles`.
    pub unit: &'static str,
    /// Bytes of the stack that were used at most, and that it has.
    pub stack: fn() -> (u32, u32),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, defmt::Format)]
pub enum Ended {
    /// All frames were processed.
    Well,
    /// The pipeline could not be built or a frame failed; the log says why.
    Badly,
}

/// Runs the pipeline with the motion predictor over so many frames and logs what it sees, what each stage takes, and how
/// much memory is used.
pub fn run<C: Clock, K: Sink>(clock: &C, machine: &Machine, frames: u64, sink: K) -> Ended {
    run_with(clock, machine, frames, mover(), (RAM, WARM_UP), sink)
}

/// The same with the network.
pub fn run_neural<C: Clock, K: Sink>(clock: &C, machine: &Machine, frames: u64, sink: K) -> Ended {
    run_with(clock, machine, frames, spotter(), (NEURAL_RAM, 0), sink)
}

// Not inlined: the stack of the one is not part of the other's.
#[inline(never)]
fn run_with<C: Clock, P: Predictor, K: Sink>(
    clock: &C,
    machine: &Machine,
    frames: u64,
    predictor: Result<P, SetupError>,
    (ram, warm_up): (usize, u64),
    sink: K,
) -> Ended {
    let failed = |error: SetupError| {
        defmt::error!("the pipeline can't be built: {}", error);
        Ended::Badly
    };
    let predictor = match predictor {
        Ok(predictor) => predictor,
        Err(error) => return failed(error),
    };
    // Kilobytes: it is not handed through `and_then`, which would take the stack twice.
    let mut pipeline = match pipeline(clock, predictor, (Log, sink)) {
        Ok(pipeline) => pipeline,
        Err(error) => return failed(error),
    };
    let (mut judge, mut sums) = (Judge::after(warm_up), [0u64; 5]);
    for _ in 0..frames {
        let frame = match pipeline.step() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                // No text: formatting it by `core::fmt` would take 30 KiB of flash.
                defmt::error!("a frame failed: {}", error.kind());
                return Ended::Badly;
            }
        };
        judge.judge(pipeline.source.inner.scene(), frame.index, &pipeline.results());
        let took = [
            METERS.source.get(),
            METERS.predictor.get(),
            METERS.camera_motion.get(),
            METERS.tracker.get().saturating_sub(METERS.camera_motion.get()),
            METERS.sink.get(),
        ];
        for (sum, took) in sums.iter_mut().zip(took) {
            *sum += u64::from(took);
        }
        let [source, predictor, camera_motion, tracker, sink] = took;
        defmt::debug!(
            "{=str}: render {}, predictor {}, camera motion {}, tracker {}, sinks {}",
            machine.unit,
            source,
            predictor,
            camera_motion,
            tracker,
            sink
        );
    }
    defmt::info!(
        "{} of {} objects found, {} of {} boxes right, {} identity switches",
        judge.found,
        judge.there,
        judge.right,
        judge.boxes,
        judge.switches
    );
    let [source, predictor, camera_motion, tracker, sink] = sums.map(|sum| sum / frames.max(1));
    defmt::debug!(
        "mean {=str}: render {}, predictor {}, camera motion {}, tracker {}, sinks {}",
        machine.unit,
        source,
        predictor,
        camera_motion,
        tracker,
        sink
    );
    let (used, size) = (machine.stack)();
    defmt::debug!("bytes: pipeline {}, stack {} of {}", ram, used, size);
    Ended::Well
}
