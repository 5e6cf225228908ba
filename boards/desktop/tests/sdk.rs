//! The official SDK against `serve`: its results are those of `predict`, box for box. `EYESPOT_SDK_PYTHON` is a Python that
//! has it (`pip install supervisely`).

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::Served;
use eyespot_tests::data;

#[test]
fn the_sdk_gets_what_the_command_line_gives() {
    let Some(python) = std::env::var_os("EYESPOT_SDK_PYTHON") else {
        eprintln!("IGNORED: set EYESPOT_SDK_PYTHON to a Python that has the package supervisely");
        return;
    };
    let (Some(weights), Some(images), Some(video)) =
        (data("models/yolox_nano.onnx"), data("images"), data("videos/pedestrians_640x360.mp4"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(at("photos")).unwrap();
    for photo in ["dog.jpg", "bus.jpg", "street.png"] {
        std::fs::copy(images.join(photo), at(&format!("photos/{photo}"))).unwrap();
    }
    std::fs::copy(video, at("street.mp4")).unwrap();
    let predict = |input: &str, json: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_desktop"));
        command.args(["predict", &at(input), "--conf", "0.4", "--json", &at(json)]).args(more);
        let output = command.arg("--model").arg(&weights).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    predict("photos", "photos.jsonl", &[]);
    let window = ["--sliding-window", "--window-size", "320", "--overlap", "0.25"];
    predict("photos/dog.jpg", "tiles.jsonl", &window);
    let frames = ["--tracking", "--start-frame", "5", "--stride", "2", "--num-frames", "20"];
    predict("street.mp4", "street.jsonl", &frames);

    let mut serve = common::command(weights.to_str().unwrap(), &[]);
    let served = Served::start(serve.env("EYESPOT_TOKEN", "s3cret"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/drive.py");
    let run = Command::new(python)
        .arg(script)
        .args([&served.url, "s3cret", folder.path().to_str().unwrap()])
        // What the SDK keeps between runs stays in the test's folder.
        .env("HOME", folder.path())
        .env_remove("API_TOKEN")
        .env_remove("SERVER_ADDRESS")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", text(&run.stdout));
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    let (code, messages) = served.end("-TERM");
    assert_eq!(code, 0, "{messages}");
}
