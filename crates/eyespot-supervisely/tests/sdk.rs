//! The official SDK reads what we write. `EYESPOT_SDK_PYTHON` is a Python that has it (`pip install supervisely`).

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use eyespot_core::{
    Angle, BBox, ClassId, Detection, FrameInfo, Keypoint, MaskRect, Predictions, PredictionsStorage as _,
    TrackId,
};
use eyespot_supervisely::format::SUFFIX;
use eyespot_supervisely::{Converter, VideoBuilder};

#[test]
fn the_sdk_reads_what_we_write() {
    let Some(python) = std::env::var_os("EYESPOT_SDK_PYTHON") else {
        eprintln!("IGNORED: set EYESPOT_SDK_PYTHON to a Python that has the package supervisely");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: serde_json::Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let mut results = Predictions::<8, 256, 40>::new();
    let mut out = results.view_mut();
    let detection =
        |x1, class, score| Detection::new(BBox::new(x1, 2.5, x1 + 20.3, 30.0), score, ClassId(class));
    out.push(detection(1.2, 0, 0.873)).unwrap();
    let index = out.push(detection(5.0, 1, 0.5)).unwrap();
    let bits: Vec<u8> = (0..40).map(|byte: u8| byte.wrapping_mul(37) | 0x80).collect();
    assert!(out.set_mask(index, MaskRect { x: 5, y: 3, width: 13, height: 20 }, &bits));
    let index = out.push(detection(5.0, 2, 0.25)).unwrap();
    let keypoints = [0u8; 17].map(|_| Keypoint { x: 9.5, y: 8.5, score: 0.9 });
    assert!(out.set_keypoints(index, &keypoints));
    let mut tilted = detection(3.0, 3, 1.0);
    tilted.angle = Angle::from_radians(0.5);
    out.push(tilted).unwrap();
    let converter =
        Converter::new(&["car", "cell", "person", "ship"]).with_keypoints(&[""; 0], &[(0, 1), (0, 2)]);
    let mut meta = converter.meta_of(results.view());
    write("annotation.json", serde_json::to_value(converter.annotation(64, 48, results.view())).unwrap());

    let mut builder = VideoBuilder::new(converter, "street.mp4");
    for index in [0, 3, 4] {
        let mut results = Predictions::<2>::new();
        let mut tracked = detection(index as f32, 0, 0.5);
        tracked.track = TrackId::new(7);
        results.view_mut().push(tracked);
        results.view_mut().push(detection(2.0, 0, 0.4));
        builder.push(&FrameInfo { index, width: 64, height: 48, ..FrameInfo::default() }, results.view());
    }
    let (video, needed) = builder.finish(Some(9));
    meta.merge(&needed, SUFFIX).unwrap();
    write("video.json", serde_json::to_value(video).unwrap());
    write("meta.json", serde_json::to_value(meta).unwrap());

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/check.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
