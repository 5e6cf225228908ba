//! The `ArduChip`: what is said on the two buses to take a picture.

use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::I2c;
use embedded_hal_async::spi::{Operation, SpiDevice};
use eyespot_core::PixelFormat;

use super::{CameraConfig, CameraError, CameraFormat, CameraPart, ov2640};

/// Any byte can be written to it and read back.
const TEST: u8 = 0x00;
/// Bit 0 clears the done flag, bit 1 starts a capture, bits 4 and 5 reset the write and the read pointer.
const FIFO_CONTROL: u8 = 0x04;
const FIFO_CLEAR: u8 = 0x31;
const FIFO_START: u8 = 0x02;
/// Bit 3: a capture is done.
const TRIGGER: u8 = 0x41;
const DONE: u8 = 0x08;
/// Bytes in the FIFO: low, middle, high.
const FIFO_SIZE: [u8; 3] = [0x42, 0x43, 0x44];
const FIFO_BURST: u8 = 0x3c;
/// Written addresses have this bit.
const WRITE: u8 = 0x80;

/// Bytes of YUYV that are read at a time when only the grey values are kept.
const CHUNK: usize = 256;

/// The camera's buses.
pub(super) struct Chip<'a, S, I, D> {
    pub(super) spi: &'a mut S,
    pub(super) i2c: &'a mut I,
    pub(super) delay: &'a mut D,
}

impl<S: SpiDevice, I: I2c, D: DelayNs> Chip<'_, S, I, D> {
    /// Reads a picture into the start of a buffer; returns the time of its capture.
    pub(super) async fn picture(
        &mut self,
        config: &CameraConfig<'_>,
        configured: bool,
        clock: &mut impl FnMut() -> u64,
        buffer: &mut [u8],
    ) -> Result<u64, CameraError<S::Error, I::Error>> {
        if !configured {
            self.configure(config).await?;
        }
        let needed = config.bytes();
        let bytes = buffer.len();
        let buffer = buffer.get_mut(..needed).ok_or(CameraError::Buffer { bytes, needed })?;
        let (width, height) = config.size.pixels();
        let time_us = clock();
        self.capture(config.timeout_ms, PixelFormat::Yuyv.image_bytes(width, height) as u32).await?;
        match config.format {
            CameraFormat::Yuyv => self.burst(FIFO_BURST, buffer).await?,
            CameraFormat::Gray8 => {
                let mut bytes = [0; CHUNK];
                for gray in buffer.chunks_mut(CHUNK / 2) {
                    let pairs = bytes.get_mut(..2 * gray.len()).unwrap_or_default();
                    self.burst(FIFO_BURST, pairs).await?;
                    for (gray, pair) in gray.iter_mut().zip(pairs.as_chunks::<2>().0) {
                        *gray = pair[0];
                    }
                }
            }
        }
        Ok(time_us)
    }

    /// Looks for both parts and configures them.
    async fn configure(&mut self, config: &CameraConfig<'_>) -> Result<(), CameraError<S::Error, I::Error>> {
        const PROBE: u8 = 0x55;
        self.set(TEST, PROBE).await?;
        let answer = self.get(TEST).await?;
        if answer != PROBE {
            return Err(CameraError::NotFound { part: CameraPart::Chip, answer: answer.into() });
        }
        let id = ov2640::id(self.i2c).await.map_err(CameraError::I2c)?;
        if !ov2640::is_known(id) {
            return Err(CameraError::NotFound { part: CameraPart::Sensor, answer: id });
        }
        let (width, height) = config.size.pixels();
        ov2640::configure(self.i2c, self.delay, width, height, config.registers)
            .await
            .map_err(CameraError::I2c)
    }

    /// Takes a picture into the FIFO.
    async fn capture(&mut self, timeout_ms: u16, needed: u32) -> Result<(), CameraError<S::Error, I::Error>> {
        self.set(FIFO_CONTROL, FIFO_CLEAR).await?;
        self.set(FIFO_CONTROL, FIFO_START).await?;
        let mut waited = 0;
        while self.get(TRIGGER).await? & DONE == 0 {
            if waited >= timeout_ms {
                return Err(CameraError::Timeout);
            }
            self.delay.delay_ms(1).await;
            waited += 1;
        }
        let mut size = [0; 4];
        for (byte, address) in size.iter_mut().zip(FIFO_SIZE) {
            *byte = self.get(address).await?;
        }
        let bytes = u32::from_le_bytes(size);
        if bytes < needed { Err(CameraError::Short { bytes, needed }) } else { Ok(()) }
    }

    async fn set(&mut self, address: u8, value: u8) -> Result<(), CameraError<S::Error, I::Error>> {
        self.spi.write(&[address | WRITE, value]).await.map_err(CameraError::Spi)
    }

    async fn get(&mut self, address: u8) -> Result<u8, CameraError<S::Error, I::Error>> {
        let mut answer = [0];
        self.burst(address, &mut answer).await?;
        Ok(u8::from_le_bytes(answer))
    }

    async fn burst(&mut self, address: u8, bytes: &mut [u8]) -> Result<(), CameraError<S::Error, I::Error>> {
        let operations = &mut [Operation::Write(&[address]), Operation::Read(bytes)];
        self.spi.transaction(operations).await.map_err(CameraError::Spi)
    }
}
