//! Models in files, read without keeping them in memory.

use core::fmt;
use core::ops::Range;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::vec::Vec;

use eyespot_core::ErrorKind;

use super::Constants;
use crate::format::{CHECKED, PREFIX, Prefix};
use crate::{Description, LoadError};

/// Bytes that are read at once.
const BLOCK: usize = 1 << 16;

/// A model can't be read from a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file can't be read.
    Io(io::Error),
    /// It is no model that this version can run.
    Load(LoadError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the model can't be read: {error}"),
            Self::Load(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReadError {}

impl eyespot_core::Error for ReadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) => ErrorKind::Io,
            Self::Load(error) => error.kind(),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LoadError> for ReadError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// What stands before the weights in a model's file, in memory. The file's length and checksum are right.
#[derive(Debug)]
pub struct Header {
    prefix: Prefix,
    description: Vec<u8>,
}

impl Header {
    /// Reads a file from its start to its end.
    ///
    /// # Errors
    /// [`ReadError`] where it can't be read, is no model, is damaged or of another version.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self, ReadError> {
        file.rewind()?;
        let mut block = Vec::with_capacity(BLOCK);
        let mut next = |block: &mut Vec<u8>| {
            block.clear();
            file.by_ref().take(BLOCK as u64).read_to_end(block)
        };
        let mut read = next(&mut block)?;
        let prefix = Prefix::read(&block)?;
        let wanted = PREFIX..PREFIX.saturating_add(prefix.description);
        let (mut description, mut sum, mut len) = (Vec::new(), crc32fast::Hasher::new(), 0);
        while read > 0 {
            let part = |range: Range<usize>| {
                let inside = |at: usize| at.saturating_sub(len).min(read);
                inside(range.start)..inside(range.end)
            };
            sum.update(&block[part(CHECKED..usize::MAX)]);
            description.extend_from_slice(&block[part(wanted.clone())]);
            len += read;
            read = next(&mut block)?;
        }
        prefix.check_len(len)?;
        prefix.check_sum(sum.finalize())?;
        if description.len() < prefix.description {
            return Err(LoadError::Graph.into());
        }
        Ok(Self { prefix, description })
    }

    /// What the file says of the model.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong and in which layer.
    pub fn description(&self) -> Result<Description<'_>, LoadError> {
        Description::new(&self.description, self.prefix.arena, self.prefix.weights_len())
    }

    /// The constants in the file.
    pub(crate) fn weights<F: Read + Seek>(&self, file: F) -> io::Result<Weights<F>> {
        let mut file = BufReader::with_capacity(BLOCK, file);
        file.seek(SeekFrom::Start(self.prefix.weights() as u64))?;
        Ok(Weights { file, at: 0 })
    }
}

/// The weights in a file.
pub(crate) struct Weights<F> {
    file: BufReader<F>,
    /// Bytes that were read.
    at: usize,
}

impl<F: Read + Seek> Constants for Weights<F> {
    type Error = io::Error;

    fn read(&mut self, from: Range<usize>, to: &mut [u8]) -> io::Result<()> {
        // What follows what was read, as it nearly always does, is in the buffer.
        self.file.seek_relative(from.start as i64 - self.at as i64)?;
        self.file.read_exact(to)?;
        self.at = from.end;
        Ok(())
    }
}
