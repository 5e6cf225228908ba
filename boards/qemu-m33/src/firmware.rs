//! The firmware.

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_firmware::{SysTickClock, Uart, argument, exit, provoke, stack};
use eyespot_wire::{Hello, WireSink};
use fixed_memory::{Ended, FRAMES, Machine, NEURAL_FRAMES, SPOTTER_LABELS, run, run_neural};

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = 50;

const MACHINE: Machine = Machine { unit: "instructions", stack };

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    let clock = SysTickClock::new(core.SYST, TICK);
    argument(0, provoke);
    // `spotter` asks for the network, a number for so many frames.
    let neural = argument(0, |word| word == "spotter").unwrap_or(false);
    let frames = argument(neural.into(), |number| number.parse().ok()).flatten();
    let ended = if neural {
        network(&clock, frames.unwrap_or(NEURAL_FRAMES))
    } else {
        motion(&clock, frames.unwrap_or(FRAMES))
    };
    match ended {
        Ended::Well => exit(0),
        Ended::Badly => exit(1),
    }
}

// Neither is inlined: the stack that the one takes would be the other's too.

#[inline(never)]
fn motion(clock: &SysTickClock, frames: u64) -> Ended {
    run(clock, &MACHINE, frames, wire("eyespot/motion", &["moving"]))
}

#[inline(never)]
fn network(clock: &SysTickClock, frames: u64) -> Ended {
    run_neural(clock, &MACHINE, frames, wire("eyespot/spotter", SPOTTER_LABELS))
}

/// Results go over the serial port.
fn wire(model: &'static str, labels: &'static [&'static str]) -> WireSink<'static, Uart> {
    WireSink::new(Uart::an505()).with_hello(Hello::new("qemu-m33", model, labels), 100)
}
