//! Results in NOR flash until they can be sent.

mod journal;

use core::ops::Range;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::Write;
use embedded_storage::nor_flash::{MultiwriteNorFlash, NorFlashError};
use eyespot_core::{Error, ErrorKind, ErrorType, Record, Sink};
use eyespot_wire::{WireError, WireSink};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use journal::Journaled;

/// What to do with a new frame when the flash is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Refuse it with an error: what was acknowledged stays.
    #[default]
    Refuse,
    /// Drop the oldest page of frames.
    DropOldest,
}

/// Why a frame was not stored, or stored ones could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashError<E> {
    /// The flash failed.
    Flash(E),
    /// All pages hold frames that were not sent yet.
    Full,
    /// The frame is larger than the buffer.
    Buffer {
        /// Size of the buffer in bytes.
        bytes: usize,
    },
    /// The frame is larger than a page of the flash.
    Page,
    /// What the flash holds is no queue, or is broken beyond repair.
    Corrupt,
    /// The range can't be used.
    Range,
}

impl<E: NorFlashError> core::fmt::Display for FlashError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "flash: {}", error.kind()),
            Self::Full => {
                f.write_str("the flash is full of frames that were not sent: forward them, or use more pages")
            }
            Self::Buffer { bytes } => {
                write!(f, "the frame is larger than the buffer of {bytes} bytes: use a larger one")
            }
            Self::Page => {
                f.write_str("the frame is larger than a page of the flash: send fewer masks and keypoints")
            }
            Self::Range => f.write_str(
                "the range must start and end at a page of the flash and have two pages or more, of words of up to 32 bytes",
            ),
            Self::Corrupt => {
                f.write_str("the flash holds no queue of frames: erase it with FlashSink::erase")
            }
        }
    }
}

impl<E: NorFlashError> core::error::Error for FlashError<E> {}

impl<E: NorFlashError> Error for FlashError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Flash(_) => ErrorKind::Device,
            Self::Full | Self::Buffer { .. } | Self::Page => ErrorKind::Capacity,
            Self::Corrupt | Self::Range => ErrorKind::InvalidInput,
        }
    }
}

/// Why forwarding stopped. Frames that were not sent stay in the flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardError<F, W> {
    /// The flash.
    Flash(FlashError<F>),
    /// The wire.
    Wire(WireError<W>),
}

impl<F: NorFlashError, W: embedded_io::Error> core::fmt::Display for ForwardError<F, W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
        }
    }
}

impl<F: NorFlashError, W: embedded_io::Error> core::error::Error for ForwardError<F, W> {}

impl<F: NorFlashError, W: embedded_io::Error> Error for ForwardError<F, W> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Flash(error) => error.kind(),
            Self::Wire(error) => error.kind(),
        }
    }
}

/// Stores results in NOR flash as wire frames, and forwards them when there is a line.
///
/// When [`write`](Sink::write) returns `Ok`, the frame is in the flash: it survives a power cut at any later moment
/// until it was forwarded. It is forwarded at least once, in order; after a cut between sending and marking it comes
/// again, with the same sequence number.
///
/// The flash must allow to write a word twice (setting more bits to 0), as serial NOR flash does. `B` is a buffer for
/// one frame.
pub struct FlashSink<F: MultiwriteNorFlash, B> {
    queue: QueueStorage<Journaled<F>, Cache<Uncached, Uncached, Uncached>>,
    buffer: B,
    full: WhenFull,
    sequence: u32,
}

impl<F: MultiwriteNorFlash, B> core::fmt::Debug for FlashSink<F, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FlashSink")
            .field("full", &self.full)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl<F: MultiwriteNorFlash, B: AsMut<[u8]>> FlashSink<F, B> {
    /// A sink in a range of whole pages of the flash, erased or with the frames of an earlier run. The first page is
    /// for bookkeeping.
    ///
    /// # Errors
    /// [`FlashError::Range`] where the range does not start and end at a page or has fewer than two;
    /// [`FlashError::Flash`] where the flash fails.
    pub fn new(flash: F, range: Range<u32>, buffer: B, full: WhenFull) -> Result<Self, FlashError<F::Error>> {
        let page = F::ERASE_SIZE as u32;
        let pages = range
            .start
            .checked_add(page)
            .map(|first| first..range.end)
            .filter(|pages| pages.start < pages.end);
        let pages = pages.ok_or(FlashError::Range)?;
        let config = QueueConfig::try_new(pages).map_err(|_| FlashError::Range)?;
        let flash = Journaled::open(flash, range).map_err(FlashError::Flash)?;
        Ok(Self { queue: QueueStorage::new(flash, config, Cache::new_uncached()), buffer, full, sequence: 0 })
    }

    /// Sends the stored frames, oldest first, each flushed before it is marked as sent. Returns how many.
    ///
    /// # Errors
    /// [`ForwardError`]: the flash or the line failed. What was not sent stays.
    pub fn forward<W: Write>(&mut self, wire: &mut W) -> Result<u32, ForwardError<F::Error, W::Error>> {
        let mut sent = 0;
        while let Some(frame) =
            now(self.queue.peek(self.buffer.as_mut())).map_err(failed).map_err(ForwardError::Flash)?
        {
            wire.write_all(frame)
                .and_then(|()| wire.flush())
                .map_err(|error| ForwardError::Wire(WireError(error)))?;
            now(self.queue.pop(self.buffer.as_mut())).map_err(failed).map_err(ForwardError::Flash)?;
            sent += 1;
        }
        Ok(sent)
    }

    /// Erases the whole range, with the frames in it.
    ///
    /// # Errors
    /// [`FlashError::Flash`].
    pub fn erase(&mut self) -> Result<(), FlashError<F::Error>> {
        now(self.queue.erase_all()).map_err(failed)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.queue.destroy().0.into_flash()
    }
}

impl<F: MultiwriteNorFlash, B> ErrorType for FlashSink<F, B> {
    type Error = FlashError<F::Error>;
}

impl<F: MultiwriteNorFlash, B: AsMut<[u8]>> Sink for FlashSink<F, B> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        let buffer = self.buffer.as_mut();
        let bytes = buffer.len();
        let mut sink = WireSink::new(&mut *buffer).with_sequence(self.sequence);
        sink.write(record).map_err(|WireError(_)| FlashError::Buffer { bytes })?;
        let frame = bytes - sink.into_inner().len();
        let frame = buffer.get(..frame).unwrap_or_default();
        now(self.queue.push(frame, self.full == WhenFull::DropOldest)).map_err(failed)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }
}

fn failed<E>(error: sequential_storage::Error<E>) -> FlashError<E> {
    use sequential_storage::Error as Queue;
    match error {
        Queue::Storage { value, .. } => FlashError::Flash(value),
        Queue::FullStorage => FlashError::Full,
        Queue::ItemTooBig => FlashError::Page,
        Queue::BufferTooSmall(bytes) => FlashError::Buffer { bytes },
        _ => FlashError::Corrupt,
    }
}

/// Runs a future whose flash never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        core::hint::spin_loop();
    }
}
