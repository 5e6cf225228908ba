//! The video track of an MP4 file.

use std::io::{self, Read, Seek, SeekFrom};

use super::boxes::{Boxes, Fields, FourCc, child, descend};
use super::fragments::Fragments;
use super::samples::{self, Sample};
use crate::planes::Turn;

/// Why the index of a file can't be read.
#[derive(Debug)]
pub(crate) enum Mp4Error {
    Io(io::Error),
    NoMoov,
    NoVideoTrack,
    Codec(String),
    Broken(&'static str),
}

impl From<io::Error> for Mp4Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Colour as a `colr` box says it: matrix coefficients (ISO/IEC 23091-2) and full range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) matrix: u8,
    pub(crate) full_range: bool,
}

/// A sample and when it is shown, edits applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) sample: u32,
    pub(crate) timestamp_us: u64,
}

/// An H.264 track.
#[derive(Debug)]
pub(crate) struct VideoTrack {
    /// All samples in decoding order, also those whose bytes are missing.
    pub(crate) samples: Vec<Sample>,
    /// Units per second.
    pub(crate) timescale: u32,
    /// Bytes of the length before each NAL unit, 1 to 4.
    pub(crate) length_size: u8,
    /// Sequence and picture parameter sets, without start codes.
    pub(crate) parameter_sets: Vec<Vec<u8>>,
    pub(crate) colour: Option<Colour>,
    pub(crate) turn: Turn,
    edits: Vec<Edit>,
}

/// An entry of the edit list, in the track's units. No media means a pause.
#[derive(Debug, Clone, Copy)]
struct Edit {
    media: Option<i64>,
    /// `None`: to the end of the media.
    duration: Option<i64>,
}

/// The largest index that is read, in bytes: weeks of video. A broken length must not ask for all the memory.
const MAX_INDEX: u64 = 1 << 30;

/// Reads the index of an MP4 file and builds the sample table of its first H.264 track.
pub(crate) fn read(mut file: impl Read + Seek) -> Result<VideoTrack, Mp4Error> {
    let file_len = file.seek(SeekFrom::End(0))?;
    let mut moov = None;
    let mut moofs = Vec::new();
    let mut at = 0;
    while let Some((name, header, size)) = top_level(&mut file, at, file_len)? {
        match &name {
            b"moov" | b"moof" => {
                let len = size - header;
                if at.checked_add(size).is_none_or(|end| end > file_len) || len > MAX_INDEX {
                    // A recording that was cut off in its index: the fragments before it are whole.
                    break;
                }
                file.seek(SeekFrom::Start(at + header))?;
                let mut payload = Vec::new();
                file.by_ref().take(len).read_to_end(&mut payload)?;
                if name == *b"moov" {
                    moov = Some(payload);
                } else {
                    moofs.push((at, payload));
                }
            }
            _ => {}
        }
        let Some(next) = at.checked_add(size) else { break };
        at = next;
    }
    let moov = moov.ok_or(Mp4Error::NoMoov)?;
    let mut track = pick_track(&moov, file_len)?;
    if let Some(mut fragments) = Fragments::new(&moov, track.0) {
        for (start, moof) in &moofs {
            fragments.add(moof, *start, file_len, &mut track.1.samples)?;
        }
    }
    Ok(track.1)
}

/// Name, header size and whole size of the box at `at`; `None` at the end of the file.
fn top_level(
    mut file: impl Read + Seek,
    at: u64,
    file_len: u64,
) -> Result<Option<(FourCc, u64, u64)>, Mp4Error> {
    if file_len.saturating_sub(at) < 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = [0; 16];
    let wanted = (file_len - at).min(16) as usize;
    let header = &mut bytes[..wanted];
    file.read_exact(header)?;
    let mut fields = Fields(header);
    let (Some(size), Some(name)) = (fields.u32(), fields.array()) else { return Ok(None) };
    let (header, size) = match size {
        0 => (8, file_len - at),
        1 => (16, fields.u64().unwrap_or(0)),
        size => (8, u64::from(size)),
    };
    if size < header {
        return if at == 0 { Err(Mp4Error::Broken("no MP4 box at its start")) } else { Ok(None) };
    }
    Ok(Some((name, header, size)))
}

/// Number and content of the first H.264 track; an error that names the codec where there are only others.
fn pick_track(moov: &[u8], file_len: u64) -> Result<(u32, VideoTrack), Mp4Error> {
    let movie_timescale = child(moov, b"mvhd").and_then(timescale).unwrap_or(1000);
    let fragmented = child(moov, b"mvex").is_some();
    let mut other = None;
    for (_, trak) in Boxes(moov).filter(|(name, _)| name == b"trak") {
        let handler = descend(trak, &[b"mdia", b"hdlr"]).and_then(|hdlr| hdlr.get(8..12));
        if handler != Some(b"vide") {
            continue;
        }
        match read_track(trak, movie_timescale, fragmented, file_len) {
            Err(Mp4Error::Codec(codec)) => other = other.or(Some(codec)),
            result => return result,
        }
    }
    Err(other.map_or(Mp4Error::NoVideoTrack, Mp4Error::Codec))
}

