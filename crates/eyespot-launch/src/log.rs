//! From the bytes that a firmware logs to lines of text.

use defmt_decoder::{DecodeError, Table};

use crate::{Error, Result};

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`; empty for a message without a level.
    pub level: String,
    /// The message.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:5} {}", self.level, self.text)
    }
}

/// The log messages of a firmware, which hold the texts that it does not carry itself.
#[derive(Debug)]
pub struct Log(Table);

impl Log {
    /// Reads them from the firmware's ELF file.
    ///
    /// # Errors
    /// [`Error::NoLog`] if it has none, or those of another version of defmt.
    pub fn new(elf: &[u8]) -> Result<Self> {
        let reason = |error: &dyn std::fmt::Display| Error::NoLog { reason: error.to_string() };
        let table = Table::parse(elf).map_err(|error| reason(&error))?;
        table.map(Self).ok_or_else(|| reason(&"it does not use defmt"))
    }

    /// Decodes what `read` gives, until it gives nothing more.
    ///
    /// # Errors
    /// Those of `read`. Bytes that are no log messages are skipped and reported as a line.
    pub fn decode(&self, mut read: impl std::io::Read, mut line: impl FnMut(&Line)) -> std::io::Result<()> {
        let mut decoder = self.0.new_stream_decoder();
        let mut buffer = [0; 4096];
        loop {
            let received = match read.read(&mut buffer)? {
                0 => return Ok(()),
                len => buffer.get(..len).unwrap_or(&[]),
            };
            decoder.received(received);
            loop {
                match decoder.decode() {
                    Ok(frame) => line(&Line {
                        level: frame.level().map_or("", |level| level.as_str()).to_uppercase(),
                        text: frame.display_message().to_string(),
                    }),
                    Err(DecodeError::UnexpectedEof) => break,
                    Err(DecodeError::Malformed) => {
                        line(&Line {
                            level: "WARN".to_owned(),
                            text: "a log message was damaged".to_owned(),
                        });
                        if !self.0.encoding().can_recover() {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_a_log_is_told_so() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for (bytes, says) in [(&this[..], "it does not use defmt"), (b"no program", "can't be decoded")] {
            let error = Log::new(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
