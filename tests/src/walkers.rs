//! A rendered video whose truth is known: people walk past a door.

use std::ops::Range;
use std::path::Path;

use eyespot_core::{ImageView, PixelFormat};
use eyespot_media::{Canvas, VideoWriter, save_image};

/// Width and height of the video.
pub const SIZE: (u16, u16) = (640, 360);
/// Frames per second.
pub const FPS: u16 = 25;
/// Walkers that go to the right, and to the left. Each crosses the whole picture, 5 pixels per frame, 40 pixels wide.
pub const RIGHT: u32 = 3;
/// See [`RIGHT`].
pub const LEFT: u32 = 2;

/// Frame of the first step, the upper edge, and the direction of each walker. No two meet.
const WALKS: [(i32, usize, i32); 5] =
    [(20, 20, 5), (60, 130, 5), (90, 240, -5), (200, 30, -5), (230, 150, 5)];
/// Frames of the video.
pub const FRAMES: u32 = 400;

/// Frame `number` of the video.
fn frame(number: u32) -> Canvas {
    let (width, height) = (usize::from(SIZE.0), usize::from(SIZE.1));
    // A floor of tiles.
    let floor = |x: usize, y: usize| if (x / 32 + y / 32).is_multiple_of(2) { 90 } else { 110 };
    let mut pixels: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| floor(x, y))).collect();
    for (start, top, step) in WALKS {
        let way = (number as i32 - start).max(0) * step;
        // From outside on one side to outside on the other.
        let left = if step > 0 { way - 40 } else { i32::from(SIZE.0) + way };
        let column = |x: i32| x.clamp(0, i32::from(SIZE.0)) as usize;
        for row in pixels.chunks_exact_mut(width).skip(top).take(80) {
            row[column(left)..column(left + 40)].fill(if step > 0 { 220 } else { 20 });
        }
    }
    Canvas::from_view(&ImageView::packed(&pixels, SIZE.0, SIZE.1, PixelFormat::Gray8).unwrap())
}

/// Writes the video as MP4.
pub fn write(path: &Path) {
    let mut writer = VideoWriter::create(path, None, f32::from(FPS)).unwrap();
    for number in 0..FRAMES {
        writer.write(&frame(number), u64::from(number) * 1_000_000 / u64::from(FPS)).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes some of its frames as images, `frame_000.png` and so on.
pub fn write_images(folder: &Path, frames: Range<u32>) {
    std::fs::create_dir_all(folder).unwrap();
    for number in frames {
        save_image(&frame(number), folder.join(format!("frame_{number:03}.png")), None).unwrap();
    }
}
