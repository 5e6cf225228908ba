//! Frames in a window.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::sinks::{results, write};
use crate::ffmpeg::player;
use crate::{Annotator, DrawOptions, MediaError, WindowView};

fn annotator() -> Annotator {
    Annotator::new(&["person"], DrawOptions::default())
}

fn within(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A player that keeps what it is shown, and closes after some bytes.
#[test]
fn a_player_gets_whole_frames_and_may_close() {
    let folder = tempfile::tempdir().unwrap();
    let (script, seen) = (folder.path().join("ffplay"), folder.path().join("seen"));
    // 8 by 10 pixels and their head: 252 bytes.
    let text = format!("#!/bin/sh\nhead -c {} > {}\n", 3 * 252, seen.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut view = WindowView::with_player(Command::new(&script), "test", annotator()).unwrap();
    assert!(view.is_open());
    // Some are left out where the player is slower.
    within("closed", || {
        write(&mut view, "a.mp4", 0, 0, &results());
        !view.is_open()
    });
    let bytes = std::fs::read(&seen).unwrap();
    assert_eq!(bytes.len(), 3 * 252);
    assert!(bytes.chunks(252).all(|frame| frame.starts_with(b"P6\n8 10\n255\n")));
    // The run goes on without it.
    write(&mut view, "a.mp4", 1, 0, &results());
}

/// One that reads nothing holds nothing up, and goes away with its view.
#[test]
fn a_player_that_hangs_holds_nothing_up() {
    let mut sleeper = Command::new("sh");
    sleeper.args(["-c", "exec sleep 600", "ffplay"]);
    let mut view = WindowView::with_player(sleeper, "test", annotator()).unwrap();
    let start = Instant::now();
    for index in 0..2000 {
        write(&mut view, "a.mp4", index, 0, &results());
    }
    drop(view);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let none = WindowView::with_player(Command::new("/no/ffplay"), "test", annotator());
    assert!(matches!(none, Err(MediaError::NoWindow { .. })));
}

/// The real one, on a screen that nobody sees.
#[test]
fn ffplay_shows_frames() {
    let mut player = player();
    player.env("SDL_VIDEODRIVER", "dummy");
    let Ok(mut view) = WindowView::with_player(player, "test", annotator()) else {
        eprintln!("IGNORED: no ffplay (`apt install ffmpeg`)");
        return;
    };
    for index in 0..40 {
        write(&mut view, "a.mp4", index, 0, &results());
        thread::sleep(Duration::from_millis(20));
    }
    // It understands what it gets: otherwise it would have ended.
    assert!(view.is_open());
}
