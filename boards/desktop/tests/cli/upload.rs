//! `--upload-mode` and `outbox`, against the emulated platform.

use std::path::PathBuf;
use std::process::{Command, Output};

use eyespot_tests::walkers;
use platform_emulator::{Fault, Platform, Rule};
use serde_json::Value;

use super::{code, lines, stderr, text};

/// A device, its platform, and a video in which people walk.
struct Device {
    platform: Platform,
    folder: tempfile::TempDir,
    video: PathBuf,
}

impl Device {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("door.mp4");
        walkers::write(&video);
        Self { platform: Platform::start().unwrap(), folder, video }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_desktop"));
        command.args(arguments).arg("--outbox").arg(self.folder.path().join("outbox.db"));
        command.env("SERVER_ADDRESS", self.platform.url()).env("API_TOKEN", self.platform.token());
        command.env("EYESPOT_HOME", self.folder.path()).env_remove("WORKSPACE_ID").output().unwrap()
    }

    /// Predicts with the model that needs no weights, and uploads.
    fn predict(&self, arguments: &[&str]) -> Output {
        // The first walker comes in frame 20; by frame 60 it has a track.
        let all = ["predict", "--model", "motion", "--tracking", "--num-frames", "60"];
        self.run(&[&all[..], arguments].concat())
    }

    /// `outbox` with a command that succeeds.
    fn outbox(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["outbox"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.outbox(&["status", "--json"])).unwrap()
    }
}

/// Frames in which an object of the only video of a dataset has figures; its first object that has a track.
fn frames_of_a_track(dataset: &Value, video: &str) -> Vec<u64> {
    let objects = dataset["items"][video]["objects"].as_array().unwrap();
    let tracked = objects.iter().find(|object| object["figures"][0]["track"].is_string()).unwrap();
    let figures = tracked["figures"].as_array().unwrap();
    figures.iter().map(|figure| figure["frame"].as_u64().unwrap()).collect()
}

#[test]
fn a_video_file_goes_up_whole_and_its_frames_where_they_are_wanted() {
    let device = Device::new();
    let to_project = ["--upload-mode", "create", "--output-project", "Door", "--workspace-id", "1"];
    let output = device.predict(&[&[text(&device.video)], &to_project[..]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("60 results delivered so far, 0 wait"), "{}", stderr(&output));
    let folder = device.folder.path().file_name().unwrap().to_str().unwrap().to_owned();
    let stored = device.platform.snapshot();
    assert_eq!(stored["Door"]["type"], "videos");
    let frames = frames_of_a_track(&stored["Door"]["datasets"][&folder], "door.mp4");
    assert!(frames.len() > 10 && frames.iter().all(|frame| (20..60).contains(frame)), "{frames:?}");
    let status = device.status();
    assert_eq!((&status["items"], &status["counts"]["delivered"]), (&0.into(), &60.into()), "{status}");
    assert!(status["target"].as_str().unwrap().contains("Door"), "{status}");
    assert!(device.outbox(&["status"]).contains("delivered  60"));
    assert!(device.outbox(&["status", "--metrics"]).contains("60"));

    // Its frames alone, as images, where they are wanted.
    let sampled = ["--upload-mode", "create", "--output-project", "Frames", "--workspace-id", "1"];
    let output = device.predict(&[&[text(&device.video), "--sample-every", "20"], &sampled[..]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let images = device.platform.snapshot();
    let images = images["Frames"]["datasets"]["door"]["items"].as_object().unwrap();
    assert_eq!(images.keys().collect::<Vec<_>>(), ["door_000000.jpg", "door_000020.jpg", "door_000040.jpg"]);
}

#[test]
fn what_can_not_be_delivered_waits_and_is_delivered_later() {
    let device = Device::new();
    device.platform.faults().add(Rule::new(Fault::Status(503)));
    let to_project =
        ["--upload-mode", "create", "--output-project", "Door", "--workspace-id", "1", "--video-frames"];
    let output = device.predict(&[&[text(&device.video), "--upload-wait", "1"], &to_project[..]].concat());
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("60 results wait in"), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("503") && stderr(&output).contains("outbox retry"),
        "{}",
        stderr(&output)
    );
    let status = device.status();
    assert_eq!((&status["items"], &status["counts"]["delivered"]), (&60.into(), &0.into()), "{status}");
    assert!(device.outbox(&["status"]).contains("60 results wait"));
    // Another target has to wait until these are gone.
    let other = ["--upload-mode", "create", "--output-project", "Other", "--workspace-id", "1"];
    let output = device.predict(&[&[text(&device.video)], &other[..]].concat());
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("Door"), "{}", stderr(&output));

    let file = device.folder.path().join("waiting.jsonl");
    device.outbox(&["export", text(&file)]);
    let waiting = lines(&file);
    assert_eq!(waiting.len(), 60);
    assert!(waiting.iter().any(|result| !result["annotation"]["objects"].as_array().unwrap().is_empty()));
    assert_eq!(device.status()["items"], 60);

    device.platform.faults().clear();
    device.outbox(&["retry"]);
    assert_eq!(device.status()["items"], 0);
    let stored = device.platform.snapshot();
    assert_eq!(stored["Door"]["datasets"]["door"]["items"].as_object().unwrap().len(), 60);
}

#[test]
fn what_the_platform_refuses_is_shown_and_can_be_dropped() {
    let device = Device::new();
    let dataset = device.platform.store().add_images_project("images", &[]);
    let project = device.platform.store().project_of(dataset).unwrap().to_string();
    let output =
        device.predict(&[text(&device.video), "--upload-mode", "create", "--output-project-id", &project]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let status = device.status();
    assert_eq!(status["parked"].as_array().unwrap().len(), 60, "{status}");
    assert!(device.outbox(&["status"]).contains("is for images"));
    // Trying again changes nothing as long as nothing is mended.
    assert_eq!(code(&device.run(&["outbox", "retry"])), 3);
    device.outbox(&["drop"]);
    let status = device.status();
    assert_eq!((&status["items"], &status["counts"]["dropped"]), (&0.into(), &60.into()), "{status}");
}

#[test]
fn upload_modes_that_do_not_fit_fail_before_anything_is_done() {
    let device = Device::new();
    let video = text(&device.video).to_owned();
    for (arguments, reason) in [
        (&[&video, "--upload-mode", "append"][..], "use create"),
        (&[&video, "--upload-mode", "replace"], "use create"),
        (&[&video, "--upload-mode", "create"], "--workspace-id"),
        (&[&video, "--upload-mode", "sideways"], "iou_merge"),
        (&["--image-id", "7", "--upload-mode", "append", "--iou-merge-threshold", "0.5"], "only"),
        (&["--image-id", "7", "--upload-mode", "iou_merge", "--iou-merge-threshold", "1.5"], "1.5"),
        (&["--image-id", "7", "--upload-mode", "append", "--output-project-id", "5"], "only"),
    ] {
        let output = device.predict(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(device.platform.calls(), []);
    assert!(!device.folder.path().join("outbox.db").exists());
    let output = device.run(&["outbox", "status"]);
    assert!(code(&output) == 1 && stderr(&output).contains("no outbox"), "{}", stderr(&output));
}
