//! Burn and `eyespot-nn` give the same outputs for the same network.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use eyespot_nn::{Model, Network};
use network::made_up::{HEADS, SIDE, image, recording};

#[test]
fn the_engines_agree() {
    let eye = recording().graph([SIDE, SIDE]).unwrap().build().unwrap();
    let model = Model::load(&eye.bytes).unwrap();
    let mut planned = Network::new(model, vec![0u64; model.arena_words()]).unwrap();
    let burn = burn_network::Network::new();
    for index in 0..3 {
        let pixels: Vec<f32> = image(index).collect();
        planned.input_mut(0).f32().unwrap().copy_from_slice(&pixels);
        planned.run();
        let mut expected = burn.run(pixels).unwrap().into_iter();
        let (mut largest, mut worst) = (0f32, 0f32);
        for (output, head) in HEADS.iter().enumerate() {
            let values = planned.output(output).f32().unwrap();
            // Burn has channel by channel, the engine pixel by pixel.
            for channel in 0..head.to {
                for pixel in values.chunks_exact(head.to) {
                    let expected = expected.next().unwrap();
                    largest = largest.max(expected.abs());
                    worst = worst.max((pixel[channel] - expected).abs());
                }
            }
        }
        assert_eq!(expected.next(), None);
        assert!(largest > 0.5 && worst < 1e-5 * largest, "image {index}: {worst} of {largest}");
    }
}
