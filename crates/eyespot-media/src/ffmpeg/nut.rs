//! Reads what ffmpeg writes into its pipe: raw pictures with their times, in the NUT container.
//!
//! After the public specification of NUT (`nut.txt` of the NUT project), version 3: of one video stream only what is
//! needed to find its pictures.

use std::io::{self, Read};

use crate::planes::Planes;

const ID: &[u8] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4e4d_7a56_1f5f_04ad;
const STREAM: u64 = 0x4e53_1140_5bf2_f9db;
const SYNCPOINT: u64 = 0x4e4b_e4ad_eeca_4569;
/// The first byte of a packet that is not a picture.
const START: u8 = b'N';
/// No header is larger.
const MAX_PACKET: u64 = 1 << 20;

const CODED_PTS: u64 = 1 << 3;
const STREAM_ID: u64 = 1 << 4;
const SIZE_MSB: u64 = 1 << 5;
const CHECKSUM: u64 = 1 << 6;
const RESERVED: u64 = 1 << 7;
const SIDE_DATA: u64 = 1 << 8;
const HEADER_INDEX: u64 = 1 << 10;
const MATCH_TIME: u64 = 1 << 11;
const CODED: u64 = 1 << 12;
const INVALID: u64 = 1 << 13;

/// What the first byte of a picture stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Code {
    flags: u64,
    pts_delta: i64,
    size_mul: u64,
    size_lsb: u64,
    reserved: u64,
    header: u64,
}

