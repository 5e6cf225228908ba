//! The run of a board in the emulator, as its arguments ask for it.

use eyespot_firmware::{SysTickClock, Uart, argument, exit, provoke, stack};
use eyespot_wire::{Hello, WireSink};

use crate::{Ended, FRAMES, Machine, NEURAL_FRAMES, SPOTTER_LABELS, run, run_neural};

const MACHINE: Machine = Machine { unit: "instructions", stack };

/// Runs the pipeline and ends the emulator: with 0 if all went well. `device` is the board's name in the results, which go
/// over the serial port.
///
/// The arguments are `spotter` for the network, and the number of frames; or a way to [end](provoke) on purpose.
pub fn run_emulated(device: &'static str, clock: &SysTickClock, port: Uart) -> ! {
    argument(0, provoke);
    let neural = argument(0, |word| word == "spotter").unwrap_or(false);
    let frames = argument(neural.into(), |number| number.parse().ok()).flatten();
    let ended = if neural {
        network(device, clock, frames.unwrap_or(NEURAL_FRAMES), port)
    } else {
        motion(device, clock, frames.unwrap_or(FRAMES), port)
    };
    match ended {
        Ended::Well => exit(0),
        Ended::Badly => exit(1),
    }
}

// Neither is inlined: the stack that the one takes would be the other's too.

#[inline(never)]
fn motion(device: &'static str, clock: &SysTickClock, frames: u64, port: Uart) -> Ended {
    let hello = Hello::new(device, "eyespot/motion", &["moving"]);
    run(clock, &MACHINE, frames, WireSink::new(port).with_hello(hello, 100))
}

#[inline(never)]
fn network(device: &'static str, clock: &SysTickClock, frames: u64, port: Uart) -> Ended {
    let hello = Hello::new(device, "eyespot/spotter", SPOTTER_LABELS);
    run_neural(clock, &MACHINE, frames, WireSink::new(port).with_hello(hello, 100))
}
