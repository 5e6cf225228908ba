//! The serial port of Arm's MPS2 boards (CMSDK APB UART), as QEMU has it.

#![allow(unsafe_code)]

use core::convert::Infallible;

use embedded_io::{ErrorType, Write};

/// The first serial port. Nothing of it is set but that it sends: a QEMU has no baud rate.
#[derive(Debug)]
pub struct Uart {
    registers: *mut u32,
}

/// Word offsets of the registers.
const DATA: usize = 0;
const STATE: usize = 1;
const CONTROL: usize = 2;
const DIVIDER: usize = 4;

impl Uart {
    /// That of mps2-an500.
    #[must_use]
    pub fn an500() -> Self {
        Self::start(0x4000_4000)
    }

    /// That of mps2-an505, as the secure side sees it.
    #[must_use]
    pub fn an505() -> Self {
        Self::start(0x5020_0000)
    }

    fn start(address: usize) -> Self {
        let uart = Self { registers: address as *mut u32 };
        // The smallest divider that the port accepts.
        uart.set(DIVIDER, 16);
        // Send.
        uart.set(CONTROL, 1);
        uart
    }

    fn set(&self, register: usize, value: u32) {
        // SAFETY: the register lies in the block of the port, which is the firmware's alone; a write sends or configures.
        unsafe { self.registers.add(register).write_volatile(value) }
    }

    fn is_full(&self) -> bool {
        // SAFETY: the register lies in the block of the port; reading it has no effect.
        unsafe { self.registers.add(STATE).read_volatile() & 1 != 0 }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while self.is_full() {}
            self.set(DATA, byte.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.is_full() {}
        Ok(())
    }
}
