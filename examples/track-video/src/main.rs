//! Tracks what a video shows, and writes it with boxes, ids and trails.
//!
//! `cargo run -p track-video --features yolox -- street.mp4 out.mp4 yolox/yolox-nano`. Without a model it takes `motion`, for
//! cameras that stand still.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use eyespot::core::Boxed;
use eyespot::media::{Annotator, ColorBy, DrawOptions, VideoSink, VideoWriter};
use eyespot::runtime::{Model, Settings, Tracking};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [video, out, model @ ..] = arguments.as_slice() else {
        return Err("usage: track-video VIDEO OUT [MODEL]".into());
    };
    let tracks = track(video.as_ref(), out.as_ref(), model.first().map_or("motion", String::as_str))?;
    println!("{tracks} tracks");
    Ok(())
}

/// Gives the number of tracks.
fn track(video: &Path, out: &Path, model: &str) -> Result<usize, Box<dyn Error>> {
    let model = Model::load(model)?;
    let settings =
        Settings { tracking: Some(Tracking::parse(&["tracker=bytetrack"])?), ..Settings::default() };
    let mut session = model.predict(video, &settings)?;

    let options = DrawOptions { draw_tags: true, color_by: ColorBy::Track, ..DrawOptions::default() };
    let annotator = Annotator::new(model.labels(), options).with_trails(30);
    let writer = VideoWriter::create(out, Some(video), 25.0)?;
    let mut sink = Boxed(VideoSink::new(writer, annotator));
    let mut tracks = BTreeSet::new();
    while session.step(&mut sink)?.is_some() {
        if let Some(results) = session.results() {
            tracks.extend(results.track_ids().flatten());
        }
    }
    sink.0.finish()?;
    Ok(tracks.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_tests::walkers;

    #[test]
    fn everybody_has_one_track() {
        let folder = tempfile::tempdir().unwrap();
        let (video, out) = (folder.path().join("walkers.mp4"), folder.path().join("out.mp4"));
        walkers::write(&video);
        assert_eq!(track(&video, &out, "motion").unwrap(), (walkers::RIGHT + walkers::LEFT) as usize);
        let back = eyespot::media::open(&out, &eyespot::media::SourceOptions::default()).unwrap();
        assert_eq!(back.frame_count(), Some(walkers::FRAMES.into()));
    }
}
