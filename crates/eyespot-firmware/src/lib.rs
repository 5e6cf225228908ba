#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(target_os = "none")]
mod clock;
#[cfg(all(target_os = "none", feature = "semihosting"))]
mod end;
#[cfg(all(target_os = "none", feature = "semihosting"))]
mod fault;
mod timed;
#[cfg(all(target_os = "none", feature = "semihosting"))]
mod uart;

#[cfg(target_os = "none")]
pub use clock::{CycleClock, SysTickClock};
#[cfg(all(target_os = "none", feature = "semihosting"))]
pub use end::{argument, exit, provoke};
pub use timed::{Clock, Meter, Timed};
#[cfg(all(target_os = "none", feature = "semihosting"))]
pub use uart::Uart;

/// Bytes of the stack that were used at most since the start, and bytes that it has.
#[cfg(target_os = "none")]
#[must_use]
pub fn stack() -> (u32, u32) {
    let size = cortex_m_stack::stack_size();
    (size - cortex_m_stack::stack_painted(), size)
}
