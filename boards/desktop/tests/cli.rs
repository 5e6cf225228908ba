//! The command line as a script sees it: exit codes, messages, files.

#![allow(clippy::unwrap_used)]

#[path = "cli/upload.rs"]
mod upload;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eyespot_media::read_frame;
use eyespot_tests::data;
use eyespot_tests::walkers::{self, LEFT, RIGHT};
use serde_json::Value;

/// Runs the board's program with a store of its own.
fn eyespot(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_desktop"));
    command.args(arguments).env("EYESPOT_HOME", home.path()).env_remove("EYESPOT_MODEL_MIRROR");
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a file of JSON Lines; each must be whole.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of the tables in what a command printed.
fn rows(output: &Output) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect()
}

/// On a computer without ONNX Runtime `ort` itself waits for ever.
#[test]
fn a_missing_onnx_runtime_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("grey.ppm");
    std::fs::write(&image, [&b"P6 8 8 255\n"[..], &[90; 3 * 64]].concat()).unwrap();
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/eyespot-onnx/tests/golden/yolov8.onnx");
    let output = Command::new(env!("CARGO_BIN_EXE_desktop"))
        .arg("predict")
        .arg(&image)
        .arg("--model")
        .arg(&model)
        .args(["--device", "onnxruntime"])
        .env("ORT_DYLIB_PATH", folder.path().join("nowhere.so"))
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("nowhere.so") && said.contains("set ORT_DYLIB_PATH"), "{said}");
}

#[test]
fn a_machine_is_measured_without_weights() {
    let short = ["--seconds", "0.05", "--frame-size", "96x160"];
    let models = ["bench", "motion", "fastestdet/fastestdet", "--device", "cpu", "--img-size", "64,96x128"];
    let output = eyespot(&[&models[..], &short].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows = rows(&output);
    let which: Vec<_> = rows.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
    let (motion, network) = ("motion", "fastestdet/fastestdet");
    assert_eq!(which[2..], [[network, "64 x 64"], [network, "128 x 96"]], "{which:?}");
    assert!(which[..2].iter().all(|[name, _]| name.contains(motion)), "{which:?}");
    for row in &rows {
        let [median, least, rate] = [5, 6, 7].map(|column| row[column].parse::<f64>().unwrap());
        assert!(least <= median && rate > 0.0, "{row:?}");
    }
    let output = eyespot(&[&["bench", "yolox/yolox-xxl"][..], &short].concat());
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("yolox/yolox-x"), "{}", stderr(&output));
}

