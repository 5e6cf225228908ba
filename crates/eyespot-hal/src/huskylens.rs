//! Boxes from a DFRobot `HuskyLens` over I2C.
//!
//! Source: DFRobot, "HUSKYLENS Protocol", version 0.1.1. Every message is `55 AA 11`, the length of its data, a
//! command, the data, and the low byte of the sum of all that. Numbers are 16 bits, the low byte first.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use eyespot_core::{
    BBox, ClassId, Detection, Error, ErrorKind, ErrorType, Frame, InputSize, ModelSpec, PredictOptions,
    PredictionsMut, Predictor,
};

const ADDRESS: u8 = 0x32;
const HEADER: [u8; 3] = [0x55, 0xaa, 0x11];
const REQUEST_BLOCKS: u8 = 0x21;
const RETURN_INFO: u8 = 0x29;
const RETURN_BLOCK: u8 = 0x2a;
const REQUEST_ALGORITHM: u8 = 0x2d;
const RETURN_OK: u8 = 0x2e;

/// The camera's picture.
const SIZE: InputSize = InputSize { width: 320, height: 240 };

/// Data of a message with information or a block.
const DATA: usize = 10;
/// A whole message of that kind.
const MESSAGE: usize = 5 + DATA + 1;

/// What the camera looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Faces; learned ones have an ID.
    FaceRecognition = 0,
    /// The one object that it was shown.
    ObjectTracking = 1,
    /// 20 kinds of things.
    ObjectRecognition = 2,
    /// Blobs of learned colours.
    ColorRecognition = 4,
    /// AprilTags.
    TagRecognition = 5,
}

/// Why a camera gave no boxes. The next call asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HuskyLensError<E> {
    /// The bus failed, or no camera answers at its address.
    I2c(E),
    /// The camera sent no answer in time.
    Timeout,
    /// A message came with a wrong checksum.
    Checksum,
}

impl<E: embedded_hal::i2c::Error> core::fmt::Display for HuskyLensError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::I2c(error) => {
                write!(
                    f,
                    "no HuskyLens at I2C address 0x32: {}; check its wires and set its protocol to I2C",
                    error.kind()
                )
            }
            Self::Timeout => f.write_str("the HuskyLens sent no answer in time; is it busy starting up?"),
            Self::Checksum => {
                f.write_str("the HuskyLens sent a broken message; use shorter wires or 100 kHz")
            }
        }
    }
}

impl<E: embedded_hal::i2c::Error> core::error::Error for HuskyLensError<E> {}

impl<E: embedded_hal::i2c::Error> Error for HuskyLensError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::I2c(_) => ErrorKind::Io,
            Self::Timeout => ErrorKind::Timeout,
            Self::Checksum => ErrorKind::InvalidInput,
        }
    }
}

/// A `HuskyLens` as a predictor: it looks for itself, whatever the frame shows.
///
/// Boxes are scaled from its 320 x 240 pixels to the size of the frame (`frame.info`), so that a second camera beside
/// it can show them; [`Ticks`](crate::Ticks) gives frames where there is none. The class is the learned ID, 0 for what
/// was not learned. There are no scores; they are 1.
///
/// A call takes one transfer of 6 bytes, one of 16 for each box, and one more: at 100 kHz 1.5 ms for each. It waits for
/// an answer for at most the timeout.
#[derive(Debug, Clone)]
pub struct HuskyLens<'l, I, D> {
    i2c: I,
    delay: D,
    labels: &'l [&'l str],
    timeout_ms: u16,
    parser: Parser,
}

