//! Frames from H.264 video in MP4.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId, YuvEncoding};
use openh264::decoder::{DecodeOptions, Decoder, Flush};

use crate::h264::{NAL_SPS, Sps, push_unit, to_byte_stream};
use crate::mp4::{self, Mp4Error, Shown, VideoTrack};
use crate::planes::{Planes, encoding_of};
use crate::video_options::{VideoOptions, Wanted};
use crate::{MediaError, MediaSource, sniff};

/// Frames from a video file: MP4 with H.264 of 8 bits, 4:2:0, progressive.
///
/// Frames come in display order with the times of the file (edit lists applied), as planar YUV with the encoding
/// that the file states; a file that states none counts as BT.709 from 720 lines up and as BT.601 below. A video that
/// says that it was taken with the camera on its side is turned upright.
///
/// Frames that the options leave out are decoded only where others depend on them. A frame that can't be decoded
/// gives [`MediaError::CorruptFrame`] and the next call goes on. Of a file that is cut short, the frames that are
/// there come first, then [`MediaError::TruncatedVideo`].
pub struct VideoSource {
    path: PathBuf,
    name: String,
    file: BufReader<File>,
    decoder: Decoder,
    track: VideoTrack,
    /// All frames in the order of time.
    shown: Vec<Shown>,
    /// For each sample its position in `shown`, or `HIDDEN`.
    numbers: Vec<u32>,
    wanted: Wanted,
    fps: f64,
    encoding: YuvEncoding,
    size: (u16, u16),
    missing: u64,
    corrupt: u64,
    id: SourceId,

    /// The next sample to decode, and where the decoding of its group of pictures ends.
    cursor: usize,
    feed_end: usize,
    /// Where the next group of pictures starts.
    next_group: usize,
    draining: bool,
    /// Something went wrong since the last start of a group, so that frames may be missing among the pending ones.
    damaged: bool,
    /// Decoded but not shown yet, by time: the decoder holds frames back until their turn.
    pending: BinaryHeap<Reverse<(i64, u32)>>,
    /// Wanted frames that were lost and have to be reported.
    lost: VecDeque<u32>,
    sample: Vec<u8>,
    stream: Vec<u8>,
    pub(crate) planes: Planes,
}

const HIDDEN: u32 = u32::MAX;

