//! A stream of bytes, cut anywhere, to messages.

use eyespot_core::{Error, ErrorKind};

use crate::encoder::{CRC, DELIMITER, LONG_BLOCK};
use crate::hello::{Hello, take};
use crate::results::Results;
use crate::schema::{Envelope, Kind, VERSION};

/// What came over the wire.
#[derive(Debug)]
pub enum Message<'d> {
    /// Who sends, and what its class numbers mean.
    Hello(Hello<'d>),
    /// The results of a frame.
    Results(Results<'d>),
}

/// The other side speaks another version of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct VersionMismatch {
    /// Version of the sender.
    pub sender: u16,
    /// Our version.
    pub receiver: u16,
}

impl core::fmt::Display for VersionMismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { sender, receiver } = self;
        let advice = if sender < receiver {
            "the sender is older: update its firmware"
        } else {
            "this receiver is older: update it"
        };
        write!(f, "results come in wire version {sender}, but version {receiver} is understood; {advice}")
    }
}

impl core::error::Error for VersionMismatch {}

impl Error for VersionMismatch {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

/// What a decoder has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts {
    /// Good frames with results.
    pub results: u64,
    /// Good frames with a hello.
    pub hellos: u64,
    /// Pieces between two delimiters that are no whole frame or have a wrong checksum.
    pub corrupt: u64,
    /// Pieces that are longer than the buffer. If this goes up on a clean line, make the buffer larger.
    pub oversized: u64,
    /// Frames with a right checksum and version whose content is none of this schema.
    pub malformed: u64,
    /// Frames of another version.
    pub other_version: u64,
    /// Frames that did not come or were corrupt, as the gaps in the sequence numbers tell.
    pub missed: u64,
    /// How often the sequence numbers went back: the sender started again, or sent stored frames.
    pub restarts: u64,
}

/// Finds messages in a stream of bytes.
///
/// The stream may be cut into chunks anywhere and may start in the middle of a frame. After noise, every frame
/// whose bytes came through is found, and one that is broken is dropped: each has a CRC-32C.
///
/// `B` is the buffer, `[u8; N]`, `&'static mut [u8; N]` or `Vec<u8>`; it must hold the largest message, that is a
/// frame without its delimiters and stuffing (31 bytes, 28 per detection, and masks and keypoints).
#[derive(Debug)]
pub struct Decoder<B> {
    buffer: B,
    /// Bytes of the message in the buffer.
    len: usize,
    /// Bytes that the current block still has.
    block: u8,
    /// The current block ends with a zero, unless the message ends there.
    zero: bool,
    state: State,
    sequence: Option<u32>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter: the end of a frame that we did not see the start of.
    Unsynced,
    /// Right after a delimiter.
    Start,
    /// In a frame.
    Inside,
    /// In a frame that is too long.
    Oversized,
}

