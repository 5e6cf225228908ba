//! The firmware.

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_firmware::{SysTickClock, Uart, exit};
use fixed_memory::run_emulated;

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = 40;

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    run_emulated("qemu-m7", &SysTickClock::new(core.SYST, TICK), Uart::an500())
}
