//! Times a model on this computer: `cargo run --release -p eyespot-nn --example time -- MODEL.eye`.

use std::time::Instant;

use eyespot_nn::{Model, Network};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(std::env::args().nth(1).ok_or("give a model")?)?;
    let model = Model::load(&bytes)?;
    let mut network = Network::new(model, vec![0u64; model.arena_words()])?;
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let start = Instant::now();
        network.run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    let mut layers = Vec::new();
    let mut start = Instant::now();
    network.run_with(|layer, _| {
        layers.push((start.elapsed().as_secs_f64(), layer.name));
        start = Instant::now();
    });
    layers.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (seconds, name) in layers.iter().take(10) {
        println!("{:8.3} ms  {name}", seconds * 1e3);
    }
    println!("{:8.3} ms  {}, {:.2} GMAC/s", best * 1e3, model.name(), model.info().macs as f64 / best / 1e9);
    Ok(())
}
