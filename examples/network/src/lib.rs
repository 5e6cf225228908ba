#![doc = include_str!("../README.md")]
#![no_std]

pub mod made_up;

use eyespot_nn::{Network, Values, crc32};

/// The finaliser of `MurmurHash3`.
const fn mix(mut value: u32) -> u32 {
    value ^= value >> 16;
    value = value.wrapping_mul(0x85EB_CA6B);
    value ^= value >> 13;
    value = value.wrapping_mul(0xC2B2_AE35);
    value ^ (value >> 16)
}

/// Fills the first input with image number `index`: noise in squares of 1, 2, 4, 8 or 16 pixels. These are the images that
/// `eyespot-convert` compares with the TensorFlow Lite interpreter. A floating-point input stays as it is.
pub fn fill<A: AsMut<[u64]> + AsRef<[u64]>>(network: &mut Network<'_, A>, index: u32) {
    let Some(shape) = network.description().input(0).map(|port| port.slot.shape) else { return };
    let Some(values) = network.input_mut(0).i8() else { return };
    let shift = index % 5;
    for (value, at) in values.iter_mut().zip(0u32..) {
        let (pixel, channel) = (at / shape.c, at % shape.c);
        let (y, x) = (pixel / shape.w, pixel % shape.w);
        let row = index.wrapping_mul(512).wrapping_add(y >> shift);
        let key = row.wrapping_mul(512).wrapping_add(x >> shift).wrapping_mul(4).wrapping_add(channel);
        *value = (mix(key) as u8 ^ 0x80) as i8;
    }
}

/// A checksum of all outputs, which goes on from another. The bytes of values count, in the order of the outputs.
#[must_use]
pub fn checksum<A: AsMut<[u64]> + AsRef<[u64]>>(network: &Network<'_, A>, before: u32) -> u32 {
    let count = usize::from(network.description().info().outputs);
    (0..count).fold(before, |sum, index| match network.output(index) {
        Values::I8(values) => values.chunks(64).fold(sum, |sum, values| {
            let mut bytes = [0; 64];
            for (byte, value) in bytes.iter_mut().zip(values) {
                *byte = *value as u8;
            }
            sum.rotate_left(1) ^ crc32(&bytes)
        }),
        Values::F32(values) => {
            values.iter().fold(sum, |sum, value| sum.rotate_left(1) ^ crc32(&value.to_le_bytes()))
        }
    })
}

/// Runs a network on so many images by `run` and returns the checksum of all outputs.
pub fn outputs<'m, A: AsMut<[u64]> + AsRef<[u64]>>(
    network: &mut Network<'m, A>,
    images: u32,
    mut run: impl FnMut(&mut Network<'m, A>),
) -> u32 {
    (0..images).fold(0, |sum, index| {
        fill(network, index);
        run(network);
        checksum(network, sum)
    })
}
