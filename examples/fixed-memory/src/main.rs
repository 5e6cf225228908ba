//! The pipeline of the firmware boards on a computer: what it sees, and how long each stage takes. Its arguments are those
//! of the boards: `spotter` for the network, and the number of frames.

use std::convert::Infallible;
use std::time::Instant;

use eyespot_core::{ErrorType, Predictor, Record, Sink};
use eyespot_firmware::Clock;
use fixed_memory::{FRAMES, Judge, METERS, NEURAL_FRAMES, NEURAL_RAM, RAM, WARM_UP, mover, spotter};

/// Microseconds.
#[derive(Clone)]
struct Micros(Instant);

impl Clock for Micros {
    fn now(&self) -> u32 {
        self.0.elapsed().as_micros() as u32
    }
    fn since(&self, earlier: u32) -> u32 {
        self.now().wrapping_sub(earlier)
    }
}

/// Prints what the boards log.
struct Lines;

impl ErrorType for Lines {
    type Error = Infallible;
}

impl Sink for Lines {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        print!("frame {}:", record.info.index);
        for found in record.predictions.detections() {
            let [x1, y1, x2, y2] = found.bbox.xyxy().map(|side| side as i32);
            let track = found.track.map_or(0, eyespot_core::TrackId::get);
            print!(" #{track} {x1},{y1}..{x2},{y2}");
        }
        println!();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let neural = arguments.next_if(|word| word == "spotter").is_some();
    let frames = arguments.next().map(|frames| frames.parse::<u64>()).transpose()?;
    let setup = |error: fixed_memory::SetupError| format!("{error:?}");
    if neural {
        run(spotter().map_err(setup)?, (NEURAL_RAM, 0), frames.unwrap_or(NEURAL_FRAMES))
    } else {
        run(mover().map_err(setup)?, (RAM, WARM_UP), frames.unwrap_or(FRAMES))
    }
}

fn run(
    predictor: impl Predictor,
    (ram, warm_up): (usize, u64),
    frames: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Micros(Instant::now());
    let mut pipeline =
        fixed_memory::pipeline(&clock, predictor, Lines).map_err(|error| format!("{error:?}"))?;
    let (mut judge, mut sums) = (Judge::after(warm_up), [0u64; 4]);
    for _ in 0..frames {
        let Some(frame) = pipeline.step().map_err(|error| error.to_string())? else { break };
        judge.judge(pipeline.source.inner.scene(), frame.index, &pipeline.results());
        let tracker = METERS.tracker.get().saturating_sub(METERS.camera_motion.get());
        let took = [METERS.source.get(), METERS.predictor.get(), METERS.camera_motion.get(), tracker];
        sums.iter_mut().zip(took).for_each(|(sum, took)| *sum += u64::from(took));
    }
    let Judge { there, found, boxes, right, switches, .. } = judge;
    println!(
        "{found} of {there} objects found, {right} of {boxes} boxes right, {switches} identity switches"
    );
    let [source, predictor, camera_motion, tracker] = sums.map(|sum| sum / frames.max(1));
    eprintln!(
        "microseconds: render {source}, predictor {predictor}, camera motion {camera_motion}, tracker {tracker}"
    );
    eprintln!("{ram} bytes of static memory");
    Ok(())
}
