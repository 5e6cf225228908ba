//! Results to a serial port, a socket, or anything else that takes bytes.

use embedded_io::Write;
use eyespot_core::{Error, ErrorKind, ErrorType, Record, Sink};

use crate::encoder::FrameWriter;
use crate::hello::Hello;
use crate::results;
use crate::schema::{Envelope, VERSION};

/// The writer under a [`WireSink`] failed. The frame is lost; the next one can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WireError<E>(pub E);

impl<E: embedded_io::Error> core::fmt::Display for WireError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "results could not be written to the wire: {}", self.0)
    }
}

impl<E: embedded_io::Error> core::error::Error for WireError<E> {}

impl<E: embedded_io::Error> Error for WireError<E> {
    fn kind(&self) -> ErrorKind {
        match self.0.kind() {
            embedded_io::ErrorKind::TimedOut => ErrorKind::Timeout,
            embedded_io::ErrorKind::OutOfMemory => ErrorKind::Capacity,
            embedded_io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        }
    }
}

/// Sends results over any [`embedded_io::Write`].
///
/// A message is stuffed and checked while it is written: a frame of any size takes 256 bytes of stack. Up to about
/// 250 bytes it is a single write.
#[derive(Debug, Clone)]
pub struct WireSink<'a, W> {
    writer: W,
    hello: Option<(Hello<'a>, u32)>,
    /// Results until the next hello.
    until_hello: u32,
    sequence: u32,
}

impl<'a, W: Write> WireSink<'a, W> {
    /// A sink without a hello: receivers know neither the device nor the names of the classes.
    pub const fn new(writer: W) -> Self {
        Self { writer, hello: None, until_hello: 0, sequence: 0 }
    }

    /// Says hello before the first frame and then before every `every` frames (0: only the first), so that a receiver
    /// that comes later learns the class names too.
    #[must_use]
    pub const fn with_hello(mut self, hello: Hello<'a>, every: u32) -> Self {
        self.hello = Some((hello, every));
        self
    }

    /// Continues a sequence of frame numbers, for example after a restart.
    #[must_use]
    pub const fn with_sequence(mut self, next: u32) -> Self {
        self.sequence = next;
        self
    }

    /// The number of the next frame on the wire.
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The writer.
    pub const fn writer(&self) -> &W {
        &self.writer
    }

    /// The writer, for example to empty it. What is written to it between two frames is noise to a receiver, which
    /// drops it.
    pub const fn writer_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.writer
    }

    /// Sends a hello now.
    ///
    /// # Errors
    /// [`WireError`] where the writer fails.
    pub fn say_hello(&mut self, hello: &Hello<'_>) -> Result<(), WireError<W::Error>> {
        self.send(|frame| hello.encode(frame))
    }

    fn send(&mut self, message: impl FnOnce(&mut FrameWriter<'_, W>)) -> Result<(), WireError<W::Error>> {
        // A frame that fails has its number too: the receiver sees that it is missing.
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let mut frame = FrameWriter::new(&mut self.writer);
        frame.value(&Envelope { version: VERSION, sequence });
        message(&mut frame);
        frame.finish().map_err(WireError)
    }
}

impl<W: Write> ErrorType for WireSink<'_, W> {
    type Error = WireError<W::Error>;
}

impl<W: Write> Sink for WireSink<'_, W> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        if self.until_hello == 0
            && let Some((hello, every)) = self.hello
        {
            self.say_hello(&hello)?;
            self.until_hello = if every == 0 { u32::MAX } else { every };
        }
        if self.until_hello != u32::MAX {
            self.until_hello = self.until_hello.saturating_sub(1);
        }
        self.send(|frame| results::encode(frame, &record.info, record.predictions))
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.writer.flush().map_err(WireError)
    }
}
