//! Frames from H.264 video in MP4.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Frame, FrameBuf, FrameSource, SourceId, YuvEncoding};

use crate::codec::{Codec, Picture};
use crate::h264::{NAL_SPS, Sps, push_unit, to_byte_stream};
use crate::mp4::{self, Mp4Error, Shown, VideoTrack};
use crate::planes::{Planes, Tag, encoding_of};
use crate::video_options::{VideoOptions, Wanted};
use crate::{MediaError, MediaSource, VideoDecoder, sniff};

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
    codec: Codec,
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
    pending: BTreeSet<(i64, u32)>,
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
            codec: Codec::new(&VideoDecoder::Auto).map_err(|reason| coder_error(path, reason))?,
            planes: Planes::turned(track.turn),
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
            pending: BTreeSet::new(),
            lost: VecDeque::new(),
            sample: Vec::new(),
            stream: Vec::new(),
        };
        source.read_format()?;
        Ok(source)
    }

    /// By another decoder than the built-in one; [`VideoDecoder::Libav`] is the only one that makes a difference here.
    ///
    /// # Errors
    /// [`MediaError::Coder`] where there is no such decoder.
    pub fn decoded_by(mut self, decoder: &VideoDecoder) -> Result<Self, MediaError> {
        self.codec = Codec::new(decoder).map_err(|reason| coder_error(&self.path, reason))?;
        Ok(self)
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

    /// The next wanted picture is in `planes` then.
    fn next_picture(&mut self) -> Result<Option<Tag>, MediaError> {
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
        Ok(Some(Tag { number: u64::from(number), timestamp_us: shown.timestamp_us, encoding: self.encoding }))
    }

    /// Decodes until a wanted frame comes out; `None` at the end or where losses have to be reported first.
    fn advance(&mut self) -> Result<Option<Shown>, MediaError> {
        loop {
            if !self.lost.is_empty() {
                return Ok(None);
            }
            let more_groups = self.next_group < self.track.samples.len();
            let picture = self.codec.take(&mut self.planes);
            if let Some(picture) = picture.map_err(|reason| coder_error(&self.path, reason))? {
                if let Some(number) = self.identify(picture) {
                    return Ok(self.shown.get(number as usize).copied());
                }
            } else if self.draining {
                self.restart()?;
            } else if self.cursor < self.feed_end {
                self.feed();
            } else if more_groups && !self.damaged {
                self.enter_group();
            } else if more_groups || !self.pending.is_empty() {
                self.codec.drain();
                self.draining = true;
            } else {
                return Ok(None);
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

    /// Gives the next sample to the decoder.
    fn feed(&mut self) {
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
            return;
        };
        if !kind.reference && wanted.is_none() {
            return;
        }
        let sample = u32::try_from(index).unwrap_or(u32::MAX);
        if self.codec.push(&self.stream, sample, &mut self.planes).is_ok() {
            self.pending.insert((self.time_of(index), sample));
        } else {
            self.lost.extend(wanted);
            self.damaged = true;
        }
    }

    fn time_of(&self, sample: usize) -> i64 {
        self.track.samples.get(sample).map_or(0, |sample| sample.cts)
    }

    /// The number of a decoded picture, where it is wanted.
    fn identify(&mut self, picture: Picture) -> Option<u32> {
        let sample = match picture {
            Picture::First => self.pending.pop_first()?.1,
            #[cfg(feature = "libav")]
            Picture::Of(sample) => {
                let known = self.pending.remove(&(self.time_of(sample as usize), sample));
                known.then_some(sample)?
            }
        };
        self.wanted_number(sample as usize)
    }

    /// After the last picture of a decoder: what never came out is lost, and a new one goes on.
    fn restart(&mut self) -> Result<(), MediaError> {
        (self.draining, self.damaged) = (false, false);
        let left = std::mem::take(&mut self.pending);
        for (_, sample) in left {
            self.lost.extend(self.wanted_number(sample as usize));
        }
        self.lost.make_contiguous().sort_unstable();
        self.codec.restart().map_err(|reason| coder_error(&self.path, reason))
    }
}

impl ErrorType for VideoSource {
    type Error = MediaError;
}

impl FrameSource for VideoSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(None) };
        self.planes.lend(tag, self.id, &self.name).map(Some)
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
    fn next_frame_into(&mut self, buf: &mut FrameBuf) -> Result<bool, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(false) };
        self.planes.give(tag, self.id, &self.name, buf).map(|()| true)
    }
}

fn coder_error(path: &Path, reason: String) -> MediaError {
    MediaError::Coder { path: path.to_path_buf(), role: "decoder", reason }
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
