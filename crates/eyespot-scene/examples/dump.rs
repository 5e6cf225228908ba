//! Writes frames of the scene as raw RGB to standard output, for example into a video encoder:
//! `cargo run --release -p eyespot-scene --example dump -- 640 360 300 | ffmpeg -f rawvideo -pix_fmt rgb24 -s 640x360 -r 30 -i - scene.mp4`

use std::error::Error;
use std::io::Write;

use eyespot_scene::{Scene, SceneConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u16>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (width, height, frames) = (next(640)?, next(360)?, next(300)?);
    let scene = Scene::new(SceneConfig::new(width, height))?;
    let mut pixels = vec![0; scene.config().frame_bytes()];
    let mut out = std::io::stdout().lock();
    for frame in 0..u64::from(frames) {
        scene.render(frame, &mut pixels)?;
        out.write_all(&pixels)?;
    }
    Ok(())
}
