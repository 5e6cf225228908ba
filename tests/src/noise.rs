//! Weights and inputs of noise that depend on names alone; `golden/noise.py` makes the same for reference
//! implementations, so that neither weights nor inputs need a file.

use crate::tensors::Tensor;

/// SplitMix64 (Steele et al., 2014) that starts from the FNV-1a hash of the name; -1..1.
pub fn noise(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
    .take(count)
}

/// A tensor of about the size that training gives one of this name and shape.
#[must_use]
pub fn weight(name: &str, shape: &[usize]) -> Tensor {
    let fan_in: usize = shape.iter().skip(1).product();
    let kind = name.rsplit('.').next().unwrap_or_default();
    let value = |noise: f64| match (shape.len(), kind) {
        (2.., _) => noise * (2.0 / fan_in as f64).sqrt(),
        (_, "weight") => 1.0 + 0.25 * noise,
        (_, "running_var") => 1.0 + 0.5 * noise,
        _ => 0.125 * noise,
    };
    let values = noise(name, shape.iter().product()).map(|noise| value(noise) as f32).collect();
    (name.to_owned(), shape.to_vec(), values)
}
