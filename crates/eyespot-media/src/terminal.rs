//! Frames in a terminal.

use std::fmt::Write as _;
use std::io::{self, Stdout, Write};
use std::path::Path;

use eyespot_core::{ErrorType, Record, Sink};

use crate::{Annotator, Canvas, MediaError};

/// Shows annotated frames in a terminal: each character is two pixels, one above the other, in true colour.
///
/// Lines should be thick, for they are scaled down with the image; tags are too small to be read.
#[derive(Debug)]
pub struct TerminalView<W: Write = Stdout> {
    writer: W,
    annotator: Annotator,
    /// Columns and rows; `None` asks the terminal for each frame.
    size: Option<(u16, u16)>,
    started: bool,
    text: String,
}

impl TerminalView {
    /// Shows frames on standard output, as large as the terminal is.
    #[must_use]
    pub fn new(annotator: Annotator) -> Self {
        Self { writer: io::stdout(), annotator, size: None, started: false, text: String::new() }
    }
}

impl<W: Write> TerminalView<W> {
    /// Writes to anything, for a terminal of so many columns and rows.
    pub const fn with_writer(writer: W, size: (u16, u16), annotator: Annotator) -> Self {
        Self { writer, annotator, size: Some(size), started: false, text: String::new() }
    }
}

impl<W: Write> ErrorType for TerminalView<W> {
    type Error = MediaError;
}

impl<W: Write> Sink for TerminalView<W> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let size = self.size.unwrap_or_else(terminal_size);
        self.text.clear();
        // All of a frame at once (synchronized output), over the one before.
        self.text.push_str("\x1b[?2026h");
        self.text.push_str(if self.started { "\x1b[H" } else { "\x1b[2J\x1b[H" });
        self.started = true;
        render(self.annotator.annotate(record), size, &mut self.text);
        let objects = record.predictions.len();
        // Writing into a string does not fail.
        let _ = write!(self.text, "frame {}, {objects} objects\x1b[K\x1b[?2026l", record.info.index);
        let written = self.writer.write_all(self.text.as_bytes()).and_then(|()| self.writer.flush());
        written.map_err(|error| MediaError::write(Path::new("terminal"), error))
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        let written = self.writer.write_all(b"\n").and_then(|()| self.writer.flush());
        written.map_err(|error| MediaError::write(Path::new("terminal"), error))
    }
}

/// Columns and rows of the terminal; 80 by 24 where there is none.
fn terminal_size() -> (u16, u16) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
        && size.ws_col > 0
        && size.ws_row > 0
    {
        return (size.ws_col, size.ws_row);
    }
    (80, 24)
}

/// Draws a picture as large as fits, with a row below it left free.
fn render(canvas: &Canvas, (columns, rows): (u16, u16), text: &mut String) {
    let (room_x, room_y) = (u32::from(columns.max(1)), 2 * u32::from(rows.max(2) - 1));
    let (width, height) = (u32::from(canvas.width()), u32::from(canvas.height()));
    if width == 0 || height == 0 {
        return;
    }
    let (w, h) = if width * room_y > height * room_x {
        (room_x, (height * room_x / width).max(1))
    } else {
        ((width * room_y / height).max(1), room_y)
    };
    let mean = |x: u32, y: u32| {
        let span =
            |at: u32, of: u32, full: u32| (at * full / of, ((at + 1) * full / of).max(at * full / of + 1));
        let ((x0, x1), (y0, y1)) = (span(x, w, width), span(y, h, height));
        let mut sum = [0_u32; 3];
        for y in y0..y1 {
            let row = canvas.pixels().get((y * width + x0) as usize..(y * width + x1) as usize);
            for pixel in row.unwrap_or_default() {
                sum.iter_mut().zip(pixel).for_each(|(sum, &channel)| *sum += u32::from(channel));
            }
        }
        sum.map(|sum| sum / ((x1 - x0) * (y1 - y0)).max(1))
    };
    for y in (0..h).step_by(2) {
        let mut last = None;
        for x in 0..w {
            let pair = (mean(x, y), (y + 1 < h).then(|| mean(x, y + 1)));
            if last != Some(pair) {
                let ([r, g, b], below) = pair;
                let _ = write!(text, "\x1b[38;2;{r};{g};{b}m");
                let _ = match below {
                    Some([r, g, b]) => write!(text, "\x1b[48;2;{r};{g};{b}m"),
                    None => write!(text, "\x1b[49m"),
                };
                last = Some(pair);
            }
            text.push('\u{2580}');
        }
        text.push_str("\x1b[0m\x1b[K\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pixels_are_one_character() {
        let mut canvas = Canvas::new(8, 8);
        canvas.fill_rect([0, 0, 8, 4], [200, 100, 0], 256);
        let mut text = String::new();
        render(&canvas, (4, 3), &mut text);
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.matches('\u{2580}').count() == 4));
        assert!(rows[0].starts_with("\x1b[38;2;200;100;0m\x1b[48;2;200;100;0m"));
        assert!(rows[1].starts_with("\x1b[38;2;0;0;0m"));
        for (width, height) in [(1, 1), (3, 600), (600, 3), (0, 0)] {
            for size in [(0, 0), (1, 1), (200, 50)] {
                render(&Canvas::new(width, height), size, &mut text);
            }
        }
    }
}