fn weights() -> Option<String> {
    data("models/yolox_nano.onnx").map(|path| path.to_string_lossy().into_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_demo_tracks_the_scene_and_writes_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let output = eyespot(&["demo", "--frames", "90", "--save-dir", text(dir.path())]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("HOTA"));
    assert_eq!(lines(&dir.path().join("demo.jsonl")).len(), 90);
    // The scores can be had again from the files.
    let (truth, tracks) = (dir.path().join("demo-truth.txt"), dir.path().join("demo-tracks.txt"));
    let scored = eyespot(&["evaluate", "mot", "--gt", text(&truth), "--tracks", text(&tracks), "--json"]);
    assert_eq!(code(&scored), 0, "{}", stderr(&scored));
    let scores: Value = serde_json::from_slice(&scored.stdout).unwrap();
    assert!(scores["MOTA"].as_f64().unwrap() > 0.6, "{scores}");
    assert!(scores["IDF1"].as_f64().unwrap() > 0.6, "{scores}");
    // The annotated video can be read back.
    let back = eyespot(&["predict", text(&dir.path().join("demo.mp4")), "--model", "motion", "--json", "-"]);
    assert_eq!(code(&back), 0, "{}", stderr(&back));
    assert_eq!(String::from_utf8_lossy(&back.stdout).lines().count(), 90);
}

#[test]
fn a_video_is_detected_tracked_and_drawn() {
    let (Some(weights), Some(video)) = (weights(), data("videos/pedestrians_640x360.mp4")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let output = eyespot(&[
        "predict",
        text(&video),
        "--model",
        &weights,
        "--tracking",
        "--conf",
        "0.4",
        "--classes",
        "person,car",
        "--num-frames",
        "40",
        "--save-dir",
        text(dir.path()),
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("frames per second"), "{}", stderr(&output));
    let frames = lines(&dir.path().join("predictions.jsonl"));
    assert_eq!(frames.len(), 40);
    assert_eq!(frames[39]["frame"], 39);
    let objects: Vec<&Value> = frames.iter().flat_map(|frame| frame["objects"].as_array().unwrap()).collect();
    assert!(objects.len() > 40, "{}", objects.len());
    for object in &objects {
        assert!(["person", "car"].contains(&object["class"].as_str().unwrap()));
        assert!(object["score"].as_f64().unwrap() >= 0.4);
    }
    let tracked = objects.iter().filter(|object| object["track_id"].is_u64()).count();
    assert!(tracked * 2 > objects.len(), "{tracked} of {}", objects.len());
    assert!(dir.path().join("pedestrians_640x360.mp4").exists());
}

/// Five people walk past a door, three to the right and two to the left: what is counted, said and drawn.
#[test]
fn people_are_counted_in_a_zone_and_at_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let (video, out) = (dir.path().join("door.mp4"), dir.path().join("out"));
    walkers::write(&video);
    let run = |zones: &[&str], out: &Path| {
        let all = ["predict", text(&video), "--model", "motion", "--tracking", "--save-dir", text(out)];
        let output = eyespot(&[&all[..], zones].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stderr(&output)
    };
    // The line goes up: right is right.
    let line = ["--line", "door=320,360;320,0"];
    let said = run(&[&line[..], &["--zone", "hall=400,0;560,0;560,360;400,360"]].concat(), &out);
    assert!(said.contains(&format!("line door: {} to the right, {} to the left", RIGHT, LEFT)), "{said}");
    assert!(said.contains("zone hall: 5 came, 5 left, 0 inside"), "{said}");
    let frames = lines(&out.join("predictions.jsonl"));
    let last = frames.last().unwrap();
    assert_eq!(
        (&last["lines"][0]["to_right_total"], &last["lines"][0]["to_left_total"]),
        (&RIGHT.into(), &LEFT.into())
    );
    // 160 pixels at 125 pixels a second, and up to a frame more at each end.
    let stays: Vec<f64> = frames
        .iter()
        .flat_map(|frame| frame["zones"][0]["left"].as_array().unwrap())
        .map(|stay| stay["seconds"].as_f64().unwrap())
        .collect();
    assert!(stays.len() == 5 && stays.iter().all(|seconds| (1.2..1.4).contains(seconds)), "{stays:?}");
    // Each crossing is said once, when it happens.
    let crossings =
        frames.iter().map(|frame| frame["lines"][0]["to_right"].as_array().unwrap().len()).sum::<usize>();
    assert_eq!(crossings, RIGHT as usize);
    // A light column of the line in the picture.
    let picture = read_frame(out.join("door.mp4"), 0).unwrap();
    let at = |x: usize| picture.pixels()[300 * 640 + x][0];
    assert!(at(320) > at(300) + 60, "{} {}", at(320), at(300));
}

/// What is drawn, by its colours: a red frame around somebody, no tag, no filling; then with them.
#[test]
fn drawings_are_as_they_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("in");
    walkers::write_images(&images, 0..70);
    let red = |out: &str, flags: &[&str]| {
        let out = dir.path().join(out);
        let all = ["predict", text(&images), "--model", "motion", "--tracking", "--save-dir", text(&out)];
        let output = eyespot(&[&all[..], &["--color", "#ff0000"], flags].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let picture = read_frame(out.join("frame_060.png"), 0).unwrap();
        let count = |of: &dyn Fn(&[u8; 3]) -> bool| picture.pixels().iter().filter(|pixel| of(pixel)).count();
        // The colour itself, and what it was mixed into.
        (count(&|&[r, g, b]| r == 255 && g == 0 && b == 0), count(&|&[r, g, b]| r > g && g == b && g > 0))
    };
    let plain = ["--draw-tags", "false", "--fill-rectangles", "false", "--trails", "0"];
    let (thin, mixed) = red("thin", &[&plain[..], &["--thickness", "1"]].concat());
    assert!((100..1000).contains(&thin) && mixed < 100, "{thin} {mixed}");
    let (thick, _) = red("thick", &[&plain[..], &["--thickness", "3"]].concat());
    assert!((thin * 2..thin * 4).contains(&thick), "{thin} {thick}");
    let (tagged, _) = red("tagged", &["--fill-rectangles", "false", "--trails", "0", "--thickness", "1"]);
    assert!(tagged > thin + 300, "{thin} {tagged}");
    let (_, filled) = red("filled", &["--draw-tags", "false", "--trails", "0", "--opacity", "0.5"]);
    assert!(filled > 1000, "{filled}");
}

/// What counts as motion is a setting of that model; what all models know can be set the same way.
#[test]
fn settings_of_the_model_are_given_to_it() {
    let dir = tempfile::tempdir().unwrap();
    walkers::write_images(dir.path(), 40..70);
    let objects = |set: &[&str]| {
        let all = ["predict", text(dir.path()), "--model", "motion", "--json", "-", "--quiet"];
        let output = eyespot(&[&all[..], set].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let count =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["objects"].as_array().unwrap().len();
        lines.lines().map(count).sum::<usize>()
    };
    assert!(objects(&["--set", "threshold=20"]) > 0);
    assert_eq!(objects(&["--set", "min_area=0.5"]), 0);
    assert_eq!(objects(&["--set", "confidence_threshold=1"]), 0);
}

#[test]
fn video_settings_choose_frames() {
    let Some(video) = data("videos/cars_1280x720.mp4") else { return };
    let output = eyespot(&[
        "predict",
        text(&video),
        "--model",
        "motion",
        "--start-frame",
        "10",
        "--end-frame",
        "40",
        "--stride",
        "5",
        "--num-frames",
        "4",
        "--json",
        "-",
        "--quiet",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let frames: Vec<u64> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, [10, 15, 20, 25]);
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn a_sliding_window_finds_more_in_a_large_photo() {
    let (Some(weights), Some(photo)) = (weights(), data("highres/traffic_3630x2418.jpg")) else { return };
    let count = |extra: &[&str]| {
        let mut arguments =
            vec!["predict", text(&photo), "--model", &weights, "--conf", "0.4", "--json", "-"];
        arguments.extend(extra);
        let output = eyespot(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        line["objects"].as_array().unwrap().len()
    };
    let (whole, windows) =
        (count(&[]), count(&["--sliding-window", "--window-size", "640", "--overlap", "0.25"]));
    assert!(windows > 2 * whole, "whole {whole}, windows {windows}");
}

/// A folder with good and broken images: the good ones are done, the exit code tells of the others.
#[test]
fn broken_images_are_skipped_and_counted() {
    let (Some(weights), Some(photo)) = (weights(), data("images/dog.jpg")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in");
    std::fs::create_dir(&input).unwrap();
    let bytes = std::fs::read(photo).unwrap();
    std::fs::write(input.join("img10.jpg"), &bytes).unwrap();
    std::fs::write(input.join("img2.jpg"), &bytes[..bytes.len() / 3]).unwrap();
    std::fs::write(input.join("img3.jpg"), b"").unwrap();
    std::fs::write(input.join("notes.txt"), b"no image").unwrap();
    let out = dir.path().join("out");
    let output = eyespot(&["predict", text(&input), "--model", &weights, "--save-dir", text(&out)]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("img2.jpg") && stderr(&output).contains("img3.jpg"),
        "{}",
        stderr(&output)
    );
    let frames = lines(&out.join("predictions.jsonl"));
    assert_eq!(frames.len(), 1);
    let classes: Vec<&str> = frames[0]["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["class"].as_str().unwrap())
        .collect();
    assert!(classes.contains(&"dog") && classes.contains(&"bicycle"), "{classes:?}");
    assert!(out.join("img10.jpg").exists());
}

/// A plain grey image as a PGM file.
fn plain(path: &Path, width: usize, height: usize) {
    let mut bytes = format!("P5\n{width} {height}\n255\n").into_bytes();
    bytes.resize(bytes.len() + width * height, 90);
    std::fs::write(path, bytes).unwrap();
}

/// A panorama of 30,000 pixels is an image like any other; what has more than 65,535 is refused and does not stop the
/// rest.
#[test]
fn an_image_may_be_huge() {
    let dir = tempfile::tempdir().unwrap();
    plain(&dir.path().join("a.pgm"), 30_000, 3_000);
    plain(&dir.path().join("b.pgm"), 3_000, 30_000);
    plain(&dir.path().join("c.pgm"), 70_000, 10);
    let window = ["--sliding-window", "--window-size", "1024", "--overlap", "0.25"];
    let input = [&["predict", text(dir.path()), "--model", "motion", "--json", "-"][..], &window].concat();
    let output = eyespot(&input);
    let sizes: Vec<(u64, u64)> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["width"].as_u64().unwrap(), line["height"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(30_000, 3_000), (3_000, 30_000)]);
    assert!(stderr(&output).contains("c.pgm") && stderr(&output).contains("65535"), "{}", stderr(&output));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
}

/// Each wrong wish: its exit code, and a message that names it and says what to do.
#[test]
fn wrong_wishes_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let image = file("one.ppm", b"P6\n1 1\n255\nabc");
    let zero = file("zero.ppm", b"P6\n0 0\n255\n");
    let broken = file("broken.onnx", b"\x08\x07\x12\x03abc");
    let (image, zero, broken) = (text(&image), text(&zero), text(&broken));
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["predict", "missing.jpg", "--model", "motion"], 1, &["missing.jpg", "check the path"]),
        (&["predict", zero, "--model", "motion"], 1, &["zero.ppm"]),
        (&["predict", image, "--model", "yolox/yolox-nono"], 1, &["yolox/yolox-nano"]),
        (&["predict", image, "--model", "none.pth"], 1, &["none.pth", "models list"]),
        (&["predict", image, "--model", broken], 1, &["broken.onnx"]),
        (&["predict", image, "--model", "yolox/yolox-nano", "--offline"], 1, &["models pull", "yolox_nano"]),
        (&["predict", image, "--model", "motion", "--classes", "mowing"], 1, &["mowing", "moving"]),
        (&["predict", image, "--model", "motion", "--conf", "1.5"], 1, &["conf", "1.5"]),
        (&["predict", image, "--model", "motion", "--conf", "nan"], 1, &["conf"]),
        (&["predict", image, "--model", "motion", "--set", "min_aera=0.1"], 1, &["min_aera", "min_area"]),
        (&["predict", image, "--model", "motion", "--set", "min_area=7"], 1, &["min_area", "0..=1"]),
        (&["predict", image, "--model", "motion", "--set", "threshold=x"], 1, &["threshold=x"]),
        (&["predict", image, "--set", "conf"], 2, &["--set", "NAME=VALUE"]),
        (&["predict", image, "--conf", "0.3", "--set", "conf=0.4"], 1, &["--conf", "--set conf=0.4"]),
        (&["predict", image, "--model", broken, "--set", "head=yolo"], 1, &["`yolo`"]),
        (&["predict", image, "--model", broken, "--set", "fit=center"], 1, &["`fit`", "input.fit"]),
        (
            &["predict", image, "--model", "motion", "--tracking", "--tracking-config", "track_bufer=3"],
            1,
            &["track_bufer", "track_buffer"],
        ),
        (&["predict", image, "--window-size", "640"], 2, &["--sliding-window"]),
        (&["predict", image, "--sliding-window", "--overlap", "1.5"], 2, &["overlap"]),
        (&["predict", image, "--stride", "0"], 2, &["--stride"]),
        (&["predict", image, "--zone", "a=1,2;3,4;5,7"], 2, &["--tracking"]),
        (&["predict", image, "--tracking", "--zone", "a=1,2;3"], 2, &["--zone", "NAME=x,y"]),
        (&["predict", image, "--tracking", "--zone", "a=1,2;3,4"], 1, &["`a`", "3 corners"]),
        (&["predict", image, "--tracking", "--line", "a=1,2;3,4;5,7"], 1, &["`a`", "2 points"]),
        (&["predict", image, "--color", "red"], 2, &["--color", "RRGGBB"]),
        (&["predict", image, "--color", "ff0000", "--color-by", "class"], 2, &["--color", "--color-by"]),
        (&["predict", image, "--opacity", "2"], 2, &["--opacity"]),
        (&["predict", image, "--model", "motion", "--mqtt", "broker/topic"], 1, &["mqtt://"]),
        (&["predict"], 2, &["INPUT"]),
        (&["models", "pull", "nothing-like-this"], 1, &["nothing-like-this"]),
    ];
    for (arguments, expected, words) in cases {
        let output = eyespot(arguments);
        let message = stderr(&output);
        assert_eq!(code(&output), *expected, "{arguments:?}: {message}");
        for word in *words {
            assert!(message.contains(word), "{arguments:?} does not say `{word}`: {message}");
        }
        assert!(!message.contains("panicked"), "{message}");
    }
}

/// Results that can't be written end the run; what was written before is whole.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("one.ppm");
    std::fs::write(&image, b"P6\n1 1\n255\nabc").unwrap();
    let output = eyespot(&["predict", text(&image), "--model", "motion", "--json", "/dev/full"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("disk is full"), "{}", stderr(&output));
}

/// COCO results of the command line, scored by the command line.
#[test]
fn results_are_written_in_other_formats() {
    let (Some(weights), Some(truth), Some(video)) =
        (weights(), data("coco/instances.json"), data("videos/pedestrians_640x360.mp4"))
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (coco, csv, mot) = (dir.path().join("coco.json"), dir.path().join("a.csv"), dir.path().join("mot"));
    let photos = truth.with_file_name("images");
    let output = eyespot(&[
        "predict",
        text(&photos),
        "--model",
        &weights,
        "--conf",
        "0.25",
        "--coco",
        text(&coco),
        "--csv",
        text(&csv),
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let scored = eyespot(&["evaluate", "coco", "--gt", text(&truth), "--results", text(&coco), "--json"]);
    assert_eq!(code(&scored), 0, "{}", stderr(&scored));
    let scores: Value = serde_json::from_slice(&scored.stdout).unwrap();
    assert!(scores["AP50"].as_f64().unwrap() > 0.35, "{scores}");
    let results: Vec<Value> = serde_json::from_slice(&std::fs::read(&coco).unwrap()).unwrap();
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), results.len() + 1);

    let output = eyespot(&[
        "predict",
        text(&video),
        "--model",
        &weights,
        "--tracking",
        "--num-frames",
        "20",
        "--mot",
        text(&mot),
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows = std::fs::read_to_string(mot.join("pedestrians_640x360.txt")).unwrap();
    assert!(rows.lines().count() > 40 && rows.lines().all(|row| row.split(',').count() >= 9), "{rows}");
}

/// From the file of its authors to boxes: a detector in the engine of microcontrollers, with a byte per weight.
#[test]
fn a_model_is_converted_and_used() {
    let (Some(model), Some(photos), Some(dog), Some(names)) = (
        data("models/fastestdet_352.onnx"),
        data("calibration"),
        data("images/dog.jpg"),
        data("models/coco_classes.txt"),
    ) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let eye = dir.path().join("fastestdet.eye");
    let task = ["--task", "fastestdet", "--color", "bgr", "--calibrate", text(&photos), "-o", text(&eye)];
    let output = eyespot(&[&["convert", text(&model)][..], &task].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(report.contains("arena") && report.contains("multiply-accumulates"), "{report}");
    std::fs::copy(&names, eye.with_extension("txt")).unwrap();
    let found = eyespot(&["predict", text(&dog), "--model", text(&eye), "--conf", "0.6", "--json", "-"]);
    assert_eq!(code(&found), 0, "{}", stderr(&found));
    let line: Value = serde_json::from_slice(&found.stdout).unwrap();
    let mut classes: Vec<&str> =
        line["objects"].as_array().unwrap().iter().map(|object| object["class"].as_str().unwrap()).collect();
    classes.sort_unstable();
    classes.dedup();
    assert_eq!(classes, ["bicycle", "car", "dog"]);
    // Its input size is planned: another one is refused, not ignored.
    let sized = eyespot(&["predict", text(&dog), "--model", text(&eye), "--img-size", "320"]);
    assert_eq!(code(&sized), 1);
    assert!(stderr(&sized).contains("352 x 352"), "{}", stderr(&sized));
    let means = eyespot(&["convert", text(&model), "--mean", "1,2", "-o", text(&eye)]);
    assert!(code(&means) == 1 && stderr(&means).contains("--mean"), "{}", stderr(&means));
    // A model that was cut short says so.
    std::fs::write(&eye, &std::fs::read(&eye).unwrap()[..5000]).unwrap();
    let broken = eyespot(&["predict", text(&dog), "--model", text(&eye)]);
    assert_eq!(code(&broken), 1);
    assert!(stderr(&broken).contains("fastestdet.eye"), "{}", stderr(&broken));
}

/// A graph that no family of ours knows: its head is recognised, and where it is not, the error says what to write.
#[test]
fn any_onnx_model_works() {
    let graph = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/eyespot-onnx/tests/golden");
        folder.join(name).to_str().unwrap().to_owned()
    };
    let info = eyespot(&["models", "info", &graph("yolov8-seg.onnx")]);
    if stderr(&info).contains("ORT_DYLIB_PATH") {
        eprintln!("IGNORED: {}", stderr(&info));
        return;
    }
    assert_eq!(code(&info), 0, "{}", stderr(&info));
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    for part in ["yolov8-seg (recognised)", "[1, 13, 84]", "64 x 64", "ONNX Runtime"] {
        assert!(info.contains(part), "{info}");
    }
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("grey.pgm");
    plain(&image, 96, 60);
    let found = |model: &str, image: &Path, more: &[&str]| {
        let all = ["predict", text(image), "--model", model, "--json", "-"];
        let output = eyespot(&[&all[..], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["objects"].as_array().unwrap().clone()
    };
    let objects = found(&graph("yolov8-seg.onnx"), &image, &["--device", "onnxruntime"]);
    assert!(!objects.is_empty() && objects.iter().all(|object| object["mask"].is_object()), "{objects:?}");
    // One that says nothing of itself: what it lacks can be written, or set.
    let unknown = graph("told.onnx");
    let refused = eyespot(&["predict", text(&image), "--model", &unknown]);
    assert_eq!(code(&refused), 1);
    for part in [r#"{"head": "yolov8"}"#, "told.json", "`output0`"] {
        assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
    }
    let told = ["--set", "head=yolov8", "--set", "input.size=[64, 64]", "--conf", "0.05"];
    assert!(!found(&unknown, &image, &told).is_empty());
    // A published network that is not in Burn.
    let (Some(nanodet), Some(dog)) = (data("models/nanodet_m_320.onnx"), data("images/dog.jpg")) else {
        return;
    };
    let objects = found(text(&nanodet), &dog, &["--conf", "0.4"]);
    assert!(objects.iter().any(|object| object["class"] == "dog"), "{objects:?}");
}

/// What a board writes to its serial port, piped in.
#[test]
fn the_gateway_shows_what_a_board_sends() {
    use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage, Record, Sink};
    let labels = ["person", "car"];
    let hello = eyespot_wire::Hello::new("gate-3", "made-up", &labels);
    let mut sink = eyespot_wire::WireSink::new(Vec::new()).with_hello(hello, 10);
    let mut found = Predictions::<4>::new();
    found.view_mut().push(Detection::new(BBox::new(1.0, 2.0, 3.0, 4.0), 0.5, ClassId(1)));
    for index in 0..3 {
        let info = FrameInfo { index, ..FrameInfo::default() };
        sink.write(&Record { info, name: None, image: None, predictions: found.view() }).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_desktop"))
        .args(["gateway", "--port", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), sink.writer()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["frame"], 2);
    assert_eq!((&lines[2]["source"], &lines[2]["objects"][0]["class"]), (&"gate-3".into(), &"car".into()));
    let missing = eyespot(&["gateway", "--port", "/dev/no-such-port", "--once"]);
    assert_eq!(code(&missing), 1);
    assert!(stderr(&missing).contains("/dev/no-such-port"), "{}", stderr(&missing));
}

#[test]
fn completions_are_there_for_shells() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = eyespot(&["completions", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("sliding-window") && text.contains("desktop"), "{shell}: {text}");
    }
    assert_eq!(code(&eyespot(&["completions", "dos"])), 2);
}

/// Each command has a help, and that of `predict` has examples and headings.
#[test]
fn help_is_worth_reading() {
    for command in
        [&[][..], &["predict"], &["demo"], &["models"], &["evaluate", "mot"], &["convert"], &["gateway"]]
    {
        let output = eyespot(&[command, &["--help"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), 0, "{command:?}");
        assert!(text.contains("Usage: desktop"), "{text}");
    }
    let text = String::from_utf8(eyespot(&["predict", "--help"]).stdout).unwrap();
    for word in
        ["Examples:", "Exit codes:", "Zones and lines:", "Drawing:", "Sliding window:", "Video:", "Output:"]
    {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn the_models_are_listed() {
    let output = eyespot(&["models", "list"]);
    assert_eq!(code(&output), 0);
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["motion", "yolox/yolox-nano", "yolox/yolox-x"] {
        assert!(list.contains(name), "{list}");
    }
}

/// A project of two datasets through a model into another one; then a video.
#[test]
fn a_supervisely_project_becomes_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    walkers::write_images(&source.join("day/img"), 0..40);
    walkers::write_images(&source.join("day/datasets/noon/img"), 40..70);
    std::fs::write(source.join("meta.json"), r#"{"classes": [], "tags": [], "projectType": "images"}"#)
        .unwrap();
    let run = |input: &Path, target: &Path| {
        eyespot(&["predict", text(input), "--model", "motion", "--save-project", text(target)])
    };
    let own = run(&source, &source);
    assert_eq!(code(&own), 1);
    assert!(stderr(&own).contains("use another folder"), "{}", stderr(&own));
    let output = run(&source, &target);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("70 frames") && stderr(&output).contains("wrote"),
        "{}",
        stderr(&output)
    );
    let meta = json(&target.join("meta.json"));
    assert_eq!(
        (meta["projectType"].as_str(), meta["classes"].as_array().unwrap().len()),
        (Some("images"), 1)
    );
    let noon = target.join("day/datasets/noon");
    let annotation = json(&noon.join("ann/frame_060.png.json"));
    assert_eq!(annotation["objects"][0]["classTitle"], meta["classes"][0]["title"], "{annotation}");
    assert!(noon.join("img/frame_060.png").exists() && target.join("day/ann/frame_000.png.json").exists());

    let (video, target) = (dir.path().join("door.mp4"), dir.path().join("videos"));
    walkers::write(&video);
    let output = eyespot(&[
        "predict",
        text(&video),
        "--model",
        "motion",
        "--tracking",
        "--stride",
        "2",
        "--save-project",
        text(&target),
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let folder =
        std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let annotation = json(&folder.unwrap().join("ann/door.mp4.json"));
    // All five walkers, and the number of all frames of the file.
    assert!(annotation["objects"].as_array().unwrap().len() >= 5, "{annotation}");
    assert_eq!(annotation["framesCount"], walkers::FRAMES);
}

/// Images and a video of the platform, by their numbers; what was found in the video goes back to it.
#[test]
fn items_of_the_platform_are_found_by_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    walkers::write_images(dir.path(), 50..54);
    walkers::write(&dir.path().join("door.mp4"));
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let images = ["frame_050.png", "frame_051.png"].map(|name| (name, read(name)));
    let platform = platform_emulator::Platform::start().unwrap();
    let dataset = platform.store().add_images_project("street", &images);
    let image = platform.store().item(dataset, "frame_051.png").unwrap();
    let video =
        platform.store().add_video_file_project("doors", "door.mp4", &read("door.mp4"), (640, 360), 400);
    let run = |arguments: &[&str]| {
        let all = ["predict", "--model", "motion", "--json", "-", "--outbox", "outbox.db"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_desktop"));
        command.args(all).args(arguments).current_dir(dir.path()).env("EYESPOT_HOME", dir.path());
        command.env("SERVER_ADDRESS", platform.url()).env("API_TOKEN", platform.token());
        let output = command.output().unwrap();
        let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (code(&output), lines, stderr(&output))
    };
    let (code, lines, said) = run(&["--dataset-id", &dataset.to_string()]);
    assert_eq!((code, lines.len()), (0, 2), "{said}");
    assert_eq!((&lines[1]["image_id"], &lines[1]["dataset_id"]), (&image.into(), &dataset.into()));
    assert!(lines[1]["project_id"].is_u64() && lines[1].get("video_id").is_none());
    assert!(lines[1]["source"].as_str().unwrap().ends_with(&format!("/image/{image}/frame_051.png")));
    // One that is not there is skipped.
    let (code, lines, said) = run(&["--image-ids", &format!("{image},999999")]);
    assert_eq!((code, lines.len()), (3, 1), "{said}");
    assert!(said.contains("supervisely://image/999999"), "{said}");

    let number = video.to_string();
    let to_video = ["--video-id", &number, "--tracking", "--end-frame", "120", "--upload-mode"];
    let (code, _, said) = run(&[&to_video[..], &["replace"]].concat());
    assert!(code == 1 && said.contains("can only be appended"), "{said}");
    let (code, lines, said) = run(&[&to_video[..], &["append"]].concat());
    assert_eq!((code, lines.len()), (0, 120), "{said}");
    assert_eq!((&lines[119]["video_id"], &lines[119]["frame"]), (&video.into(), &119.into()));
    let stored = platform.snapshot();
    let objects = stored["doors"]["datasets"]["ds0"]["items"]["door.mp4"]["objects"].as_array();
    assert!(objects.is_some_and(|objects| !objects.is_empty()), "{stored}");
    // A project is asked what it holds before anything is predicted.
    let project = lines[0]["project_id"].to_string();
    let (code, lines, said) = run(&["--project-id", &project, "--upload-mode", "replace"]);
    assert!(code == 1 && lines.is_empty() && said.contains("can only be appended"), "{said}");
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