/// A message whose place in the buffer is known.
enum Found {
    Hello(usize),
    Results(usize),
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Decoder<B> {
    /// A decoder with its buffer.
    pub const fn new(buffer: B) -> Self {
        let counts = Counts {
            results: 0,
            hellos: 0,
            corrupt: 0,
            oversized: 0,
            malformed: 0,
            other_version: 0,
            missed: 0,
            restarts: 0,
        };
        Self { buffer, len: 0, block: 0, zero: false, state: State::Unsynced, sequence: None, counts }
    }

    /// What was seen so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Forgets a part of a frame: the stream was interrupted.
    pub fn resync(&mut self) {
        self.state = State::Unsynced;
    }

    /// Takes bytes from the front of `input` up to the end of the next good frame, and gives its message. `None` when
    /// all of `input` is taken; go on with the next chunk.
    ///
    /// # Errors
    /// [`VersionMismatch`] for each frame of another version. What comes after it is decoded by the next call.
    pub fn next<'d>(&'d mut self, input: &mut &[u8]) -> Option<Result<Message<'d>, VersionMismatch>> {
        let found = loop {
            if !self.fill(input) {
                return None;
            }
            match self.check() {
                Ok(Some(found)) => break found,
                Ok(None) => {}
                Err(mismatch) => return Some(Err(mismatch)),
            }
        };
        let (message, scratch) = self.buffer.as_mut().split_at_mut_checked(self.len)?;
        let message = &*message;
        match found {
            Found::Hello(start) => Hello::decode(message.get(start..)?).map(Message::Hello),
            Found::Results(start) => Results::decode(message.get(start..)?, scratch).map(Message::Results),
        }
        .map(Ok)
    }

    /// Takes bytes up to the end of a piece; `true` when there is one to check.
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        while let Some((&first, rest)) = input.split_first() {
            if first == DELIMITER {
                *input = rest;
                let state = core::mem::replace(&mut self.state, State::Start);
                let whole = self.block == 0;
                match state {
                    State::Inside if whole => return true,
                    State::Inside => self.counts.corrupt += 1,
                    State::Oversized => self.counts.oversized += 1,
                    State::Unsynced | State::Start => {}
                }
                continue;
            }
            match self.state {
                State::Unsynced | State::Oversized => {
                    let end = input.iter().position(|&byte| byte == DELIMITER).unwrap_or(input.len());
                    *input = input.get(end..).unwrap_or(&[]);
                }
                State::Start => {
                    (self.len, self.block, self.zero, self.state) = (0, 0, false, State::Inside);
                }
                State::Inside if self.block == 0 => {
                    if self.zero {
                        self.append(&[0]);
                    }
                    (self.block, self.zero) = (first - 1, first != LONG_BLOCK);
                    *input = rest;
                }
                State::Inside => {
                    let most = input.get(..usize::from(self.block)).unwrap_or(input);
                    let run = most.iter().position(|&byte| byte == DELIMITER).unwrap_or(most.len());
                    let (run, rest) = input.split_at(run);
                    self.append(run);
                    self.block -= run.len() as u8;
                    *input = rest;
                }
            }
        }
        false
    }

    fn append(&mut self, bytes: &[u8]) {
        match self.buffer.as_mut().get_mut(self.len..self.len + bytes.len()) {
            Some(target) => {
                target.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.state = State::Oversized,
        }
    }

    /// Checks the message in the buffer and counts it. `Ok(None)` if it is broken.
    fn check(&mut self) -> Result<Option<Found>, VersionMismatch> {
        let bytes = self.buffer.as_ref().get(..self.len).unwrap_or(&[]);
        let Some((message, checksum)) = bytes
            .split_last_chunk()
            .filter(|(message, sum)| CRC.checksum(message) == u32::from_le_bytes(**sum))
        else {
            self.counts.corrupt += 1;
            return Ok(None);
        };
        let len = self.len - checksum.len();
        let mut rest = message;
        let Some(Envelope { version, sequence }) = take(&mut rest) else {
            self.counts.malformed += 1;
            return Ok(None);
        };
        if version != VERSION {
            self.counts.other_version += 1;
            return Err(VersionMismatch { sender: version, receiver: VERSION });
        }
        let found = take::<Kind>(&mut rest).and_then(|kind| {
            let start = len - rest.len();
            match kind {
                Kind::Hello => Hello::decode(rest).map(|_| Found::Hello(start)),
                Kind::Results => Results::decode(rest, &mut []).map(|_| Found::Results(start)),
            }
        });
        self.len = len;
        match found {
            Some(Found::Hello(_)) => self.counts.hellos += 1,
            Some(Found::Results(_)) => self.counts.results += 1,
            None => self.counts.malformed += 1,
        }
        if let Some(last) = self.sequence {
            match sequence.wrapping_sub(last) {
                step @ 1..0x8000_0000 => self.counts.missed += u64::from(step - 1),
                _ => self.counts.restarts += 1,
            }
        }
        self.sequence = Some(sequence);
        Ok(found)
    }
}
