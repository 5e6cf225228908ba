//! The sample table of a track without fragments (ISO/IEC 14496-12, 8.6 and 8.7).

use super::boxes::{Fields, child};
use super::demux::Mp4Error;

/// One encoded frame: where its bytes lie and when it is shown, in units of the track's timescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) offset: u64,
    pub(crate) size: u32,
    /// When it is decoded.
    pub(crate) dts: i64,
    /// When it is shown, before edits.
    pub(crate) cts: i64,
    pub(crate) duration: u32,
    /// Can decoding start here, as far as the index says?
    pub(crate) sync: bool,
}

/// A run-length coded table: each entry holds for `count` samples.
struct Runs<'a> {
    rest: Fields<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    /// From the payload of `stts` or `ctts`.
    fn new(payload: &'a [u8]) -> Self {
        Self { rest: Fields(payload.get(8..).unwrap_or(&[])), left: 0, value: 0 }
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.left = self.rest.u32()?;
            self.value = self.rest.u32()?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// The samples of a track, in decoding order. `file_len` bounds how many there can be.
pub(super) fn read(stbl: &[u8], file_len: u64) -> Result<Vec<Sample>, Mp4Error> {
    let sizes = child(stbl, b"stsz").ok_or(Mp4Error::Broken("no sample sizes"))?;
    let mut sizes = Fields(sizes);
    let broken = Mp4Error::Broken("sample sizes");
    let (Some(_), Some(fixed), Some(count)) = (sizes.version_flags(), sizes.u32(), sizes.u32()) else {
        return Err(broken);
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let possible = if fixed == 0 { sizes.0.len() as u64 / 4 } else { file_len / u64::from(fixed) + 1 };
    if u64::from(count) > possible {
        return Err(broken);
    }
    let mut durations = Runs::new(child(stbl, b"stts").ok_or(Mp4Error::Broken("no sample times"))?);
    let mut shifts = child(stbl, b"ctts").map(Runs::new);
    let sync_table = child(stbl, b"stss");
    let mut chunks = Chunks::new(stbl)?;

    let mut samples = Vec::with_capacity(count as usize);
    let mut dts = 0_i64;
    while samples.len() < count as usize {
        let (mut offset, in_chunk) = chunks.next().ok_or(Mp4Error::Broken("chunk table"))?;
        for _ in 0..in_chunk {
            if samples.len() == count as usize {
                break;
            }
            let size = if fixed == 0 { sizes.u32().ok_or(Mp4Error::Broken("sample sizes"))? } else { fixed };
            let duration = durations.next().ok_or(Mp4Error::Broken("sample times"))?;
            // Offsets are signed in version 1; writers put negative ones into version 0 as well.
            let shift = shifts.as_mut().and_then(Runs::next).unwrap_or(0).cast_signed();
            let cts = dts + i64::from(shift);
            samples.push(Sample { offset, size, dts, cts, duration, sync: sync_table.is_none() });
            dts += i64::from(duration);
            offset = offset.checked_add(u64::from(size)).ok_or(Mp4Error::Broken("chunk table"))?;
        }
    }
    let mut numbers = Fields(sync_table.and_then(|table| table.get(8..)).unwrap_or(&[]));
    while let Some(number) = numbers.u32() {
        let index = (number as usize).wrapping_sub(1);
        if let Some(sample) = samples.get_mut(index) {
            sample.sync = true;
        }
    }
    Ok(samples)
}

/// The chunks of a track: offset and number of samples of each.
struct Chunks<'a> {
    offsets: Fields<'a>,
    wide: bool,
    runs: Fields<'a>,
    /// Number of the next chunk, from 1.
    number: u32,
    per_chunk: u32,
    /// First chunk of the next run and its samples per chunk.
    next_run: Option<(u32, u32)>,
}

impl<'a> Chunks<'a> {
    fn new(stbl: &'a [u8]) -> Result<Self, Mp4Error> {
        let (offsets, wide) = match (child(stbl, b"stco"), child(stbl, b"co64")) {
            (Some(offsets), _) => (offsets, false),
            (None, Some(offsets)) => (offsets, true),
            (None, None) => return Err(Mp4Error::Broken("no chunk offsets")),
        };
        let runs = child(stbl, b"stsc").ok_or(Mp4Error::Broken("no chunk table"))?;
        let mut this = Self {
            offsets: Fields(offsets.get(8..).unwrap_or(&[])),
            wide,
            runs: Fields(runs.get(8..).unwrap_or(&[])),
            number: 1,
            per_chunk: 0,
            next_run: None,
        };
        this.next_run = this.read_run();
        Ok(this)
    }

    fn read_run(&mut self) -> Option<(u32, u32)> {
        let run = (self.runs.u32()?, self.runs.u32()?);
        self.runs.u32()?;
        Some(run)
    }

    fn next(&mut self) -> Option<(u64, u32)> {
        let offset = if self.wide { self.offsets.u64()? } else { u64::from(self.offsets.u32()?) };
        while let Some((first, per_chunk)) = self.next_run.filter(|&(first, _)| first <= self.number) {
            let _ = first;
            self.per_chunk = per_chunk;
            self.next_run = self.read_run();
        }
        self.number += 1;
        Some((offset, self.per_chunk))
    }
}
