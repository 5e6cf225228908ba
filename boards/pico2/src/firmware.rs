//! The firmware.

use cortex_m_rt::entry;
use defmt_rtt as _;
use embedded_hal::digital::OutputPin as _;
use eyespot_firmware::{CycleClock, Presence, stack};
use fixed_memory::{Machine, run};
use panic_probe as _;
use rp235x_hal as hal;

/// Tells the boot ROM that this is firmware for the Arm cores.
// SAFETY: memory.x puts this section where the boot ROM looks for it, and nothing else is in it.
#[allow(unsafe_code)]
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE: hal::block::ImageDef = hal::block::ImageDef::secure_exe();

/// Frequency of the board's crystal in Hz.
const CRYSTAL: u32 = 12_000_000;

#[entry]
fn main() -> ! {
    let (Some(mut core), Some(mut chip)) = (cortex_m::Peripherals::take(), hal::pac::Peripherals::take())
    else {
        defmt::panic!("the peripherals were taken before main")
    };
    // 150 MHz.
    let clocks = hal::clocks::init_clocks_and_plls(
        CRYSTAL,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut hal::Watchdog::new(chip.WATCHDOG),
    );
    if clocks.is_err() {
        defmt::panic!("the crystal does not start");
    }
    let banks = hal::Sio::new(chip.SIO).gpio_bank0;
    let pins = hal::gpio::Pins::new(chip.IO_BANK0, chip.PADS_BANK0, banks, &mut chip.RESETS);
    let mut light = pins.gpio25.into_push_pull_output();
    let sink = Presence::new(|present: bool| {
        let Ok(()) = light.set_state(present.into());
    });

    let clock = CycleClock::new(&mut core.DCB, &mut core.DWT);
    let ended = run(&clock, &Machine { unit: "cycles", stack }, u64::MAX, sink);
    defmt::panic!("the run ended {}", ended)
}
