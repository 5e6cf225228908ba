//! Planar 4:2:0 pictures.

use eyespot_core::{Frame, FrameBuf, FrameInfo, ImageView, SourceId, YuvEncoding};

use crate::MediaError;

/// The planes of a picture.
#[derive(Debug, Default)]
pub(crate) struct Planes {
    pub(crate) bytes: Vec<u8>,
    width: u16,
    height: u16,
    turn: Turn,
}

/// How pictures are turned before they are shown: cameras that are held upright say so instead of turning them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Turn {
    #[default]
    None,
    /// A quarter to the right.
    Right,
    Half,
    /// A quarter to the left.
    Left,
}

impl Turn {
    /// The size of a turned picture.
    pub(crate) const fn size<T: Copy>(self, (width, height): (T, T)) -> (T, T) {
        match self {
            Self::None | Self::Half => (width, height),
            Self::Right | Self::Left => (height, width),
        }
    }
}

impl Planes {
    /// Pictures are turned as they are copied.
    pub(crate) fn turned(turn: Turn) -> Self {
        Self { turn, ..Self::default() }
    }

    /// Copies a picture of `size`: luma and the two planes of colour, each with its stride.
    pub(crate) fn copy(&mut self, size: (usize, usize), planes: [(&[u8], usize); 3]) {
        let turn = self.turn;
        self.bytes.clear();
        for (number, (plane, stride)) in planes.into_iter().enumerate() {
            let half = |side: usize| if number == 0 { side } else { side.div_ceil(2) };
            let (row, rows) = (half(size.0), half(size.1));
            let lines = plane.chunks(stride.max(1)).take(rows).map(|line| line.get(..row).unwrap_or(line));
            match turn {
                Turn::None => lines.for_each(|line| self.bytes.extend_from_slice(line)),
                Turn::Half => {
                    let start = self.bytes.len();
                    lines.for_each(|line| self.bytes.extend_from_slice(line));
                    self.bytes[start..].reverse();
                }
                Turn::Right | Turn::Left => quarter(lines, [row, rows], turn == Turn::Right, &mut self.bytes),
            }
        }
        let (width, height) = turn.size(size);
        self.width = u16::try_from(width).unwrap_or(u16::MAX);
        self.height = u16::try_from(height).unwrap_or(u16::MAX);
    }

    /// Memory for a whole picture; `None` for one that is too large for a frame.
    pub(crate) fn resize(&mut self, width: u64, height: u64) -> Option<&mut [u8]> {
        (self.width, self.height) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        self.bytes.resize(width * height + 2 * width.div_ceil(2) * height.div_ceil(2), 0);
        Some(&mut self.bytes)
    }

    /// Of the picture that was copied or filled in last, in pixels.
    pub(crate) const fn height(&self) -> u16 {
        self.height
    }

    /// Lends the picture out; [`MediaError::CorruptFrame`] where there is none.
    pub(crate) fn lend<'a>(
        &'a self,
        tag: Tag,
        source: SourceId,
        name: &'a str,
    ) -> Result<Frame<'a>, MediaError> {
        let image = ImageView::yuv420_packed(&self.bytes, self.width, self.height);
        let image = image.map_err(|_| tag.corrupt(name))?;
        let mut frame =
            Frame::new(image.with_encoding(tag.encoding), tag.number, tag.timestamp_us).named(name);
        frame.info.source = source;
        Ok(frame)
    }

    /// Gives the picture away, for the memory of an older one; [`MediaError::CorruptFrame`] where there is none.
    pub(crate) fn give(
        &mut self,
        tag: Tag,
        source: SourceId,
        name: &str,
        to: &mut FrameBuf,
    ) -> Result<(), MediaError> {
        let Tag { number: index, timestamp_us, encoding } = tag;
        let info = FrameInfo { index, timestamp_us, source, width: self.width, height: self.height };
        to.exchange_yuv420(&mut self.bytes, encoding, info, name).map_err(|_| tag.corrupt(name))
    }
}

/// What is to be said of a picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag {
    pub(crate) number: u64,
    pub(crate) timestamp_us: u64,
    pub(crate) encoding: YuvEncoding,
}

impl Tag {
    fn corrupt(self, name: &str) -> MediaError {
        MediaError::CorruptFrame { path: name.into(), frame: self.number }
    }
}

/// Adds the lines of a plane of `[width, height]`, turned by a quarter.
fn quarter<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    [width, height]: [usize; 2],
    right: bool,
    bytes: &mut Vec<u8>,
) {
    /// A line goes to one column: so many at a time, and whole cache lines are written.
    const LINES: usize = 64;
    let start = bytes.len();
    bytes.resize(start + width * height, 0);
    let turned = &mut bytes[start..];
    let lines: Vec<&[u8]> = lines.collect();
    for (number, lines) in lines.chunks(LINES).enumerate() {
        for (x, row) in turned.chunks_exact_mut(height.max(1)).enumerate() {
            let from = if right { x } else { width - 1 - x };
            let value = |line: &&[u8]| line.get(from).copied().unwrap_or(0);
            let first = number * LINES;
            if right {
                let row = &mut row[height - first - lines.len()..height - first];
                row.iter_mut().rev().zip(lines).for_each(|(to, line)| *to = value(line));
            } else {
                row[first..].iter_mut().zip(lines).for_each(|(to, line)| *to = value(line));
            }
        }
    }
}

/// What the numbers of a picture mean. `matrix` is a number of ISO/IEC 23091-2; where there is none, a picture counts as
/// BT.709 from 720 lines up and as BT.601 below.
pub(crate) fn encoding_of(matrix: Option<u8>, full_range: bool, height: u16) -> YuvEncoding {
    // 5 and 6 are BT.601, 4 (FCC) is close to it; 1 is BT.709, the wider ones are close to that.
    let hd = matrix.map_or(height >= 720, |matrix| !matches!(matrix, 4..=6));
    match (hd, full_range) {
        (false, false) => YuvEncoding::Bt601,
        (false, true) => YuvEncoding::Bt601Full,
        (true, false) => YuvEncoding::Bt709,
        (true, true) => YuvEncoding::Bt709Full,
    }
}
