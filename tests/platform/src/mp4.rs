//! What a platform wants to know of a video: enough of MP4 to tell its size and its frames.

/// The first video stream of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Video {
    /// Its place among the streams.
    pub(crate) stream: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frames: u64,
}

/// The boxes within some bytes: their kinds and contents.
fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while let Some((head, after)) = bytes.split_at_checked(8) {
        let (size, kind) = head.split_at(4);
        let (size, header, rest) = match number(size, 0) {
            Some(1) => match (number(after, 4), after.get(8..)) {
                (Some(size), Some(rest)) => (size as usize, 16, rest),
                _ => break,
            },
            Some(0) => (bytes.len(), 8, after),
            Some(size) => (size as usize, 8, after),
            None => break,
        };
        let Some((content, next)) = size.checked_sub(header).and_then(|len| rest.split_at_checked(len))
        else {
            break;
        };
        found.push((kind, content));
        bytes = next;
    }
    found
}

/// The four bytes behind an offset.
fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The box at the end of a path.
fn inner<'a>(bytes: &'a [u8], path: &[&[u8]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| {
        boxes(bytes).into_iter().find(|(own, _)| own == kind).map(|(_, content)| content)
    })
}

/// `None` for what is no video.
pub(crate) fn video(file: &[u8]) -> Option<Video> {
    let movie = inner(file, &[b"moov"])?;
    let tracks = boxes(movie).into_iter().filter(|(kind, _)| *kind == b"trak");
    tracks.zip(0..).find_map(|((_, track), stream)| {
        let handler = inner(track, &[b"mdia", b"hdlr"])?;
        if handler.get(8..12)? != b"vide" {
            return None;
        }
        let header = inner(track, &[b"tkhd"])?;
        // At the end, as numbers of 16.16 bits.
        let size = |from_end: usize| Some(number(header, header.len().checked_sub(from_end)?)? >> 16);
        let sizes = inner(track, &[b"mdia", b"minf", b"stbl", b"stsz"])?;
        Some(Video { stream, width: size(8)?, height: size(4)?, frames: number(sizes, 8)?.into() })
    })
}
