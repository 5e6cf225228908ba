//! Models of microcontrollers against the TensorFlow Lite interpreter, bit for bit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{Crc, arena, base64, data, image};
use eyespot_convert::{ColorOrder, Converted, Graph, ImageFit, Task};
use eyespot_core::{
    ClassId, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use eyespot_nn::graph::{Op, Shape};
use eyespot_nn::host::{Host, Level};
use eyespot_nn::{Model, Network, NnError, NnPredictor, NnStorage};

fn convert(name: &str) -> Option<Converted> {
    let path = data()?.join(format!("models/mcu/{name}.tflite"));
    let graph = Graph::from_tflite(&std::fs::read(path).unwrap()).unwrap();
    Some(graph.with_name(name).build().unwrap())
}

/// Every layer of every model gives the bytes of the interpreter for 100 inputs.
#[test]
fn every_layer_equals_the_interpreter() {
    if data().is_none() {
        return;
    }
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/tflite_networks.json")).unwrap();
    for (name, expected) in golden.as_object().unwrap() {
        let converted = convert(name).unwrap();
        let model = Model::load(&converted.bytes).unwrap();
        let mut network = Network::new(model, arena(model.arena_bytes())).unwrap();
        let input = model.input(0).unwrap().slot.shape;
        let layers = expected["layers"].as_array().unwrap();
        let mut sums = vec![Crc::NEW; layers.len()];
        for (index, best) in (0..).zip(expected["best"].as_array().unwrap()) {
            let levels = image(index, input.h, input.w, input.c);
            for (to, level) in network.input_mut(0).i8().unwrap().iter_mut().zip(levels) {
                *to = (level ^ 0x80) as i8;
            }
            let mut at = 0;
            network.run_with(|layer, bytes| {
                // Layers that only move values have no counterpart.
                if !matches!(layer.op, Op::Copy(_)) {
                    sums[at].update(bytes);
                    at += 1;
                }
            });
            let output = network.output(0).i8().unwrap();
            for pair in best.as_array().unwrap() {
                let (class, value) = (pair[0].as_u64().unwrap(), pair[1].as_i64().unwrap());
                assert_eq!(i64::from(output[class as usize]), value, "{name}, input {index}, class {class}");
            }
        }
        hosts_do_the_same(name, &model, input);
        let sums: Vec<_> = sums.into_iter().map(Crc::hex).collect();
        let layers: Vec<_> = layers.iter().map(|sum| sum.as_str().unwrap()).collect();
        assert_eq!(sums, layers, "{name}");
    }
}

/// Every instruction set and number of threads gives the bytes of the plain kernels, layer by layer.
fn hosts_do_the_same(name: &str, model: &Model<'_>, input: Shape) {
    let levels = image(1, input.h, input.w, input.c);
    let fill = |to: &mut [i8]| {
        for (to, level) in to.iter_mut().zip(&levels) {
            *to = (level ^ 0x80) as i8;
        }
    };
    let mut plain = Network::plain(*model, arena(model.arena_bytes())).unwrap();
    fill(plain.input_mut(0).i8().unwrap());
    let mut expected = Vec::new();
    plain.run_with(|_, bytes| expected.push(bytes.to_vec()));
    for level in Level::all() {
        for threads in 1..=3 {
            let mut network = Network::on_host(*model, Host { threads, level });
            fill(network.input_mut(0).i8().unwrap());
            let mut layers = expected.iter();
            network.run_with(|layer, bytes| {
                let same = layers.next().unwrap() == bytes;
                assert!(same, "{name}, {}, {} with {threads} threads", layer.name, level.name());
            });
        }
    }
}

/// The scores of the two photos that come with the model, their bytes taken as they are.
#[test]
fn person_detect_knows_a_person() {
    let Some(data) = data() else { return };
    let converted = convert("person_detect_96_int8").unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let mut network = Network::new(model, arena(model.arena_bytes())).unwrap();
    for (photo, scores) in [("person", [-113, 113]), ("no_person", [57, -57])] {
        let photo = image::open(data.join(format!("images/mcu/{photo}_96_gray.bmp"))).unwrap().into_luma8();
        for (to, level) in network.input_mut(0).i8().unwrap().iter_mut().zip(photo.as_raw()) {
            *to = *level as i8;
        }
        network.run();
        assert_eq!(network.output(0).i8().unwrap(), scores);
    }
}

/// What the models need; a change for the worse must be meant.
#[test]
fn the_memory_of_the_models() {
    if data().is_none() {
        return;
    }
    for (name, arena, macs) in [
        ("person_detect_96_int8", 55_360, 7_157_888),
        ("vww_96_int8", 55_360, 7_489_664),
        ("resnet8_cifar10_int8", 49_872, 12_501_632),
        ("mobilenet_v1_0.25_128_uint8", 98_368, 13_570_304),
        ("hello_world_int8", 96, 288),
    ] {
        let report = convert(name).unwrap().report;
        assert_eq!((report.arena, report.arena_bound, report.macs), (arena, arena, macs), "{report:?}");
    }
}

/// Every operator by itself, on random values.
#[test]
fn every_operator_equals_the_interpreter() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("golden/tflite_operators.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let graph = Graph::from_tflite(&base64(case["model"].as_str().unwrap())).expect(name);
        let converted = graph.build().expect(name);
        let model = Model::load(&converted.bytes).unwrap();
        let mut network = Network::new(model, arena(model.arena_bytes())).unwrap();
        for (index, input) in case["inputs"].as_array().unwrap().iter().enumerate() {
            let values = base64(input.as_str().unwrap());
            for (to, from) in network.input_mut(index).i8().unwrap().iter_mut().zip(&values) {
                *to = *from as i8;
            }
        }
        network.run();
        let expected: Vec<i8> =
            base64(case["output"].as_str().unwrap()).iter().map(|&value| value as i8).collect();
        let output = network.output(0).i8().unwrap();
        assert_eq!(output, expected, "{name}");
        for level in Level::all() {
            let host = Host { threads: 2, level };
            let mut network = Network::on_host(model, host);
            for (index, input) in case["inputs"].as_array().unwrap().iter().enumerate() {
                let values = base64(input.as_str().unwrap());
                for (to, from) in network.input_mut(index).i8().unwrap().iter_mut().zip(&values) {
                    *to = *from as i8;
                }
            }
            network.run();
            assert_eq!(network.output(0).i8().unwrap(), expected, "{name} {}", level.name());
        }
    }
}

