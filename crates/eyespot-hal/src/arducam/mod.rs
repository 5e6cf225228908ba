//! ArduCAM Mini cameras: an OV2640 sensor behind the ArduChip with its frame FIFO.
//!
//! Sources: ArduCAM, "ArduChip" (SPI mode 0, up to 8 MHz; registers below); OmniVision, "OV2640 data sheet".

mod blocking;
mod chip;
mod ov2640;

use blocking::{Blocking, finish};
use chip::Chip;
use embedded_hal::spi::ErrorType as SpiErrorType;
use embedded_hal::{delay, i2c, spi};
use embedded_hal_async::{delay as async_delay, i2c as async_i2c, spi as async_spi};
use eyespot_core::{Error, ErrorKind, ErrorType, Frame, FrameSource, ImageView, PixelFormat};

pub use ov2640::Register;

/// Size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraSize {
    /// 160 x 120.
    Qqvga,
    /// 320 x 240.
    Qvga,
    /// 640 x 480; more than the 384 KiB FIFO of the 2 MP camera holds, for cameras with a larger one.
    Vga,
}

impl CameraSize {
    /// Width and height in pixels.
    #[must_use]
    pub const fn pixels(self) -> (u16, u16) {
        match self {
            Self::Qqvga => (160, 120),
            Self::Qvga => (320, 240),
            Self::Vga => (640, 480),
        }
    }
}

/// What is kept of each pixel. The camera always sends Yuyv.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraFormat {
    /// Its brightness: half the memory.
    Gray8,
    /// Brightness and, for each pair of pixels, colour.
    Yuyv,
}

/// How to take pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraConfig<'r> {
    /// Size of the picture.
    pub size: CameraSize,
    /// What is kept of each pixel.
    pub format: CameraFormat,
    /// How long a capture may take.
    pub timeout_ms: u16,
    /// Registers that are set after all others: exposure, mirroring, colours.
    pub registers: &'r [Register],
}

impl CameraConfig<'_> {
    /// Grey pictures of this size, a timeout of half a second.
    #[must_use]
    pub const fn new(size: CameraSize) -> Self {
        Self { size, format: CameraFormat::Gray8, timeout_ms: 500, registers: &[] }
    }

    /// Bytes of the buffer.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let (width, height) = self.size.pixels();
        self.pixel_format().image_bytes(width, height)
    }

    const fn pixel_format(&self) -> PixelFormat {
        match self.format {
            CameraFormat::Gray8 => PixelFormat::Gray8,
            CameraFormat::Yuyv => PixelFormat::Yuyv,
        }
    }
}

/// A part of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraPart {
    /// The `ArduChip`, on SPI.
    Chip,
    /// The OV2640, on I2C.
    Sensor,
}

/// Why there is no frame. The next call resets the camera and tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraError<S, I> {
    /// The SPI bus failed.
    Spi(S),
    /// The I2C bus failed.
    I2c(I),
    /// A part does not answer as it should.
    NotFound {
        /// Which one.
        part: CameraPart,
        /// What it answered.
        answer: u16,
    },
    /// A capture did not end in time.
    Timeout,
    /// A capture has too few bytes.
    Short {
        /// Bytes in the FIFO.
        bytes: u32,
        /// Bytes of a frame.
        needed: u32,
    },
    /// The buffer is too small.
    Buffer {
        /// Its size in bytes.
        bytes: usize,
        /// Bytes of a frame.
        needed: usize,
    },
}

impl<S: embedded_hal::spi::Error, I: embedded_hal::i2c::Error> core::fmt::Display for CameraError<S, I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Spi(error) => write!(f, "camera on SPI: {}", error.kind()),
            Self::I2c(error) => {
                write!(f, "camera sensor on I2C: {}; check its wires and pull-ups", error.kind())
            }
            Self::NotFound { part: CameraPart::Chip, answer } => {
                write!(
                    f,
                    "no ArduCAM on SPI: it answered {answer:#04x} instead of 0x55; check its wires and chip select"
                )
            }
            Self::NotFound { part: CameraPart::Sensor, answer } => {
                write!(f, "the sensor on I2C has the id {answer:#06x}, but an OV2640 has 0x2641 or 0x2642")
            }
            Self::Timeout => {
                f.write_str("the camera did not finish a picture in time; it is reset for the next frame")
            }
            Self::Short { bytes, needed } => {
                write!(f, "the camera sent {bytes} bytes, but a frame has {needed}; choose a smaller size")
            }
            Self::Buffer { bytes, needed } => {
                write!(f, "the buffer has {bytes} bytes, but a frame needs {needed}: see CameraConfig::bytes")
            }
        }
    }
}

