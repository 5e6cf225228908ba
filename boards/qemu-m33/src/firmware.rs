//! The firmware.

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_firmware::{SysTickClock, Uart, argument, exit, provoke, stack};
use eyespot_wire::{Hello, WireSink};
use fixed_memory::{Ended, FRAMES, Machine, NEURAL_FRAMES, SPOTTER_LABELS, run, run_neural};

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = 50;

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    let clock = SysTickClock::new(core.SYST, TICK);
    argument(0, provoke);
    // `spotter` asks for the network, a number for so many frames.
    let neural = argument(0, |word| word == "spotter").unwrap_or(false);
    let frames = argument(neural.into(), |number| number.parse().ok()).flatten();
    let machine = Machine { unit: "instructions", stack };
    let ended = if neural {
        let hello = Hello::new("qemu-m33", "eyespot/spotter", SPOTTER_LABELS);
        let wire = WireSink::new(Uart::an505()).with_hello(hello, 100);
        run_neural(&clock, &machine, frames.unwrap_or(NEURAL_FRAMES), wire)
    } else {
        let hello = Hello::new("qemu-m33", "eyespot/motion", &["moving"]);
        let wire = WireSink::new(Uart::an505()).with_hello(hello, 100);
        run(&clock, &machine, frames.unwrap_or(FRAMES), wire)
    };
    match ended {
        Ended::Well => exit(0),
        Ended::Badly => exit(1),
    }
}