/// YOLOX-nano with weights in half precision and in bytes (a "dynamic range") beside the ONNX model that they were made of:
/// `LiteRT`'s results of the first one are within 2e-4 of these, of the second as far from the original.
#[test]
fn weights_in_fewer_bits_give_nearly_the_same() {
    let Some(data) = data() else { return };
    let output = |graph: Graph, input: &[f32]| -> Vec<f32> {
        let Converted { bytes, report } = graph.build().unwrap();
        // The files have 218 transpositions: what is there for them alone is gone.
        assert!(report.layers < 280, "{report}");
        let mut network = Network::on_host(Model::load(&bytes).unwrap(), Host::default());
        network.input_mut(0).f32().unwrap().copy_from_slice(input);
        network.run();
        network.output(0).f32().unwrap().to_vec()
    };
    let pixels: Vec<f32> = image(3, 416, 416, 3).into_iter().map(f32::from).collect();
    let planes: Vec<f32> = (0..3).flat_map(|plane| pixels.iter().skip(plane).step_by(3).copied()).collect();
    let read = |name: &str| std::fs::read(data.join(format!("models/yolox_nano{name}"))).unwrap();
    let original = output(Graph::from_onnx(&read(".onnx"), None).unwrap(), &pixels);
    for (name, mean) in [("_float16.tflite", 4e-4), ("_dynamic_range.tflite", 5e-3)] {
        let found = output(Graph::from_tflite(&read(name)).unwrap(), &planes);
        assert_eq!(found.len(), original.len());
        let error = found.iter().zip(&original).map(|(a, b)| (a - b).abs()).sum::<f32>() / found.len() as f32;
        eprintln!("{name}: {error}");
        assert!(error < mean, "{name}: {error}");
    }
}

/// The whole way: a photo in, a detection of the whole frame out; the class without a label is not reported.
#[test]
fn person_detect_as_a_predictor() {
    let Some(data) = data() else { return };
    let tflite = std::fs::read(data.join("models/mcu/person_detect_96_int8.tflite")).unwrap();
    let graph = Graph::from_tflite(&tflite).unwrap();
    let image = graph.image_of_levels(ColorOrder::Gray, ImageFit::Stretch);
    let converted =
        graph.with_name("person-detect").with_image(image).with_task(Task::Classify).build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let network = || Network::new(model, arena(model.arena_bytes())).unwrap();
    let mut storage = NnStorage::<96, 0>::new();
    let error = NnPredictor::new(network(), &mut storage, &["", "person", "dog"]).unwrap_err();
    assert_eq!(error, NnError::Labels { classes: 2, labels: 3 });
    let error = NnPredictor::new(network(), &mut NnStorage::<95, 0>::new(), &["", "person"]).unwrap_err();
    assert_eq!(error, NnError::Columns { needed: 96, available: 95 });
    let mut predictor = NnPredictor::new(network(), &mut storage, &["", "person"]).unwrap();
    // A predictor takes levels less 128, so the scores are others than those of the bytes as they are.
    for (photo, scores, found) in [("no_person", [77, -77], 0), ("person", [4, -4], 1)] {
        let photo = image::open(data.join(format!("images/mcu/{photo}_96_gray.bmp"))).unwrap().into_luma8();
        let view = ImageView::packed(&photo, 96, 96, PixelFormat::Gray8).unwrap();
        let mut results = Predictions::<4>::new();
        let options = PredictOptions::new().with_conf(0.45).unwrap();
        predictor.predict(&Frame::still(view), &options, results.view_mut()).unwrap();
        assert_eq!(predictor.network().output(0).i8().unwrap(), scores);
        let results = results.view();
        assert_eq!(results.detections().len(), found);
        for person in results.detections() {
            assert_eq!((person.class, person.bbox.x2, person.bbox.y2), (ClassId(1), 96.0, 96.0));
            assert_eq!(person.score, 124.0 / 256.0);
        }
    }
}
