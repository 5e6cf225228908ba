//! Blocking buses behind the traits of `embedded-hal-async`: one driver for both.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, I2c};
use embedded_hal::spi::{self, SpiDevice};

/// Something that is done when its call returns.
pub(super) struct Blocking<'a, T>(pub(super) &'a mut T);

impl<T: spi::ErrorType> spi::ErrorType for Blocking<'_, T> {
    type Error = T::Error;
}

impl<T: SpiDevice> embedded_hal_async::spi::SpiDevice for Blocking<'_, T> {
    async fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), T::Error> {
        self.0.transaction(operations)
    }
}

impl<T: i2c::ErrorType> i2c::ErrorType for Blocking<'_, T> {
    type Error = T::Error;
}

impl<T: I2c> embedded_hal_async::i2c::I2c for Blocking<'_, T> {
    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), T::Error> {
        self.0.transaction(address, operations)
    }
}

impl<T: DelayNs> embedded_hal_async::delay::DelayNs for Blocking<'_, T> {
    async fn delay_ns(&mut self, ns: u32) {
        self.0.delay_ns(ns);
    }

    async fn delay_us(&mut self, us: u32) {
        self.0.delay_us(us);
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.0.delay_ms(ms);
    }
}

/// Runs a future over [`Blocking`] parts: it never waits, so the first poll ends it.
pub(super) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
