//! The frame of a model file: magic, version, checksum and where the parts lie.
//!
//! | bytes | what (little-endian) |
//! |---|---|
//! | 0..4 | `EYE` and a byte that no text has |
//! | 4..6 | version |
//! | 6..8 | zero |
//! | 8..12 | length of the file |
//! | 12..16 | CRC-32 (IEEE) of everything after it |
//! | 16..20 | bytes of arena |
//! | 20..24 | bytes of the description |
//! | 24.. | the description (postcard), zeros to the next multiple of 16, the weights |

use crate::LoadError;

/// The version that is written and read.
pub const VERSION: u16 = 1;

pub(crate) const MAGIC: [u8; 4] = *b"EYE\x97";

/// Bytes before the description.
pub(crate) const PREFIX: usize = 24;

/// Bytes before those that the checksum is of.
pub(crate) const CHECKED: usize = 16;

/// Bytes of arena that a model needs, at compile time: 0 where the bytes are no model (loading says why).
///
/// ```
/// const MODEL: &[u8] = b"not a model";
/// static ARENA: [u64; eyespot_nn::arena_words(MODEL)] = [0; eyespot_nn::arena_words(MODEL)];
/// assert_eq!(ARENA.len(), 0);
/// ```
#[must_use]
pub const fn arena_bytes(model: &[u8]) -> usize {
    if model.len() < PREFIX
        || model[0] != MAGIC[0]
        || model[1] != MAGIC[1]
        || model[2] != MAGIC[2]
        || model[3] != MAGIC[3]
    {
        return 0;
    }
    u32::from_le_bytes([model[16], model[17], model[18], model[19]]) as usize
}

/// [`arena_bytes`] in the words that an arena consists of.
#[must_use]
pub const fn arena_words(model: &[u8]) -> usize {
    arena_bytes(model).div_ceil(8)
}

/// What stands before the description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefix {
    /// Bytes of arena.
    pub(crate) arena: u32,
    /// Bytes of the description.
    pub(crate) description: usize,
    len: usize,
    checksum: u32,
}

impl Prefix {
    /// From the first bytes of a file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(LoadError::Magic);
        }
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
            return Err(LoadError::Truncated { expected: PREFIX, actual: bytes.len() });
        };
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&prefix[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let found = word(4) as u16;
        if found != VERSION {
            return Err(LoadError::Version { found, supported: VERSION });
        }
        Ok(Self {
            arena: word(16),
            description: word(20) as usize,
            len: word(8) as usize,
            checksum: word(12),
        })
    }

    /// Is the file as long as it should be?
    pub(crate) fn check_len(&self, actual: usize) -> Result<(), LoadError> {
        let expected = self.len;
        if actual == expected { Ok(()) } else { Err(LoadError::Truncated { expected, actual }) }
    }

    /// Is this the checksum of what follows the first [`CHECKED`] bytes?
    pub(crate) fn check_sum(&self, actual: u32) -> Result<(), LoadError> {
        let expected = self.checksum;
        if actual == expected { Ok(()) } else { Err(LoadError::Checksum { expected, actual }) }
    }

    /// Where the weights begin, in a file that is at least as long as its description.
    pub(crate) const fn weights(&self) -> usize {
        (PREFIX + self.description).next_multiple_of(16)
    }

    /// Bytes of weights in such a file.
    #[cfg(feature = "host")]
    pub(crate) const fn weights_len(&self) -> usize {
        self.len.saturating_sub(self.weights())
    }
}

/// The parts of a model file.
pub(crate) struct Parts<'m> {
    pub(crate) arena: u32,
    pub(crate) description: &'m [u8],
    pub(crate) weights: &'m [u8],
}

/// Checks frame and checksum.
pub(crate) fn read(bytes: &[u8]) -> Result<Parts<'_>, LoadError> {
    let prefix = Prefix::read(bytes)?;
    prefix.check_len(bytes.len())?;
    let rest = bytes.get(CHECKED..).unwrap_or(&[]);
    #[cfg(feature = "host")]
    prefix.check_sum(crc32fast::hash(rest))?;
    #[cfg(not(feature = "host"))]
    prefix.check_sum(crc32(rest))?;
    let description = bytes.get(PREFIX..).and_then(|rest| rest.get(..prefix.description));
    let description = description.ok_or(LoadError::Graph)?;
    Ok(Parts { arena: prefix.arena, description, weights: bytes.get(prefix.weights()..).unwrap_or(&[]) })
}

/// CRC-32 (IEEE 802.3) of bytes. Four bits a step: a table of 64 bytes is enough for flash.
#[must_use]
pub const fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let mut crc = !0u32;
    let mut at = 0;
    while at < bytes.len() {
        crc ^= bytes[at] as u32;
        crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        at += 1;
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_usual_one() {
        // The check value of the catalogue of parametrised CRC algorithms.
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
