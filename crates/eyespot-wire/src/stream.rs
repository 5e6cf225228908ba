//! The receiving side on a host: owned results from any reader.

use std::borrow::ToOwned;
use std::io::{ErrorKind as IoKind, Read};
use std::string::String;
use std::vec::Vec;

use eyespot_core::{Error, ErrorKind, FrameInfo, PredictionsBuf};

use crate::decoder::{Counts, Decoder, Message, VersionMismatch};
use crate::hello::Hello;

/// What a device said about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceInfo {
    /// Name of the device.
    pub device: String,
    /// Name of its model.
    pub model: String,
    /// Class names; the index is the class.
    pub labels: Vec<String>,
}

impl From<Hello<'_>> for DeviceInfo {
    fn from(hello: Hello<'_>) -> Self {
        let labels = hello.labels.iter().map(ToOwned::to_owned).collect();
        Self { device: hello.device.to_owned(), model: hello.model.to_owned(), labels }
    }
}

/// What a device sent.
#[derive(Debug, Clone)]
pub enum Event {
    /// Who it is and what its class numbers mean. Comes again from time to time.
    Hello(DeviceInfo),
    /// The results of a frame.
    Results {
        /// Number, time, source and size of the frame.
        info: FrameInfo,
        /// What was found in it.
        predictions: PredictionsBuf,
    },
}

/// Why the next event could not be had. The stream can be read on.
#[derive(Debug)]
pub enum StreamError {
    /// The reader failed.
    Io(std::io::Error),
    /// The device speaks another version.
    Version(VersionMismatch),
}

impl core::fmt::Display for StreamError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "results could not be read: {error}"),
            Self::Version(mismatch) => mismatch.fmt(f),
        }
    }
}

impl core::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Version(_) => None,
        }
    }
}

impl Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) if matches!(error.kind(), IoKind::TimedOut | IoKind::WouldBlock) => {
                ErrorKind::Timeout
            }
            Self::Io(_) => ErrorKind::Io,
            Self::Version(mismatch) => mismatch.kind(),
        }
    }
}

/// The largest message that a [`Stream`] takes.
const LARGEST: usize = 1 << 20;

/// Events from any [`Read`]: a serial port, a socket, a file, stdin. Ends where the reader ends.
///
/// A timeout of the reader is an error with kind [`Timeout`](ErrorKind::Timeout); the next call waits again.
#[derive(Debug)]
pub struct Stream<R> {
    reader: R,
    decoder: Decoder<Vec<u8>>,
    chunk: Vec<u8>,
    /// The part of the chunk that is not decoded yet.
    rest: core::ops::Range<usize>,
}

impl<R: Read> Stream<R> {
    /// Reads from here; messages of up to 1 MiB.
    #[must_use]
    pub fn new(reader: R) -> Self {
        let decoder = Decoder::new(std::vec![0; LARGEST]);
        Self { reader, decoder, chunk: std::vec![0; 16 << 10], rest: 0..0 }
    }

    /// What was seen so far, over all readers.
    pub const fn counts(&self) -> Counts {
        self.decoder.counts()
    }

    /// Reads on from another reader, for example after a connection was made again. The rest of a frame from the old
    /// one is dropped; the counters stay.
    pub fn reconnect(&mut self, reader: R) {
        self.decoder.resync();
        self.reader = reader;
        self.rest = 0..0;
    }

    /// The reader.
    pub const fn reader(&self) -> &R {
        &self.reader
    }
}

impl<R: Read> Iterator for Stream<R> {
    type Item = Result<Event, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut input = self.chunk.get(self.rest.clone()).unwrap_or(&[]);
            let message = self.decoder.next(&mut input);
            self.rest.start = self.rest.end - input.len();
            match message {
                Some(Ok(Message::Hello(hello))) => return Some(Ok(Event::Hello(hello.into()))),
                Some(Ok(Message::Results(results))) => {
                    return Some(Ok(Event::Results { info: results.info(), predictions: results.to_buf() }));
                }
                Some(Err(mismatch)) => return Some(Err(StreamError::Version(mismatch))),
                None => {}
            }
            match self.reader.read(&mut self.chunk) {
                Ok(0) => return None,
                Ok(len) => self.rest = 0..len,
                Err(error) if error.kind() == IoKind::Interrupted => {}
                Err(error) => return Some(Err(StreamError::Io(error))),
            }
        }
    }
}
