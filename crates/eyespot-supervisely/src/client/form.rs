//! Files as the body of a request, which is never in memory as a whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read, Take};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A file of a multipart request.
pub(super) struct Part<'a> {
    pub(super) content_type: &'static str,
    pub(super) content: Content<'a>,
}

/// Where the bytes of a file are.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Memory(&'a [u8]),
    /// On the disk, with the length that it has to have.
    Disk {
        path: &'a Path,
        len: u64,
    },
}

impl Content<'_> {
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk { len, .. } => *len,
        }
    }
}

/// A boundary made of the hashes of all files, so that none of them can hold it.
pub(super) fn boundary<'a>(hashes: impl Iterator<Item = &'a str>) -> String {
    let mut all = Sha256::new();
    hashes.for_each(|hash| all.update(hash));
    all.finalize().iter().take(16).fold("eyespot".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The body, read from its start.
pub(super) struct Form<'a> {
    rest: VecDeque<Piece<'a>>,
    len: u64,
}

enum Piece<'a> {
    Text(Cursor<Vec<u8>>),
    Memory(&'a [u8]),
    Disk(Take<File>),
}

impl<'a> Form<'a> {
    /// # Errors
    /// A file can't be opened.
    pub(super) fn new(parts: &[Part<'a>], boundary: &str) -> io::Result<Self> {
        let mut form = Self { rest: VecDeque::with_capacity(parts.len() * 2 + 1), len: 0 };
        for (index, part) in parts.iter().enumerate() {
            let line = if index == 0 { "" } else { "\r\n" };
            form.text(format!(
                "{line}--{boundary}\r\nContent-Disposition: form-data; name=\"{index}-file\"; filename=\"{index}\"\r\nContent-Type: {}\r\n\r\n",
                part.content_type
            ));
            form.len += part.content.len();
            form.rest.push_back(match part.content {
                Content::Memory(bytes) => Piece::Memory(bytes),
                Content::Disk { path, len } => Piece::Disk(File::open(path)?.take(len)),
            });
        }
        form.text(format!("\r\n--{boundary}--\r\n"));
        Ok(form)
    }

    fn text(&mut self, text: String) {
        self.len += text.len() as u64;
        self.rest.push_back(Piece::Text(Cursor::new(text.into_bytes())));
    }

    /// Bytes of the whole body.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }
}

impl Read for Form<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let (Some(piece), true) = (self.rest.front_mut(), read < buffer.len()) {
            let free = buffer.get_mut(read..).unwrap_or_default();
            let count = match piece {
                Piece::Text(text) => text.read(free)?,
                Piece::Memory(bytes) => bytes.read(free)?,
                Piece::Disk(file) => {
                    let count = file.read(free)?;
                    if count == 0 && file.limit() > 0 {
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "a file has become shorter",
                        ));
                    }
                    count
                }
            };
            if count == 0 {
                self.rest.pop_front();
            }
            read += count;
        }
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_length_that_it_says_and_a_file_that_shrinks_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"on the disk").unwrap();
        let content_type = "image/*";
        let disk = |len| Part { content_type, content: Content::Disk { path: &path, len } };
        let memory = |bytes| Part { content_type, content: Content::Memory(bytes) };
        let parts = [memory(b""), memory(b"in memory"), disk(11), disk(2)];
        let mut form = Form::new(&parts, "x").unwrap();
        let (len, mut body) = (form.len(), String::new());
        form.read_to_string(&mut body).unwrap();
        assert_eq!(body.len() as u64, len);
        let head = |index: u32| {
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"{index}-file\"; filename=\"{index}\"\r\nContent-Type: image/*\r\n\r\n"
            )
        };
        let expected = ["", "in memory", "on the disk", "on"];
        let expected: String =
            (0..).zip(expected).map(|(index, text)| format!("{}{text}\r\n", head(index))).collect();
        assert_eq!(body, format!("{expected}--x--\r\n"));
        let error = Form::new(&[disk(12)], "x").unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
