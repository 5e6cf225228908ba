//! The firmware.

use cortex_m_rt::entry;
use defmt_rtt as _;
use embassy_stm32::Config;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale,
};
use eyespot_firmware::{CycleClock, stack};
use eyespot_hal::{Alarm, AlarmConfig};
use eyespot_zones::{Polygon, PresenceConfig};
use fixed_memory::{HEIGHT, Machine, WIDTH, run};
use panic_probe as _;

/// 400 MHz from the internal oscillator of 64 MHz, buses at a half and a quarter of that.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config
}

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
    let Some(mut core) = cortex_m::Peripherals::take() else {
        defmt::panic!("the peripherals were taken before main")
    };
    let chip = embassy_stm32::init(clocks());
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    // LD1, the green one.
    let light = Output::new(chip.PB0, Level::Low, Speed::Low);
    let sink = Alarm::new(light, alarm());

    let clock = CycleClock::new(&mut core.DCB, &mut core.DWT);
    let ended = run(&clock, &Machine { unit: "cycles", stack }, u64::MAX, sink);
    defmt::panic!("the run ended {}", ended)
}
