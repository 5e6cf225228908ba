//! The firmware.

use cortex_m_rt::entry;
use defmt_rtt as _;
use embassy_stm32::Config;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale,
};
use eyespot_firmware::{CycleClock, Presence, stack};
use fixed_memory::{Machine, run};
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

#[entry]
fn main() -> ! {
    let Some(mut core) = cortex_m::Peripherals::take() else {
        defmt::panic!("the peripherals were taken before main")
    };
    let chip = embassy_stm32::init(clocks());
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    // LD1, the green one.
    let mut light = Output::new(chip.PB0, Level::Low, Speed::Low);
    let sink = Presence::new(|present: bool| light.set_level(present.into()));

    let clock = CycleClock::new(&mut core.DCB, &mut core.DWT);
    let ended = run(&clock, &Machine { unit: "cycles", stack }, u64::MAX, sink);
    defmt::panic!("the run ended {}", ended)
}
