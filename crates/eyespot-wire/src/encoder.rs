//! Bytes of a message to a framed stream: checksum and byte stuffing while they pass by.

use crc::{CRC_32_ISCSI, Crc, Digest, Table};
use embedded_io::Write;
use postcard::Serializer;
use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// CRC-32C: one broken frame in 2^32 is taken for a good one. Its table takes 1 KiB of flash.
pub(crate) static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// Between frames, and nowhere inside.
pub(crate) const DELIMITER: u8 = 0;
/// A block of this code has 254 bytes and no zero after it.
pub(crate) const LONG_BLOCK: u8 = 0xff;

/// Bytes that are collected before they are written. A block of COBS has at most 255.
const BUFFER: usize = 256;

/// One frame: delimiter, COBS of (message, CRC-32C in little endian), delimiter.
///
/// The delimiter on both sides makes a frame independent of its neighbours: whatever happens to them, it arrives.
pub(crate) struct FrameWriter<'w, W: Write> {
    writer: &'w mut W,
    digest: Digest<'static, u32, Table<1>>,
    buffer: [u8; BUFFER],
    /// Place of the code byte of the open block.
    code: usize,
    len: usize,
    error: Option<W::Error>,
}

impl<'w, W: Write> FrameWriter<'w, W> {
    pub(crate) fn new(writer: &'w mut W) -> Self {
        // The first byte is the delimiter, the second the code of the first block.
        let buffer = [DELIMITER; BUFFER];
        Self { writer, digest: CRC.digest(), buffer, code: 1, len: 2, error: None }
    }

    /// Appends a value of the message. After an error, which [`finish`](Self::finish) reports, this does nothing.
    pub(crate) fn value(&mut self, value: &impl Serialize) {
        if self.error.is_none() {
            // The only error of a serializer is that of its output, and that one is kept in `self.error`.
            let _ = value.serialize(&mut Serializer { output: self });
        }
    }

    /// Appends bytes of the message.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.stuff(bytes);
    }

    /// Ends the frame.
    pub(crate) fn finish(mut self) -> Result<(), W::Error> {
        let checksum = core::mem::replace(&mut self.digest, CRC.digest()).finalize();
        self.stuff(&checksum.to_le_bytes());
        self.close_block();
        // The code byte of the block that was just opened is where the closing delimiter goes.
        if let Some(last) = self.buffer.get_mut(self.code) {
            *last = DELIMITER;
        }
        self.write_out(self.len);
        self.error.map_or(Ok(()), Err)
    }

    fn stuff(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.error.is_some() {
                return;
            }
            if first == 0 {
                self.close_block();
                bytes = rest;
                continue;
            }
            let room = (usize::from(LONG_BLOCK) - (self.len - self.code)).min(BUFFER - self.len);
            let run = bytes.iter().take(room).take_while(|&&byte| byte != 0).count();
            let (run, rest) = bytes.split_at(run);
            if let Some(target) = self.buffer.get_mut(self.len..self.len + run.len()) {
                target.copy_from_slice(run);
            }
            self.len += run.len();
            bytes = rest;
            if self.len - self.code == usize::from(LONG_BLOCK) {
                self.close_block();
            } else if self.len == BUFFER {
                self.write_blocks();
            }
        }
    }

    /// Gives the open block its code and opens the next one.
    fn close_block(&mut self) {
        if let Some(code) = self.buffer.get_mut(self.code) {
            *code = (self.len - self.code) as u8;
        }
        if self.len == BUFFER {
            self.write_out(BUFFER);
            self.len = 0;
        }
        self.code = self.len;
        self.len += 1;
        if self.len == BUFFER {
            self.write_blocks();
        }
    }

    /// Writes the closed blocks and moves the open one to the front.
    fn write_blocks(&mut self) {
        self.write_out(self.code);
        self.buffer.copy_within(self.code..self.len, 0);
        self.len -= self.code;
        self.code = 0;
    }

    fn write_out(&mut self, len: usize) {
        if self.error.is_none()
            && let Some(bytes) = self.buffer.get(..len)
            && let Err(error) = self.writer.write_all(bytes)
        {
            self.error = Some(error);
        }
    }
}

impl<W: Write> Flavor for &mut FrameWriter<'_, W> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.bytes(data);
        if self.error.is_some() { Err(postcard::Error::SerializeBufferFull) } else { Ok(()) }
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.try_extend(&[data])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The definition of COBS, one block after the other.
    fn cobs(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::from([0]);
        let mut rest: Vec<u8> = message.iter().copied().chain([0]).collect();
        while !rest.is_empty() {
            let zero = rest.iter().position(|&byte| byte == 0).unwrap();
            if zero >= 254 {
                out.push(255);
                out.extend(rest.drain(..254));
            } else {
                out.push(zero as u8 + 1);
                out.extend(rest.drain(..zero));
                rest.remove(0);
            }
        }
        out.push(0);
        out
    }

    fn frame(message: &[u8], chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = FrameWriter::new(&mut out);
        message.chunks(chunk).for_each(|chunk| writer.bytes(chunk));
        writer.finish().unwrap();
        out
    }

    fn with_checksum(message: &[u8]) -> Vec<u8> {
        message.iter().copied().chain(CRC.checksum(message).to_le_bytes()).collect()
    }

    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_short_message_is_written_at_once() {
        struct Count(usize);
        impl embedded_io::ErrorType for Count {
            type Error = core::convert::Infallible;
        }
        impl Write for Count {
            fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
                self.0 += 1;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> Result<(), Self::Error> {
                Ok(())
            }
        }
        let mut count = Count(0);
        let mut writer = FrameWriter::new(&mut count);
        writer.bytes(&[0; 200]);
        writer.finish().unwrap();
        assert_eq!(count.0, 1);
    }

    proptest! {
        #[test]
        fn frames_are_cobs_of_message_and_checksum(
            message in prop::collection::vec(prop_oneof![Just(0u8), 1u8..=255, Just(7)], 0..1200),
            chunk in 1usize..300,
        ) {
            prop_assert_eq!(frame(&message, chunk), cobs(&with_checksum(&message)));
        }

        #[test]
        fn long_runs_without_zeros(len in 0usize..1100, zero_every in 200usize..600, chunk in 1usize..700) {
            let message: Vec<u8> =
                (0..len).map(|at| if at % zero_every == 3 { 0 } else { (at % 251 + 1) as u8 }).collect();
            prop_assert_eq!(frame(&message, chunk), cobs(&with_checksum(&message)));
        }
    }
}
