//! Recorded networks on the CPU's engine.

use eyespot_convert::Recording;
use eyespot_nn::host::{Host, Level};
use eyespot_nn::{Model, Network};

/// The outputs of a network for an image of three planes.
#[must_use]
pub fn outputs(recording: &Recording, [height, width]: [usize; 2], planes: &[f32]) -> Vec<Vec<f32>> {
    let bytes = recording.graph([height, width]).unwrap().build().unwrap().bytes;
    let model = Model::load(&bytes).unwrap();
    let host = Host { threads: 2, level: Level::best() };
    let mut network = Network::on_host(model, host);
    let input = network.input_mut(0).f32().unwrap();
    assert_eq!(input.len(), planes.len());
    for (channel, plane) in planes.chunks_exact(height * width).enumerate() {
        for (pixel, value) in input.chunks_exact_mut(3).zip(plane) {
            pixel[channel] = *value;
        }
    }
    network.run();
    (0..)
        .map_while(|index| model.output(index).map(|_| network.output(index).f32().unwrap().to_vec()))
        .collect()
}
