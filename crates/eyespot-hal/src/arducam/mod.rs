//! ArduCAM Mini cameras: an OV2640 sensor behind the ArduChip with its frame FIFO.
//!
//! Sources: ArduCAM, "ArduChip" (SPI mode 0, up to 8 MHz; registers below); OmniVision, "OV2640 data sheet".

mod ov2640;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};
use eyespot_core::{Error, ErrorKind, ErrorType, Frame, FrameSource, ImageView, PixelFormat};

pub use ov2640::Register;

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
/// Each call takes a picture and reads it, which at 8 MHz and 320 x 240 takes 0.16 s. The time of a frame is that at
/// which its capture was started.
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

impl<'r, S, I, D, C, B> ArduCam<'r, S, I, D, C, B>
where
    S: SpiDevice,
    I: I2c,
    D: DelayNs,
    C: FnMut() -> u64,
    B: AsMut<[u8]>,
{
    /// A camera on its two buses; `clock` gives the time in microseconds, `buffer` has
    /// [`CameraConfig::bytes`]. It is configured when the first frame is taken.
    pub const fn new(spi: S, i2c: I, delay: D, clock: C, buffer: B, config: CameraConfig<'r>) -> Self {
        Self { spi, i2c, delay, clock, buffer, config, configured: false, next: 0 }
    }

    /// Looks for both parts and configures them.
    fn configure(&mut self) -> Result<(), CameraError<S::Error, I::Error>> {
        const PROBE: u8 = 0x55;
        set(&mut self.spi, TEST, PROBE)?;
        let answer = get(&mut self.spi, TEST)?;
        if answer != PROBE {
            return Err(CameraError::NotFound { part: CameraPart::Chip, answer: answer.into() });
        }
        let id = ov2640::id(&mut self.i2c).map_err(CameraError::I2c)?;
        if !ov2640::is_known(id) {
            return Err(CameraError::NotFound { part: CameraPart::Sensor, answer: id });
        }
        let (width, height) = self.config.size.pixels();
        ov2640::configure(&mut self.i2c, &mut self.delay, width, height, self.config.registers)
            .map_err(CameraError::I2c)
    }

    /// Takes a picture into the FIFO.
    fn capture(&mut self, needed: u32) -> Result<(), CameraError<S::Error, I::Error>> {
        set(&mut self.spi, FIFO_CONTROL, FIFO_CLEAR)?;
        set(&mut self.spi, FIFO_CONTROL, FIFO_START)?;
        let mut waited = 0;
        while get(&mut self.spi, TRIGGER)? & DONE == 0 {
            if waited >= self.config.timeout_ms {
                return Err(CameraError::Timeout);
            }
            self.delay.delay_ms(1);
            waited += 1;
        }
        let mut size = [0; 4];
        for (byte, address) in size.iter_mut().zip(FIFO_SIZE) {
            *byte = get(&mut self.spi, address)?;
        }
        let bytes = u32::from_le_bytes(size);
        if bytes < needed { Err(CameraError::Short { bytes, needed }) } else { Ok(()) }
    }

    /// Reads the picture; returns the time of its capture.
    fn picture(&mut self) -> Result<u64, CameraError<S::Error, I::Error>> {
        if !self.configured {
            self.configure()?;
            self.configured = true;
        }
        let needed = self.config.bytes();
        let have = self.buffer.as_mut().len();
        if have < needed {
            return Err(CameraError::Buffer { bytes: have, needed });
        }
        let (width, height) = self.config.size.pixels();
        let time_us = (self.clock)();
        self.capture(PixelFormat::Yuyv.image_bytes(width, height) as u32)?;
        let buffer = self.buffer.as_mut().get_mut(..needed).unwrap_or_default();
        match self.config.format {
            CameraFormat::Yuyv => burst(&mut self.spi, FIFO_BURST, buffer)?,
            CameraFormat::Gray8 => {
                let mut bytes = [0; CHUNK];
                for gray in buffer.chunks_mut(CHUNK / 2) {
                    let pairs = bytes.get_mut(..2 * gray.len()).unwrap_or_default();
                    burst(&mut self.spi, FIFO_BURST, pairs)?;
                    for (gray, pair) in gray.iter_mut().zip(pairs.as_chunks::<2>().0) {
                        *gray = pair[0];
                    }
                }
            }
        }
        Ok(time_us)
    }
}

fn set<S: SpiDevice, I>(spi: &mut S, address: u8, value: u8) -> Result<(), CameraError<S::Error, I>> {
    spi.write(&[address | WRITE, value]).map_err(CameraError::Spi)
}

fn get<S: SpiDevice, I>(spi: &mut S, address: u8) -> Result<u8, CameraError<S::Error, I>> {
    let mut answer = [0];
    burst(spi, address, &mut answer)?;
    Ok(u8::from_le_bytes(answer))
}

fn burst<S: SpiDevice, I>(
    spi: &mut S,
    address: u8,
    bytes: &mut [u8],
) -> Result<(), CameraError<S::Error, I>> {
    spi.transaction(&mut [Operation::Write(&[address]), Operation::Read(bytes)]).map_err(CameraError::Spi)
}

impl<S: SpiDevice, I: I2c, D, C, B> ErrorType for ArduCam<'_, S, I, D, C, B> {
    type Error = CameraError<S::Error, I::Error>;
}

impl<S, I, D, C, B> FrameSource for ArduCam<'_, S, I, D, C, B>
where
    S: SpiDevice,
    I: I2c,
    D: DelayNs,
    C: FnMut() -> u64,
    B: AsMut<[u8]>,
{
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error> {
        // A frame that failed has its number, too.
        let index = self.next;
        self.next = index.wrapping_add(1);
        let time_us = match self.picture() {
            Ok(time_us) => time_us,
            Err(error) => {
                self.configured = false;
                return Err(error);
            }
        };
        let (width, height) = self.config.size.pixels();
        let buffer = self.buffer.as_mut();
        let (bytes, needed) = (buffer.len(), self.config.bytes());
        let image = ImageView::packed(buffer, width, height, self.config.pixel_format())
            .map_err(|_| CameraError::Buffer { bytes, needed })?;
        Ok(Some(Frame::new(image, index, time_us)))
    }
}
