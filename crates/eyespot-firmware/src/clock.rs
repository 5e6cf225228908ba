//! Counters that stages are measured with.

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{DCB, DWT, SYST};

use crate::Clock;

/// Processor cycles by the cycle counter of Cortex-M3 and later. It wraps around after 2^32 cycles.
#[derive(Debug, Clone, Copy)]
pub struct CycleClock(());

impl CycleClock {
    /// Starts the counter.
    #[must_use]
    pub fn new(dcb: &mut DCB, dwt: &mut DWT) -> Self {
        dcb.enable_trace();
        DWT::unlock();
        dwt.enable_cycle_counter();
        Self(())
    }
}

impl Clock for CycleClock {
    fn now(&self) -> u32 {
        DWT::cycle_count()
    }
    fn since(&self, earlier: u32) -> u32 {
        self.now().wrapping_sub(earlier)
    }
}

/// Counts by `SysTick`, which runs down 24 bits at the processor's clock.
#[derive(Debug, Clone, Copy)]
pub struct SysTickClock {
    scale: u32,
}

impl SysTickClock {
    /// Starts the timer. Each of its ticks counts for `scale`: 1 for cycles, and in QEMU with one nanosecond per
    /// instruction the length of a tick in nanoseconds for instructions.
    #[must_use]
    pub fn new(mut timer: SYST, scale: u32) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(MASK);
        timer.clear_current();
        timer.enable_counter();
        Self { scale }
    }
}

const MASK: u32 = 0xff_ffff;

impl Clock for SysTickClock {
    fn now(&self) -> u32 {
        SYST::get_current()
    }
    fn since(&self, earlier: u32) -> u32 {
        (earlier.wrapping_sub(self.now()) & MASK).saturating_mul(self.scale)
    }
}