impl<'l, I: I2c, D: DelayNs> HuskyLens<'l, I, D> {
    /// A camera on a bus. `labels` are the names of the IDs; the first is that of what was not learned.
    pub const fn new(i2c: I, delay: D, labels: &'l [&'l str]) -> Self {
        Self { i2c, delay, labels, timeout_ms: 50, parser: Parser::new() }
    }

    /// Waits so long for an answer, in milliseconds; 50 otherwise.
    #[must_use]
    pub const fn with_timeout_ms(mut self, timeout_ms: u16) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// Chooses what the camera looks for.
    ///
    /// # Errors
    /// [`HuskyLensError`].
    pub fn set_algorithm(&mut self, algorithm: Algorithm) -> Result<(), HuskyLensError<I::Error>> {
        self.request(REQUEST_ALGORITHM, &[algorithm as u8, 0])?;
        self.receive(RETURN_OK).map(|_| ())
    }

    fn request(&mut self, command: u8, data: &[u8]) -> Result<(), HuskyLensError<I::Error>> {
        self.parser = Parser::new();
        let mut message = [0; MESSAGE];
        let [a, b, c] = HEADER;
        let body = [a, b, c, data.len() as u8, command];
        let sum = body.iter().chain(data).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        let mut len = 0;
        for (slot, &byte) in message.iter_mut().zip(body.iter().chain(data).chain([&sum])) {
            *slot = byte;
            len += 1;
        }
        self.i2c.write(ADDRESS, message.get(..len).unwrap_or(&message)).map_err(HuskyLensError::I2c)
    }

    /// Waits for a message and gives its data. Messages of other kinds are answers to an earlier request.
    fn receive(&mut self, wanted: u8) -> Result<[u8; DATA], HuskyLensError<I::Error>> {
        let mut polls = 0;
        loop {
            match self.parser.next_message() {
                Some(Ok((command, data))) if command == wanted => return Ok(data),
                Some(Ok(_)) => continue,
                Some(Err(BadChecksum)) => return Err(HuskyLensError::Checksum),
                None => {}
            }
            if polls > 0 {
                if polls > u32::from(self.timeout_ms) {
                    return Err(HuskyLensError::Timeout);
                }
                self.delay.delay_ms(1);
            }
            polls += 1;
            let mut bytes = [0; MESSAGE];
            self.i2c.read(ADDRESS, &mut bytes).map_err(HuskyLensError::I2c)?;
            self.parser.put(bytes);
        }
    }
}

impl<I: I2c, D> ErrorType for HuskyLens<'_, I, D> {
    type Error = HuskyLensError<I::Error>;
}

impl<I: I2c, D: DelayNs> Predictor for HuskyLens<'_, I, D> {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("huskylens", Some(SIZE), self.labels)
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error> {
        let scale_x = f32::from(frame.info.width) / f32::from(SIZE.width);
        let scale_y = f32::from(frame.info.height) / f32::from(SIZE.height);
        self.request(REQUEST_BLOCKS, &[])?;
        let [count, ..] = words(self.receive(RETURN_INFO)?);
        for _ in 0..count {
            let [x, y, width, height, id] = words(self.receive(RETURN_BLOCK)?);
            let class = ClassId(id);
            if options.classes().keeps(class) {
                let [x, width] = [x, width].map(|value| f32::from(value) * scale_x);
                let [y, height] = [y, height].map(|value| f32::from(value) * scale_y);
                out.push(Detection::new(BBox::from_cxcywh(x, y, width, height), 1.0, class));
            }
        }
        Ok(())
    }
}

fn words(data: [u8; DATA]) -> [u16; DATA / 2] {
    let mut words = [0; DATA / 2];
    for (word, &bytes) in words.iter_mut().zip(data.as_chunks().0) {
        *word = u16::from_le_bytes(bytes);
    }
    words
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BadChecksum;

/// Finds messages in the bytes that the camera sends; between them may be anything.
#[derive(Debug, Clone)]
struct Parser {
    bytes: [u8; MESSAGE],
    used: usize,
    /// How much of the current message was seen, and its sum.
    seen: usize,
    sum: u8,
    len: usize,
    command: u8,
    data: [u8; DATA],
}

impl Parser {
    const fn new() -> Self {
        Self { bytes: [0; MESSAGE], used: MESSAGE, seen: 0, sum: 0, len: 0, command: 0, data: [0; DATA] }
    }

    const fn put(&mut self, bytes: [u8; MESSAGE]) {
        self.bytes = bytes;
        self.used = 0;
    }

    fn next_message(&mut self) -> Option<Result<(u8, [u8; DATA]), BadChecksum>> {
        while let Some(&byte) = self.bytes.get(self.used) {
            self.used += 1;
            let sum = self.sum;
            self.sum = sum.wrapping_add(byte);
            let at = self.seen;
            self.seen += 1;
            match at {
                0..3 if HEADER.get(at) != Some(&byte) => self.restart(byte),
                0..3 => {}
                // No message of interest is longer.
                3 if usize::from(byte) > DATA => self.restart(byte),
                3 => (self.len, self.data) = (usize::from(byte), [0; DATA]),
                4 => self.command = byte,
                _ if at < 5 + self.len => {
                    if let Some(slot) = self.data.get_mut(at - 5) {
                        *slot = byte;
                    }
                }
                _ => {
                    (self.seen, self.sum) = (0, 0);
                    return Some(if sum == byte { Ok((self.command, self.data)) } else { Err(BadChecksum) });
                }
            }
        }
        None
    }

    /// The byte may be the first of a message.
    fn restart(&mut self, byte: u8) {
        let first = HEADER.first() == Some(&byte);
        (self.seen, self.sum) = if first { (1, byte) } else { (0, 0) };
    }
}