/// The pictures of a stream.
#[derive(Debug)]
pub(crate) struct Nut<R> {
    input: R,
    started: bool,
    codes: Vec<Code>,
    /// Numerator and denominator of each time base, seconds.
    time_bases: Vec<(u64, u64)>,
    /// Bytes that all pictures of a kind begin with.
    headers: Vec<Vec<u8>>,
    time_base: (u64, u64),
    size: (u64, u64),
    msb_pts_shift: u32,
    last_pts: i64,
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: Read> Nut<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            started: false,
            codes: Vec::new(),
            time_bases: Vec::new(),
            headers: Vec::new(),
            time_base: (0, 1),
            size: (0, 0),
            msb_pts_shift: 0,
            last_pts: 0,
        }
    }

    /// Reads the next picture and gives its time in microseconds; `None` at the end.
    pub(crate) fn next(&mut self, planes: &mut Planes) -> io::Result<Option<i64>> {
        if !self.started {
            let mut id = [0; ID.len()];
            // A process that found nothing to show ends without a byte.
            if self.input.by_ref().take(1).read(&mut id)? == 0 {
                return Ok(None);
            }
            let (_, rest) = id.split_at_mut(1);
            self.input.read_exact(rest)?;
            if id != ID {
                return Err(broken("not the container that was asked for"));
            }
            self.started = true;
        }
        loop {
            let mut first = [0];
            if self.input.read(&mut first)? == 0 {
                return Ok(None);
            }
            let [first] = first;
            if first == START {
                self.packet()?;
            } else if let Some(pts) = self.picture(first, planes)? {
                return Ok(Some(pts));
            }
        }
    }

    /// A packet of the container itself, after its first byte.
    fn packet(&mut self) -> io::Result<()> {
        let mut code = [START, 0, 0, 0, 0, 0, 0, 0];
        self.input.read_exact(code.get_mut(1..).unwrap_or_default())?;
        let length = number(&mut self.input)?;
        if length > 4096 {
            self.input.read_exact(&mut [0; 4])?;
        }
        if length > MAX_PACKET {
            return Err(broken("a header that is too large"));
        }
        let mut bytes = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = bytes.as_slice();
        match u64::from_be_bytes(code) {
            MAIN => self.main(&mut bytes),
            STREAM => self.stream(&mut bytes),
            SYNCPOINT => {
                let time = number(&mut bytes)?;
                let bases = self.time_bases.len().max(1) as u64;
                let (from, to) =
                    (self.time_bases.get((time % bases) as usize).copied().unwrap_or((0, 1)), self.time_base);
                let scaled = i128::from(time / bases) * i128::from(from.0) * i128::from(to.1)
                    / (i128::from(from.1) * i128::from(to.0)).max(1);
                self.last_pts = i64::try_from(scaled).map_err(|_| broken("a time that is too large"))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn main(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        if number(bytes)? != 3 {
            return Err(broken("another version of the container"));
        }
        let (_streams, _max_distance) = (number(bytes)?, number(bytes)?);
        self.time_bases.clear();
        for _ in 0..number(bytes)?.min(64) {
            self.time_bases.push((number(bytes)?, number(bytes)?));
        }
        self.codes.clear();
        let (mut delta, mut mul, mut header) = (0, 1, 0);
        while self.codes.len() < 256 {
            let (flags, fields) = (number(bytes)?, number(bytes)?);
            let mut rest = fields;
            let mut field = |default, bytes: &mut &[u8]| {
                rest = rest.checked_sub(1)?;
                Some(number(bytes).unwrap_or(default))
            };
            delta = field(0, bytes).map_or(delta, signed);
            mul = field(1, bytes).unwrap_or(mul);
            let _stream = field(0, bytes);
            let size = field(0, bytes).unwrap_or(0);
            let reserved = field(0, bytes).unwrap_or(0);
            let count = field(0, bytes).unwrap_or(mul.saturating_sub(size));
            let _match_time = field(0, bytes);
            header = field(0, bytes).unwrap_or(header);
            for _ in 8..fields.min(64) {
                number(bytes)?;
            }
            for lsb in 0..count {
                if self.codes.len() == usize::from(START) {
                    self.codes.push(Code { flags: INVALID, ..Code::default() });
                }
                if self.codes.len() >= 256 {
                    break;
                }
                self.codes.push(Code {
                    flags,
                    pts_delta: delta,
                    size_mul: mul,
                    size_lsb: size.saturating_add(lsb),
                    reserved,
                    header,
                });
            }
        }
        self.headers = vec![Vec::new()];
        for _ in 0..number(bytes)?.min(127) {
            let length = number(bytes)?;
            let header = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
            let (header, rest) = header.ok_or_else(|| broken("a header that is cut short"))?;
            self.headers.push(header.to_vec());
            *bytes = rest;
        }
        Ok(())
    }

    fn stream(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        let (_id, class) = (number(bytes)?, number(bytes)?);
        if class != 0 {
            return Err(broken("a stream that is no video"));
        }
        skip(bytes)?;
        let time_base = number(bytes)?;
        self.msb_pts_shift = number(bytes)?.min(62) as u32;
        let (_max_pts_distance, _decode_delay, _flags) = (number(bytes)?, number(bytes)?, number(bytes)?);
        skip(bytes)?;
        self.size = (number(bytes)?, number(bytes)?);
        self.time_base = usize::try_from(time_base)
            .ok()
            .and_then(|index| self.time_bases.get(index))
            .copied()
            .filter(|base| base.1 > 0)
            .ok_or_else(|| broken("a stream without a time base"))?;
        Ok(())
    }

    /// A picture, after its first byte.
    fn picture(&mut self, first: u8, planes: &mut Planes) -> io::Result<Option<i64>> {
        let code = self
            .codes
            .get(usize::from(first))
            .copied()
            .ok_or_else(|| broken("a picture before the headers"))?;
        let input = &mut self.input;
        let mut flags = code.flags;
        if flags & INVALID != 0 {
            return Err(broken("a picture of no kind"));
        }
        if flags & CODED != 0 {
            flags ^= number(input)?;
        }
        if flags & STREAM_ID != 0 {
            number(input)?;
        }
        let pts = if flags & CODED_PTS != 0 {
            let coded = number(input)?;
            let full = 1_u64 << self.msb_pts_shift;
            if coded < full {
                // Only the low bits are there: the nearest time that has them.
                let mask = (full - 1) as i64;
                let base = self.last_pts.wrapping_sub(mask / 2);
                ((coded as i64).wrapping_sub(base) & mask).wrapping_add(base)
            } else {
                (coded - full) as i64
            }
        } else {
            self.last_pts.wrapping_add(code.pts_delta)
        };
        let msb = if flags & SIZE_MSB != 0 { number(input)? } else { 0 };
        let size = code.size_mul.saturating_mul(msb).saturating_add(code.size_lsb);
        if flags & MATCH_TIME != 0 {
            number(input)?;
        }
        let header = if flags & HEADER_INDEX != 0 { number(input)? } else { code.header };
        let reserved = if flags & RESERVED != 0 { number(input)? } else { code.reserved };
        for _ in 0..reserved {
            number(input)?;
        }
        if flags & CHECKSUM != 0 {
            input.read_exact(&mut [0; 4])?;
        }
        self.last_pts = pts;
        if size == 0 {
            return Ok(None);
        }
        let header = usize::try_from(header).ok().and_then(|index| self.headers.get(index));
        let header = header.ok_or_else(|| broken("a picture with an unknown header"))?;
        let picture =
            planes.resize(self.size.0, self.size.1).ok_or_else(|| broken("a picture that is too large"))?;
        if flags & SIDE_DATA != 0 || size != picture.len() as u64 || header.len() > picture.len() {
            return Err(broken("a picture of another size"));
        }
        let (start, rest) = picture.split_at_mut(header.len());
        start.copy_from_slice(header);
        self.input.read_exact(rest)?;
        let (numerator, denominator) = (i128::from(self.time_base.0), i128::from(self.time_base.1));
        let us = i128::from(pts) * numerator * 1_000_000;
        Ok(Some(i64::try_from(us.div_euclid(denominator)).unwrap_or(i64::MAX)))
    }
}

/// A number of variable length: seven bits a byte, the highest first.
fn number(input: &mut impl Read) -> io::Result<u64> {
    let mut value = 0_u64;
    loop {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        let [byte] = byte;
        if value >> 57 != 0 {
            return Err(broken("a number that is too large"));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// 0, 1, -1, 2, -2 ... in the order 0, 1, 2, 3, 4.
fn signed(value: u64) -> i64 {
    let half = (value.saturating_add(1) >> 1) as i64;
    if value & 1 == 1 { half } else { -half }
}

/// Skips bytes that have their length before them.
fn skip(bytes: &mut &[u8]) -> io::Result<()> {
    let length = number(bytes)?;
    let rest = usize::try_from(length).ok().and_then(|length| bytes.get(length..));
    *bytes = rest.ok_or_else(|| broken("a header that is cut short"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!(number(&mut [0x81, 0x00].as_slice()).unwrap(), 128);
        assert!(number(&mut [0xff; 20].as_slice()).is_err());
        assert_eq!([0, 1, 2, 3, 4].map(signed), [0, 1, -1, 2, -2]);
    }

    proptest! {
        /// Whatever comes through the pipe, reading it ends.
        #[test]
        fn nothing_panics(tail in proptest::collection::vec(any::<u8>(), 0..400), kind in 0..3_usize) {
            let mut bytes = ID.to_vec();
            bytes.extend_from_slice(&[MAIN, STREAM, SYNCPOINT][kind].to_be_bytes());
            bytes.extend_from_slice(&tail);
            let mut nut = Nut::new(bytes.as_slice());
            let mut planes = Planes::default();
            for _ in 0..500 {
                if !matches!(nut.next(&mut planes), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