impl<S: embedded_hal::spi::Error, I: embedded_hal::i2c::Error> core::error::Error for CameraError<S, I> {}

impl<S: embedded_hal::spi::Error, I: embedded_hal::i2c::Error> Error for CameraError<S, I> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Spi(_) | Self::I2c(_) => ErrorKind::Io,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Timeout => ErrorKind::Timeout,
            Self::Short { .. } => ErrorKind::Device,
            Self::Buffer { .. } => ErrorKind::Capacity,
        }
    }
}

/// A camera whose pictures go into a lent buffer.
///
/// Over blocking buses it is a [`FrameSource`]; over those of `embedded-hal-async` the same driver waits in
/// [`frame`](Self::frame) and lets other tasks run. Each call takes a picture and reads it, which at 8 MHz and 320 x 240
/// takes 0.16 s. The time of a frame is that at which its capture was started.
#[derive(Debug, Clone)]
pub struct ArduCam<'r, S, I, D, C, B> {
    spi: S,
    i2c: I,
    delay: D,
    clock: C,
    buffer: B,
    config: CameraConfig<'r>,
    configured: bool,
    next: u64,
}

impl<'r, S, I, D, C: FnMut() -> u64, B: AsMut<[u8]>> ArduCam<'r, S, I, D, C, B> {
    /// A camera on its two buses; `clock` gives the time in microseconds, `buffer` has
    /// [`CameraConfig::bytes`]. It is configured when the first frame is taken.
    pub const fn new(spi: S, i2c: I, delay: D, clock: C, buffer: B, config: CameraConfig<'r>) -> Self {
        Self { spi, i2c, delay, clock, buffer, config, configured: false, next: 0 }
    }

    /// What was read, as a frame.
    fn view<E, F>(
        &mut self,
        index: u64,
        read: Result<u64, CameraError<E, F>>,
    ) -> Result<Frame<'_>, CameraError<E, F>> {
        self.configured = read.is_ok();
        let time_us = read?;
        let (width, height) = self.config.size.pixels();
        let buffer = self.buffer.as_mut();
        let (bytes, needed) = (buffer.len(), self.config.bytes());
        let image = ImageView::packed(buffer, width, height, self.config.pixel_format())
            .map_err(|_| CameraError::Buffer { bytes, needed })?;
        Ok(Frame::new(image, index, time_us))
    }

    /// The number of the next frame. One that fails has a number, too.
    const fn count(&mut self) -> u64 {
        let index = self.next;
        self.next = index.wrapping_add(1);
        index
    }
}

impl<S, I, D, C, B> ArduCam<'_, S, I, D, C, B>
where
    S: async_spi::SpiDevice,
    I: async_i2c::I2c,
    D: async_delay::DelayNs,
    C: FnMut() -> u64,
    B: AsMut<[u8]>,
{
    /// Takes the next picture, over buses that wait without blocking.
    ///
    /// A call that is dropped before it is done leaves a picture in the camera's memory; the next call takes a new one.
    ///
    /// # Errors
    /// [`CameraError`]; the next call resets the camera and tries again.
    pub async fn frame(&mut self) -> Result<Frame<'_>, CameraError<S::Error, I::Error>> {
        let index = self.count();
        // Until it is known that all went well, as it is not where the call is dropped.
        let configured = core::mem::replace(&mut self.configured, false);
        let mut chip = Chip { spi: &mut self.spi, i2c: &mut self.i2c, delay: &mut self.delay };
        let read = chip.picture(&self.config, configured, &mut self.clock, self.buffer.as_mut()).await;
        self.view(index, read)
    }
}

impl<S: SpiErrorType, I: i2c::ErrorType, D, C, B> ErrorType for ArduCam<'_, S, I, D, C, B> {
    type Error = CameraError<S::Error, I::Error>;
}

impl<S, I, D, C, B> FrameSource for ArduCam<'_, S, I, D, C, B>
where
    S: spi::SpiDevice,
    I: i2c::I2c,
    D: delay::DelayNs,
    C: FnMut() -> u64,
    B: AsMut<[u8]>,
{
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error> {
        let index = self.count();
        let (spi, i2c) = (&mut Blocking(&mut self.spi), &mut Blocking(&mut self.i2c));
        let mut chip = Chip { spi, i2c, delay: &mut Blocking(&mut self.delay) };
        let buffer = self.buffer.as_mut();
        let read = finish(chip.picture(&self.config, self.configured, &mut self.clock, buffer));
        self.view(index, read).map(Some)
    }
}
