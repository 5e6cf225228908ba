//! A sink of your own: here a table of how often each class was seen.
//!
//! `cargo run -p own-sink --features yolox -- INPUT yolox/yolox-nano`

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;

use eyespot::core::{Boxed, ErrorType, Record, Sink};
use eyespot::media::Input;
use eyespot::runtime::{Model, Settings};

/// Counts classes, and the frames that showed none.
#[derive(Default)]
struct Census {
    labels: Vec<String>,
    seen: BTreeMap<String, u64>,
    empty: u64,
}

impl ErrorType for Census {
    type Error = Infallible;
}

impl Sink for Census {
    /// Besides results, a record has the pixels of the frame and its name.
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.empty += u64::from(record.predictions.is_empty());
        for class in record.predictions.class_idxs() {
            if let Some(label) = self.labels.get(class.index()) {
                *self.seen.entry(label.clone()).or_default() += 1;
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, model @ ..] = arguments.as_slice() else {
        return Err("usage: own-sink INPUT [MODEL]".into());
    };
    let census = count(input, model.first().map_or("motion", String::as_str))?;
    for (label, count) in &census.seen {
        println!("{count:8} {label}");
    }
    println!("{:8} frames with nothing", census.empty);
    Ok(())
}

fn count(input: impl Into<Input>, model: &str) -> Result<Census, Box<dyn Error>> {
    let model = Model::load(model)?;
    let mut sink = Boxed(Census { labels: model.labels().to_vec(), ..Census::default() });
    let mut session = model.predict(input, &Settings::default())?;
    while session.step(&mut sink)?.is_some() {}
    Ok(sink.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_tests::walkers;

    #[test]
    fn frames_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("walkers.mp4");
        walkers::write(&video);
        let census = count(&video, "motion").unwrap();
        // Nobody is there before frame 20; each of five walkers is there for 136 frames.
        let seen = census.seen["moving"];
        assert!(census.empty >= 20 && (500..=700).contains(&seen), "{} {seen}", census.empty);
    }
}
