//! The firmware.

use cortex_m_rt::entry;
use defmt_rtt as _;
use eyespot_firmware::{CycleClock, stack};
use eyespot_hal::{Alarm, AlarmConfig};
use eyespot_zones::{Polygon, PresenceConfig};
use fixed_memory::{HEIGHT, Machine, WIDTH, run};
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

/// The light is on while anything moves in the picture, and for half a second longer.
fn alarm() -> AlarmConfig<4> {
    let (right, bottom) = (WIDTH as f32, HEIGHT as f32);
    let Ok(zone) = Polygon::new(&[(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)]) else {
        defmt::panic!("the zone has no area")
    };
    AlarmConfig::new(zone, PresenceConfig { after_us: 0, gap_us: 200_000, hold_us: 500_000 })
}

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
    let light = pins.gpio25.into_push_pull_output();
    let sink = Alarm::new(light, alarm());

    let clock = CycleClock::new(&mut core.DCB, &mut core.DWT);
    let ended = run(&clock, &Machine { unit: "cycles", stack }, u64::MAX, sink);
    defmt::panic!("the run ended {}", ended)
}
