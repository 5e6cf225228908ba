//! The firmware.

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_firmware::{SysTickClock, Uart, argument, exit, provoke, stack};
use eyespot_wire::{Hello, WireSink};
use fixed_memory::{Ended, Machine, run};

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = 50;

/// Frames that are processed unless the first argument is another number.
const FRAMES: u64 = 200;

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    let clock = SysTickClock::new(core.SYST, TICK);
    argument(0, provoke);
    let frames = argument(0, |number| number.parse().ok()).flatten().unwrap_or(FRAMES);
    let hello = Hello::new("qemu-m33", "eyespot/motion", &["moving"]);
    let wire = WireSink::new(Uart::an505()).with_hello(hello, 100);
    match run(&clock, &Machine { unit: "instructions", stack }, frames, wire) {
        Ended::Well => exit(0),
        Ended::Badly => exit(1),
    }
}
