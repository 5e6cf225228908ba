//! Models that are read from files, without keeping them in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};

use common::{base64, data, image};
use eyespot_convert::Graph;
use eyespot_nn::host::{Arena, Header, Host, Level, ReadError};
use eyespot_nn::{Model, Network, ValuesMut};

/// Models of all sizes: single operators, whose tables and constants the kernels read where they lie, and networks.
fn models() -> Vec<Vec<u8>> {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("golden/tflite_operators.json")).unwrap();
    let cases = cases.as_array().unwrap().iter().map(|case| base64(case["model"].as_str().unwrap()));
    let mut graphs: Vec<Graph> = cases.map(|model| Graph::from_tflite(&model).unwrap()).collect();
    if let Some(data) = data() {
        let read = |name: &str| std::fs::read(data.join(format!("models/{name}"))).unwrap();
        graphs.push(Graph::from_tflite(&read("mcu/person_detect_96_int8.tflite")).unwrap());
        graphs.push(Graph::from_onnx(&read("osnet_x0_25_market1501.onnx"), None).unwrap());
        graphs.push(Graph::from_onnx(&read("yolox_nano.onnx"), Some([96, 160])).unwrap());
        let graph = Graph::from_onnx(&read("fastestdet_352.onnx"), Some([96, 96])).unwrap();
        let sample = image(3, 96, 96, 3).into_iter().map(|level| f32::from(level) / 255.0).collect();
        graphs.push(graph.quantized([sample]).unwrap());
    }
    graphs.into_iter().map(|graph| graph.build().unwrap().bytes).collect()
}

/// One of the small ones that has weights.
fn with_weights() -> Vec<u8> {
    models().into_iter().filter(|bytes| bytes.len() < 20_000).max_by_key(Vec::len).unwrap()
}

/// The name and the bytes of every layer for a made-up input.
fn layers(mut network: Network<'_, Arena>) -> Vec<(String, Vec<u8>)> {
    for index in 0..network.description().info().inputs.into() {
        let levels = image(index as u32, 64, 64, 4);
        let levels = levels.iter().cycle();
        match network.input_mut(index) {
            ValuesMut::I8(to) => to.iter_mut().zip(levels).for_each(|(to, level)| *to = *level as i8),
            ValuesMut::F32(to) => {
                to.iter_mut().zip(levels).for_each(|(to, level)| *to = f32::from(*level) / 255.0);
            }
        }
    }
    let mut layers = Vec::new();
    network.run_with(|layer, bytes| layers.push((layer.name.to_owned(), bytes.to_vec())));
    layers
}

#[test]
fn a_file_does_what_its_bytes_do() {
    for bytes in models() {
        for level in Level::all() {
            let host = Host { threads: 2, level };
            let model = Model::load(&bytes).unwrap();
            let expected = layers(Network::on_host(model, host));
            let mut file = Cursor::new(&bytes);
            let header = Header::read(&mut file).unwrap();
            let found = layers(Network::from_file(&header, &mut file, host).unwrap());
            assert!(expected == found, "{}", model.name());
        }
    }
}

/// A file that gives few bytes at a time, is interrupted now and then, and fails after some reads.
struct Failing<'a> {
    bytes: Cursor<&'a [u8]>,
    reads: usize,
    broken: bool,
}

impl Read for Failing<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.reads == 0 {
            self.broken = true;
            return Err(ErrorKind::TimedOut.into());
        }
        self.reads -= 1;
        if self.reads.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let len = to.len().min(100);
        self.bytes.read(&mut to[..len])
    }
}

impl Seek for Failing<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_file_that_breaks_off_is_an_error() {
    let bytes = with_weights();
    for reads in 0.. {
        let mut file = Failing { bytes: Cursor::new(&bytes), reads, broken: false };
        let header = Header::read(&mut file);
        let host = Host { threads: 1, level: Level::best() };
        let network = header.as_ref().map(|header| Network::from_file(header, &mut file, host));
        match &network {
            Err(ReadError::Io(error)) | Ok(Err(ReadError::Io(error))) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                assert!(file.broken);
            }
            Ok(Ok(_)) => {
                assert!(reads > 3 && !file.broken);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is checked is what was there then.
#[test]
fn a_file_that_shrinks_is_an_error() {
    let bytes = with_weights();
    let header = Header::read(&mut Cursor::new(&bytes)).unwrap();
    let host = Host { threads: 1, level: Level::best() };
    let weights = Network::from_file(&header, &mut Cursor::new(&bytes[..bytes.len() - 1]), host);
    match weights {
        Err(ReadError::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
}
