//! The trait of everything that takes results.

use core::convert::Infallible;

use crate::{Error, ErrorKind, ErrorType, FrameInfo, ImageView, PredictionsRef};

/// The results of one frame, and the frame itself where it is at hand.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Number, time, source and size of the frame.
    pub info: FrameInfo,
    /// Path or address of where the frame comes from, where known.
    pub name: Option<&'a str>,
    /// Its pixels; `None` for results that came over a wire without them.
    pub image: Option<ImageView<'a>>,
    /// What was found.
    pub predictions: PredictionsRef<'a>,
}

/// Takes the results of each frame.
///
/// # Contract
/// - `write` is called once per frame, in order. It borrows: what is needed later must be copied.
/// - After an error what was written before stays valid, and the next frame may be written.
pub trait Sink: ErrorType {
    /// Takes the results of a frame.
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type.
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error>;

    /// Makes everything written so far safe (on a disk, over a wire).
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type.
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<K: Sink + ?Sized> Sink for &mut K {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        (**self).write(record)
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
}

/// `None` takes everything and does nothing.
impl<K: Sink> Sink for Option<K> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        self.as_mut().map_or(Ok(()), |sink| sink.write(record))
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.as_mut().map_or(Ok(()), K::flush)
    }
}

/// Takes everything and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NullSink;

impl ErrorType for NullSink {
    type Error = Infallible;
}

impl Sink for NullSink {
    fn write(&mut self, _: &Record<'_>) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Which sink of a pair failed. The other one was written all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SinkPairError<A, B> {
    /// The first.
    First(A),
    /// The second.
    Second(B),
    /// Both.
    Both(A, B),
}

impl<A: core::fmt::Display, B: core::fmt::Display> core::fmt::Display for SinkPairError<A, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::First(error) => error.fmt(f),
            Self::Second(error) => error.fmt(f),
            Self::Both(first, second) => write!(f, "{first}; and {second}"),
        }
    }
}

impl<A: core::error::Error, B: core::error::Error> core::error::Error for SinkPairError<A, B> {}

impl<A: Error, B: Error> Error for SinkPairError<A, B> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::First(error) | Self::Both(error, _) => error.kind(),
            Self::Second(error) => error.kind(),
        }
    }
}

impl<A: ErrorType, B: ErrorType> ErrorType for (A, B) {
    type Error = SinkPairError<A::Error, B::Error>;
}

/// Both sinks get every result, also when one of them fails. Pairs nest: `(a, (b, c))`.
impl<A: Sink, B: Sink> Sink for (A, B) {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        both(self.0.write(record), self.1.write(record))
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        both(self.0.flush(), self.1.flush())
    }
}

fn both<A, B>(first: Result<(), A>, second: Result<(), B>) -> Result<(), SinkPairError<A, B>> {
    match (first, second) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(first), Ok(())) => Err(SinkPairError::First(first)),
        (Ok(()), Err(second)) => Err(SinkPairError::Second(second)),
        (Err(first), Err(second)) => Err(SinkPairError::Both(first, second)),
    }
}