impl core::fmt::Debug for VideoSource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VideoSource")
            .field("path", &self.path)
            .field("size", &self.size)
            .field("fps", &self.fps)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl VideoSource {
    /// Opens a video.
    ///
    /// # Errors
    /// A [`MediaError`] that says what is wrong with the file or the options: not there, no MP4, no index, no video,
    /// another codec, nothing of it whole, options that contradict each other.
    pub fn open(path: impl AsRef<Path>, options: VideoOptions) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| MediaError::read(path, error))?;
        Self::from_file(file, path, options)
    }

    /// Like [`open`](Self::open), of an open file. `path` is the path or address that names it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: File, path: &Path, options: VideoOptions) -> Result<Self, MediaError> {
        let read = |error| MediaError::read(path, error);
        let length = file.metadata().map_err(read)?.len();
        let mut file = BufReader::new(file);
        sniff::expect_mp4(path, &mut file)?;
        let track = mp4::read(&mut file).map_err(|error| mp4_error(path, error))?;
        let mut shown = track.shown().map_err(|error| mp4_error(path, error))?;

        let indexed = shown.len() as u64;
        shown.retain(|frame| {
            track
                .samples
                .get(frame.sample as usize)
                .is_some_and(|sample| sample.offset.saturating_add(u64::from(sample.size)) <= length)
        });
        let frames = shown.len() as u64;
        if frames == 0 {
            return Err(if indexed == 0 {
                MediaError::BrokenMp4 { path: path.to_path_buf(), what: "it has no frames" }
            } else {
                MediaError::TruncatedVideo { path: path.to_path_buf(), frames: indexed, missing: indexed }
            });
        }
        let mut numbers = vec![HIDDEN; track.samples.len()];
        for (number, frame) in (0..).zip(&shown) {
            if let Some(slot) = numbers.get_mut(frame.sample as usize) {
                *slot = number;
            }
        }

        let fps = track.fps();
        let wanted = options
            .resolve(frames, fps)
            .map_err(|source| MediaError::Options { path: path.to_path_buf(), source })?;
        // Of the missing frames, those count that would have been given.
        let asked = options.resolve(indexed, fps).map_or(0, |all| all.count());
        let mut source = Self {
            path: path.to_path_buf(),
            name: path.to_string_lossy().into_owned(),
            file,
            decoder: Decoder::new().map_err(|error| coder_error(path, &error))?,
            track,
            shown,
            numbers,
            wanted,
            fps,
            encoding: YuvEncoding::default(),
            size: (0, 0),
            missing: asked.saturating_sub(wanted.count()),
            corrupt: 0,
            id: SourceId::default(),
            cursor: 0,
            feed_end: 0,
            next_group: 0,
            draining: false,
            damaged: false,
            pending: BinaryHeap::new(),
            lost: VecDeque::new(),
            sample: Vec::new(),
            stream: Vec::new(),
            planes: Planes::default(),
        };
        source.read_format()?;
        Ok(source)
    }

    /// Size and colour from the sequence parameter set, which lies in the index or, for `avc3`, in the first sample.
    fn read_format(&mut self) -> Result<(), MediaError> {
        let is_sps = |unit: &&[u8]| unit.first().is_some_and(|header| header & 0x1f == NAL_SPS);
        let mut sps = self.track.parameter_sets.iter().map(Vec::as_slice).find(is_sps).and_then(Sps::parse);
        if sps.is_none() && self.read_sample(0) {
            sps = crate::h264::nal_units(&self.sample, self.track.length_size)
                .flatten()
                .find(is_sps)
                .and_then(Sps::parse);
        }
        let broken = |what| MediaError::BrokenMp4 { path: self.path.clone(), what };
        let sps = sps.ok_or_else(|| broken("no H.264 parameter set"))?;
        if let Some(codec) = sps.unsupported() {
            return Err(MediaError::Codec { path: self.path.clone(), codec });
        }
        let (Ok(width), Ok(height)) = (u16::try_from(sps.width), u16::try_from(sps.height)) else {
            return Err(broken("its frames are too large"));
        };
        self.size = self.track.turn.size((width, height));
        let colour = self.track.colour;
        let matrix = sps.matrix.or(colour.map(|colour| colour.matrix)).filter(|&matrix| matrix != 2);
        let full = sps.full_range.or(colour.map(|colour| colour.full_range)).unwrap_or(false);
        self.encoding = encoding_of(matrix, full, height);
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many frames the video has, options aside.
    #[must_use]
    pub const fn total_frames(&self) -> u64 {
        self.shown.len() as u64
    }

    /// Width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// How many frames so far could not be decoded.
    #[must_use]
    pub const fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// Decodes until a wanted frame comes out; `None` at the end or where losses have to be reported first.
    fn advance(&mut self) -> Result<Option<Shown>, MediaError> {
        loop {
            if !self.lost.is_empty() {
                return Ok(None);
            }
            let more_groups = self.next_group < self.track.samples.len();
            let sample = if self.draining {
                self.drain()?
            } else if self.cursor < self.feed_end {
                self.feed()
            } else if more_groups && !self.damaged {
                self.enter_group();
                None
            } else if more_groups || !self.pending.is_empty() {
                self.draining = true;
                None
            } else {
                return Ok(None);
            };
            if let Some(number) = sample {
                return Ok(self.shown.get(number as usize).copied());
            }
        }
    }

    /// Starts on the next group of pictures. Groups, and ends of groups, without a wanted frame are skipped.
    fn enter_group(&mut self) {
        let start = self.next_group;
        let mut end = start + 1;
        while end < self.track.samples.len() && !self.starts_group(end) {
            end += 1;
        }
        self.next_group = end;
        self.cursor = start;
        self.feed_end =
            (start..end).rev().find(|&index| self.is_wanted(index)).map_or(start, |last| last + 1);
        if self.feed_end == start {
            self.cursor = end;
            self.feed_end = end;
        }
    }

    fn is_wanted(&self, sample: usize) -> bool {
        self.wanted_number(sample).is_some()
    }

    fn wanted_number(&self, sample: usize) -> Option<u32> {
        let number = *self.numbers.get(sample)?;
        (number != HIDDEN && self.wanted.contains(u64::from(number))).then_some(number)
    }

    /// Is the sample an IDR picture? The index says "sync" of other pictures too, from which a decoder can't start.
    fn starts_group(&mut self, index: usize) -> bool {
        let Some(sample) = self.track.samples.get(index).copied().filter(|sample| sample.sync) else {
            return false;
        };
        let mut at = sample.offset;
        let end = sample.offset.saturating_add(u64::from(sample.size));
        let length_size = usize::from(self.track.length_size);
        // The parameter sets and messages before the picture are few; the picture itself is not read.
        while at < end {
            let mut head = [0; 5];
            let head = &mut head[..=length_size];
            if self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(head)).is_err() {
                return false;
            }
            let len = head[..length_size].iter().fold(0_u64, |len, &byte| len << 8 | u64::from(byte));
            match head[length_size] & 0x1f {
                crate::h264::NAL_IDR => return true,
                1..=4 => return false,
                _ => at = at.saturating_add(length_size as u64).saturating_add(len),
            }
        }
        false
    }

    /// Reads the bytes of a sample; `false` where they are not there.
    fn read_sample(&mut self, index: usize) -> bool {
        self.sample.clear();
        let Some(sample) = self.track.samples.get(index) else { return false };
        let size = u64::from(sample.size);
        self.file.seek(SeekFrom::Start(sample.offset)).is_ok()
            && self.file.by_ref().take(size).read_to_end(&mut self.sample).is_ok()
            && self.sample.len() as u64 == size
    }

    /// Gives the next sample to the decoder; returns the number of a wanted frame that came out.
    fn feed(&mut self) -> Option<u32> {
        let index = self.cursor;
        self.cursor += 1;
        let wanted = self.wanted_number(index);
        self.stream.clear();
        if index == 0 || self.track.samples.get(index).is_some_and(|sample| sample.sync) {
            for set in &self.track.parameter_sets {
                push_unit(set, &mut self.stream);
            }
        }
        let kind = if self.read_sample(index) {
            to_byte_stream(&self.sample, self.track.length_size, &mut self.stream)
        } else {
            None
        };
        let Some(kind) = kind else {
            self.lost.extend(wanted);
            return None;
        };
        if !kind.reference && wanted.is_none() {
            return None;
        }
        let keep = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        let Ok(output) = self.decoder.decode_with_options(&self.stream, keep) else {
            self.lost.extend(wanted);
            self.damaged = true;
            return None;
        };
        let cts = self.track.samples.get(index).map_or(0, |sample| sample.cts);
        self.pending.push(Reverse((cts, u32::try_from(index).unwrap_or(u32::MAX))));
        let yuv = output?;
        let Reverse((_, shown)) = self.pending.pop()?;
        let number = wanted_of(&self.numbers, self.wanted, shown)?;
        self.planes.copy(&yuv, self.track.turn);
        Some(number)
    }

    /// Takes one of the frames that the decoder still holds. After the last one, what never came out is lost, and a
    /// new decoder goes on: the old one does not give its flushed pictures free.
    fn drain(&mut self) -> Result<Option<u32>, MediaError> {
        let flush = DecodeOptions::new().flush_after_decode(Flush::Flush);
        if let Ok(Some(yuv)) = self.decoder.decode_with_options(&[], flush)
            && let Some(Reverse((_, shown))) = self.pending.pop()
        {
            let number = wanted_of(&self.numbers, self.wanted, shown);
            if number.is_some() {
                self.planes.copy(&yuv, self.track.turn);
            }
            return Ok(number);
        }
        (self.draining, self.damaged) = (false, false);
        let left = self
            .pending
            .drain()
            .filter_map(|Reverse((_, shown))| wanted_of(&self.numbers, self.wanted, shown));
        self.lost.extend(left);
        self.lost.make_contiguous().sort_unstable();
        self.decoder = Decoder::new().map_err(|error| coder_error(&self.path, &error))?;
        Ok(None)
    }
}

