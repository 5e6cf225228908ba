//! Tracking with re-identification: from files of weights to the ids of people in real videos.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::Range;

use eyespot_core::TrackId;
use eyespot_media::VideoOptions;
use eyespot_models::NoProgress;
use eyespot_runtime::{LoadOptions, Loader, Settings, Tracking};
use eyespot_tests::data;

/// In how many frames each track was.
type Tracks = BTreeMap<TrackId, usize>;

/// The tracks of the people in a part of a video, with the published weights of OSNet `x0_25` where the settings ask for
/// them.
fn people(video: &str, frames: Range<u64>, with_reid: bool) -> Option<Tracks> {
    let (detector, embedder) = (data("models/yolox_nano.onnx")?, data("models/osnet_x0_25_market1501.onnx")?);
    let options = LoadOptions::on("cpu");
    let loader = Loader::from_env().unwrap();
    let model = loader.load(detector.to_str().unwrap(), &options, &mut NoProgress).unwrap();
    let wanted = [format!("with_reid={with_reid}"), format!("reid_model={}", embedder.display())];
    let settings = Settings {
        classes: Some(vec!["person".into()]),
        conf: Some(0.1),
        video: VideoOptions {
            start_frame: frames.start,
            end_frame: Some(frames.end),
            ..VideoOptions::default()
        },
        tracking: Some(Tracking::parse(&wanted).unwrap()),
        ..Settings::default()
    };
    let mut tracks = Tracks::new();
    for prediction in model.predict(data(video)?, &settings).unwrap() {
        for id in prediction.unwrap().track_ids().flatten() {
            *tracks.entry(id).or_default() += 1;
        }
    }
    eprintln!("{video}, with_reid={with_reid}: {tracks:?}");
    Some(tracks)
}

#[test]
fn one_person_keeps_one_identity() {
    let Some(tracks) = people("videos/one-by-one-person_768x432.mp4", 60..90, true) else { return };
    // In the picture from frame 66 on.
    assert_eq!(tracks.len(), 1);
    assert!(tracks.values().all(|&frames| frames >= 20));
}

#[test]
fn people_who_walk_side_by_side_keep_their_identities() {
    const VIDEO: &str = "videos/pedestrians_640x360.mp4";
    let (Some(boxes), Some(looks)) = (people(VIDEO, 0..30, false), people(VIDEO, 0..30, true)) else {
        return;
    };
    for tracks in [&boxes, &looks] {
        // Six people or more are in the picture all the time.
        assert!((6..=9).contains(&tracks.len()));
        assert!(tracks.values().filter(|&&frames| frames >= 25).count() >= 6);
    }
}
