//! A network of made-up weights, of the shape of `models/spotter`: `burn-network` and `cargo xtask burn` compare engines on it.

#[cfg(feature = "recording")]
use eyespot_convert::{Kernel, Recorded, Recording};

/// Side of the input, a grey image.
pub const SIDE: usize = 96;

/// A convolution with a bias; the padding keeps the image's size but for the stride.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Input channels.
    pub from: usize,
    /// Output channels.
    pub to: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Pixels from one position to the next.
    pub stride: usize,
}

/// One after the other, each with a rectifier.
pub const BODY: [Layer; 7] = [
    layer(1, 8, 3, 2),
    layer(8, 16, 3, 2),
    layer(16, 16, 3, 1),
    layer(16, 32, 3, 2),
    layer(32, 32, 3, 1),
    layer(32, 64, 3, 2),
    layer(64, 64, 3, 1),
];

/// Beside each other on what the body gives: the outputs.
pub const HEADS: [Layer; 3] = [layer(64, 1, 1, 1), layer(64, 4, 1, 1), layer(64, 3, 1, 1)];

const fn layer(from: usize, to: usize, kernel: usize, stride: usize) -> Layer {
    Layer { from, to, kernel, stride }
}

impl Layer {
    /// Its weights, `[to, from, kernel, kernel]`: noise that keeps the size of the values from layer to layer.
    pub fn weights(self) -> impl Iterator<Item = f32> {
        let inputs = self.from * self.kernel * self.kernel;
        let (count, seed) = (self.to * inputs, (self.from * 256 + self.to) as u32);
        // The variance of He's initialisation, 2 / inputs, of numbers that are spread evenly.
        let size = libm::sqrtf(6.0 / inputs as f32);
        noise(seed).take(count).map(move |number| number * size)
    }

    /// A bias for each output channel.
    pub fn bias(self) -> impl Iterator<Item = f32> {
        noise(self.to as u32).take(self.to).map(|number| number * 0.1)
    }
}

/// Image number `index`, its pixels row by row, `-1..=1`.
pub fn image(index: u32) -> impl Iterator<Item = f32> {
    noise(!index).take(SIDE * SIDE)
}

/// The network for `eyespot-convert`.
#[cfg(feature = "recording")]
#[must_use]
pub fn recording() -> Recording {
    let conv = |x: &Recorded, layer: Layer| {
        let Layer { from, to, kernel, stride } = layer;
        x.conv(Kernel {
            shape: [to, from, kernel, kernel],
            weights: layer.weights().collect(),
            bias: Some(layer.bias().collect()),
            stride: [stride; 2],
            padding: [kernel / 2; 4],
            groups: 1,
        })
    };
    Recording::of(1, |image| {
        let x = BODY.iter().fold(image, |x, &layer| conv(&x, layer).clamp(0.0, f32::INFINITY));
        HEADS.iter().map(|&layer| conv(&x, layer)).collect()
    })
}

/// Numbers of -1 to 1.
fn noise(seed: u32) -> impl Iterator<Item = f32> {
    (0u32..).map(move |at| {
        let bits = crate::mix(at.wrapping_add(crate::mix(seed)));
        bits as i32 as f32 / 2_147_483_648.0
    })
}
