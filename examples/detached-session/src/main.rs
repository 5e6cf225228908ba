//! A session in the background, with a progress bar, that ends as soon as enough was found.
//!
//! `cargo run -p detached-session --features yolox -- VIDEO yolox/yolox-nano`

use std::error::Error;
use std::time::Duration;

use eyespot::media::Input;
use eyespot::runtime::{Model, Progress, Settings, Status, TimedOut};
use indicatif::ProgressBar;

/// Enough objects for this program.
const ENOUGH: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, model @ ..] = arguments.as_slice() else {
        return Err("usage: detached-session INPUT [MODEL]".into());
    };
    let (found, status, progress) = run(input, model.first().map_or("motion", String::as_str))?;
    println!("{found} objects, {status:?} after {} frames", progress.done);
    Ok(())
}

fn run(input: impl Into<Input>, model: &str) -> Result<(usize, Status, Progress), Box<dyn Error>> {
    // Returns at once: inputs are opened, read and predicted in the background.
    let mut session = Model::load(model)?.predict(input, &Settings::default())?;
    let bar = ProgressBar::new(0);
    let mut found = 0;
    while found < ENOUGH {
        match session.next_timeout(Duration::from_millis(100)) {
            Ok(Some(prediction)) => found += prediction?.boxes().len(),
            Ok(None) => break,
            // Nothing yet: time for something else.
            Err(TimedOut) => {}
        }
        let progress = session.progress();
        bar.set_length(progress.total.unwrap_or(0));
        bar.set_position(progress.done);
    }
    bar.finish_and_clear();
    if !session.is_done() {
        session.stop();
    }
    Ok((found, session.status(), session.progress()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_tests::walkers;

    #[test]
    fn it_ends_early() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("walkers.mp4");
        walkers::write(&video);
        let (found, status, progress) = run(&video, "motion").unwrap();
        assert!(found >= ENOUGH && status == Status::Stopped, "{found} {status:?}");
        assert!(progress.done < walkers::FRAMES.into(), "{progress:?}");
        // With nothing to find it goes to the end.
        let images = folder.path().join("images");
        walkers::write_images(&images, 0..10);
        let (found, status, progress) = run(&images, "motion").unwrap();
        assert_eq!((found, status, progress.done), (0, Status::Done, 10));
    }
}
