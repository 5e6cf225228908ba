//! The file format: a change must come with a new version.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{arena, base64};
use eyespot_convert::{ColorOrder, Graph, ImageFit, Task};
use eyespot_nn::{Model, Network, VERSION, arena_bytes, arena_words};

/// A file of version 1 that was written once.
const FILE: &[u8] = include_bytes!("golden/version1.eye");

/// Known when firmware is built.
const WORDS: usize = arena_words(FILE);

fn small() -> Vec<u8> {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("golden/tflite_operators.json")).unwrap();
    let case = cases.as_array().unwrap().iter().find(|case| case["name"] == "add relu6").unwrap();
    let graph = Graph::from_tflite(&base64(case["model"].as_str().unwrap())).unwrap().with_name("sum");
    let image = graph.image_of_levels(ColorOrder::Rgb, ImageFit::Center);
    graph.with_image(image).with_task(Task::FastestDet { trained: [352, 352] }).build().unwrap().bytes
}

#[test]
fn what_is_written_is_what_was_written() {
    assert_eq!(VERSION, 1, "a new version needs a new file beside the old one");
    assert!(small() == FILE, "the format has changed: raise the version");
}

#[test]
fn an_old_file_loads_and_runs() {
    let model = Model::load(FILE).unwrap();
    assert_eq!((model.name(), model.arena_bytes(), model.layers().count()), ("sum", arena_bytes(FILE), 1));
    assert_eq!(model.info().task, Task::FastestDet { trained: [352, 352] });
    let mut network = Network::new(model, [0u64; WORDS]).unwrap();
    assert_eq!(network.input_mut(0).i8().unwrap().len(), 210);
    assert!(network.input_mut(2).i8().unwrap().is_empty());
    network.run();
    let plain = {
        let mut plain = Network::plain(model, arena(model.arena_bytes())).unwrap();
        plain.run();
        plain.output(0).i8().unwrap().to_vec()
    };
    assert_eq!(network.output(0).i8().unwrap(), plain);
}