/// The timescale of `mvhd` or `mdhd`.
fn timescale(payload: &[u8]) -> Option<u32> {
    let mut fields = Fields(payload);
    let (version, _) = fields.version_flags()?;
    fields.versioned(version)?;
    fields.versioned(version)?;
    fields.u32().filter(|&timescale| timescale > 0)
}

fn read_track(
    trak: &[u8],
    movie_timescale: u32,
    fragmented: bool,
    file_len: u64,
) -> Result<(u32, VideoTrack), Mp4Error> {
    let stbl = descend(trak, &[b"mdia", b"minf", b"stbl"]).ok_or(Mp4Error::Broken("no sample table"))?;
    let entry = child(stbl, b"stsd").and_then(|stsd| Boxes(stsd.get(8..)?).next());
    let (name, entry) = entry.ok_or(Mp4Error::Broken("no sample description"))?;
    // A visual sample entry has 78 bytes of fields before its boxes (ISO/IEC 14496-12, 12.1.3).
    let inside = entry.get(78..).unwrap_or(&[]);
    let config = match &name {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" => child(inside, b"avcC"),
        _ => return Err(Mp4Error::Codec(codec_name(name, inside))),
    };
    let (length_size, parameter_sets) =
        config.and_then(avc_configuration).ok_or(Mp4Error::Broken("H.264 configuration"))?;
    let timescale =
        descend(trak, &[b"mdia", b"mdhd"]).and_then(timescale).ok_or(Mp4Error::Broken("no timescale"))?;
    let (id, turn) =
        child(trak, b"tkhd").and_then(track_header).ok_or(Mp4Error::Broken("no track header"))?;
    let samples = match samples::read(stbl, file_len) {
        Err(_) if fragmented => Vec::new(),
        result => result?,
    };
    let edits = descend(trak, &[b"edts", b"elst"])
        .and_then(|elst| read_edits(elst, movie_timescale, timescale, fragmented))
        .unwrap_or_default();
    let colour = child(inside, b"colr").and_then(colour);
    Ok((id, VideoTrack { samples, timescale, length_size, parameter_sets, colour, turn, edits }))
}

/// A track's number, and how its pictures are turned (ISO/IEC 14496-12, 8.3.2).
fn track_header(tkhd: &[u8]) -> Option<(u32, Turn)> {
    let mut fields = Fields(tkhd);
    let (version, _) = fields.version_flags()?;
    fields.versioned(version)?;
    fields.versioned(version)?;
    let id = fields.u32()?;
    Some((id, turn(fields, version).unwrap_or_default()))
}

/// The turn in the matrix of a track header, behind the track's number. Other matrices than turns are no turn.
fn turn(mut fields: Fields<'_>, version: u8) -> Option<Turn> {
    // A reserved word; the duration; layer, group, volume.
    fields.bytes(4)?;
    fields.versioned(version)?;
    fields.bytes(16)?;
    let mut matrix = [0; 5];
    for value in &mut matrix {
        *value = fields.u32()?.cast_signed();
    }
    const ONE: i32 = 1 << 16;
    const MINUS: i32 = -ONE;
    // Its rows are `a b u` and `c d v`.
    let [a, b, _, c, d] = matrix;
    match [a, b, c, d] {
        [0, ONE, MINUS, 0] => Some(Turn::Right),
        [MINUS, 0, 0, MINUS] => Some(Turn::Half),
        [0, MINUS, ONE, 0] => Some(Turn::Left),
        _ => None,
    }
}

/// Length size and parameter sets of an `avcC` box (ISO/IEC 14496-15, 5.3.3.1).
fn avc_configuration(payload: &[u8]) -> Option<(u8, Vec<Vec<u8>>)> {
    let mut fields = Fields(payload);
    fields.array::<4>()?;
    let length_size = (fields.u8()? & 3) + 1;
    let mut sets = Vec::new();
    for mask in [0x1f, 0xff] {
        for _ in 0..fields.u8()? & mask {
            let len = fields.u16()?;
            sets.push(fields.bytes(usize::from(len))?.to_vec());
        }
    }
    Some((length_size, sets))
}

fn colour(payload: &[u8]) -> Option<Colour> {
    let mut fields = Fields(payload);
    let kind = fields.array::<4>()?;
    fields.u32()?;
    let matrix = u8::try_from(fields.u16()?).ok()?;
    match &kind {
        b"nclx" => Some(Colour { matrix, full_range: fields.u8()? & 0x80 != 0 }),
        b"nclc" => Some(Colour { matrix, full_range: false }),
        _ => None,
    }
}