fn wanted_of(numbers: &[u32], wanted: Wanted, sample: u32) -> Option<u32> {
    let number = *numbers.get(sample as usize)?;
    (number != HIDDEN && wanted.contains(u64::from(number))).then_some(number)
}

impl ErrorType for VideoSource {
    type Error = MediaError;
}

impl FrameSource for VideoSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let shown = self.advance()?;
        if let Some(frame) = self.lost.pop_front() {
            self.corrupt += 1;
            return Err(MediaError::CorruptFrame { path: self.path.clone(), frame: u64::from(frame) });
        }
        let Some(shown) = shown else {
            let missing = std::mem::take(&mut self.missing);
            if missing == 0 {
                return Ok(None);
            }
            let frames = self.wanted.count() + missing;
            return Err(MediaError::TruncatedVideo { path: self.path.clone(), frames, missing });
        };
        let number = self.numbers.get(shown.sample as usize).copied().unwrap_or(0);
        let Some(view) = self.planes.view(self.encoding) else {
            self.corrupt += 1;
            return Err(MediaError::CorruptFrame { path: self.path.clone(), frame: u64::from(number) });
        };
        let mut frame = Frame::new(view, u64::from(number), shown.timestamp_us).named(&self.name);
        frame.info.source = self.id;
        Ok(Some(frame))
    }
}

impl MediaSource for VideoSource {
    fn name(&self) -> &str {
        &self.name
    }
    /// How many the options ask for.
    fn frame_count(&self) -> Option<u64> {
        Some(self.wanted.count())
    }
    /// Of the video on average, stride aside.
    fn fps(&self) -> Option<f64> {
        Some(self.fps)
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}

fn coder_error(path: &Path, error: &openh264::Error) -> MediaError {
    MediaError::Coder { path: path.to_path_buf(), role: "decoder", reason: error.to_string() }
}

fn mp4_error(path: &Path, error: Mp4Error) -> MediaError {
    let path = path.to_path_buf();
    match error {
        Mp4Error::Io(source) => MediaError::read(&path, source),
        Mp4Error::NoMoov => MediaError::NoMoov { path },
        Mp4Error::NoVideoTrack => MediaError::NoVideoTrack { path },
        Mp4Error::Codec(codec) => MediaError::Codec { path, codec },
        Mp4Error::Broken(what) => MediaError::BrokenMp4 { path, what },
    }
}
