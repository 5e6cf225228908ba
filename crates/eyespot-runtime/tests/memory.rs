//! Memory stays flat however many images wait. A program of its own, so that no other test is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::time::Duration;

use eyespot_core::{ErrorType, Frame, ModelSpec, PredictOptions, PredictionsMut, Predictor};
use eyespot_media::Input;
use eyespot_runtime::{Model, Settings};

const IMAGES: usize = 10_000;

struct Nothing;

impl ErrorType for Nothing {
    type Error = Infallible;
}

impl Predictor for Nothing {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("nothing", None, &["thing"])
    }
    fn predict(
        &mut self,
        _: &Frame<'_>,
        _: &PredictOptions<'_>,
        _: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Ten thousand images of 100 KiB, and a caller that sleeps now and then: held at once they would take a gigabyte.
#[test]
fn ten_thousand_images_and_a_caller_that_sleeps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.ppm");
    let mut bytes = b"P6\n256 136\n255\n".to_vec();
    bytes.resize(bytes.len() + 256 * 136 * 3, 90);
    std::fs::write(&path, bytes).unwrap();

    let model = Model::from_predictor(Nothing);
    let inputs: Vec<Input> = (0..IMAGES).map(|_| Input::from(&path)).collect();
    let session = model.predict(inputs, &Settings::default()).unwrap();
    let (mut early, mut most, mut taken) = (0, 0, 0);
    for prediction in session {
        prediction.unwrap();
        taken += 1;
        if taken % 1_000 == 500 {
            std::thread::sleep(Duration::from_millis(100));
            let now = resident();
            if early == 0 {
                early = now;
            }
            most = most.max(now);
        }
    }
    assert_eq!(taken, IMAGES);
    let growth = most - early;
    eprintln!("resident after 500 images: {} KiB, growth over the others: {} KiB", early >> 10, growth >> 10);
    assert!(growth < 16 << 20, "{growth} bytes");
}