/// The name people know a codec by.
fn codec_name(name: FourCc, inside: &[u8]) -> String {
    let known = match &name {
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC (H.265)",
        b"vvc1" | b"vvi1" => "VVC (H.266)",
        b"av01" => "AV1",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"mp4v" => match child(inside, b"esds").and_then(object_type) {
            Some(0x60..=0x65) => "MPEG-2 video",
            Some(0x6a) => "MPEG-1 video",
            Some(0x6c) => "Motion JPEG",
            _ => "MPEG-4 Part 2 video",
        },
        b"s263" | b"h263" => "H.263",
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG",
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes",
        b"encv" => "encrypted video",
        _ => return format!("the codec `{}`", name.escape_ascii()),
    };
    known.to_owned()
}

/// The object type of an `esds` box (ISO/IEC 14496-1, 7.2.6): the byte after the tag and length of the decoder
/// configuration, tag 4.
fn object_type(esds: &[u8]) -> Option<u8> {
    let mut fields = Fields(esds.get(4..)?);
    for tag in [3, 4] {
        if fields.u8()? != tag {
            return None;
        }
        while fields.u8()? & 0x80 != 0 {}
        if tag == 3 {
            fields.array::<3>()?;
        }
    }
    fields.u8()
}

fn read_edits(elst: &[u8], movie: u32, media: u32, fragmented: bool) -> Option<Vec<Edit>> {
    let mut fields = Fields(elst);
    let (version, _) = fields.version_flags()?;
    let count = fields.u32()?;
    let mut edits = Vec::new();
    for _ in 0..count {
        let duration = fields.versioned(version)?;
        let start =
            if version == 1 { fields.u64()?.cast_signed() } else { i64::from(fields.u32()?.cast_signed()) };
        fields.u32()?;
        let scaled = u128::from(duration) * u128::from(media) / u128::from(movie);
        let duration = i64::try_from(scaled).ok()?;
        // While fragments are being written the length of the movie is not known yet.
        let open = start >= 0 && duration == 0 && fragmented;
        edits.push(Edit { media: (start >= 0).then_some(start), duration: (!open).then_some(duration) });
    }
    Some(edits)
}

impl VideoTrack {
    /// The samples that are shown, in the order of time, with edits applied.
    pub(crate) fn shown(&self) -> Result<Vec<Shown>, Mp4Error> {
        let numbered = || (0_u32..).zip(&self.samples);
        let mut shown = Vec::with_capacity(self.samples.len());
        // Where the next edit starts on the movie's clock, and where the last one ended in the media.
        let (mut clock, mut media_end) = (0_i64, i64::MIN);
        for edit in &self.edits {
            let length = edit.duration.unwrap_or(i64::MAX);
            if let Some(start) = edit.media {
                if start < media_end {
                    return Err(Mp4Error::Broken("an edit list that repeats or reorders the video"));
                }
                media_end = start.saturating_add(length);
                let inside = || numbered().filter(|(_, sample)| (start..media_end).contains(&sample.cts));
                // A cut may fall into a frame. Players leave that frame out and start with the next one.
                let first = inside().map(|(_, sample)| sample.cts).min().filter(|_| shown.is_empty());
                let zero = first.unwrap_or(start);
                shown.extend(
                    inside().map(|(index, sample)| (index, (sample.cts - zero).saturating_add(clock))),
                );
            }
            clock = clock.saturating_add(length);
        }
        if shown.is_empty() {
            // No edits, or nothing left by them: the samples as they are, none before time 0.
            let first = self.samples.iter().map(|sample| sample.cts).min().unwrap_or(0).min(0);
            shown.extend(numbered().map(|(index, sample)| (index, sample.cts.saturating_sub(first))));
        }
        shown.sort_by_key(|&(_, time)| time);
        let timescale = u128::from(self.timescale);
        let micros = |ticks: i64| {
            let ticks = u128::from(ticks.max(0).cast_unsigned());
            u64::try_from((ticks * 1_000_000 + timescale / 2) / timescale).unwrap_or(u64::MAX)
        };
        Ok(shown.into_iter().map(|(sample, time)| Shown { sample, timestamp_us: micros(time) }).collect())
    }

    /// Frames per second on average; 0 where nothing lasts any time.
    pub(crate) fn fps(&self) -> f64 {
        let ticks: u64 = self.samples.iter().map(|sample| u64::from(sample.duration)).sum();
        if ticks == 0 { 0.0 } else { self.samples.len() as f64 * f64::from(self.timescale) / ticks as f64 }
    }
}
