//! The shift of the whole picture, by trying all shifts of the smallest pyramid level: a start for Lucas-Kanade that
//! large motions need.

use crate::level::Level;

/// Farthest shift that is tried, in pixels of the level: pyramids of narrow pictures end early.
const REACH: usize = 10;

/// The shift with the least mean difference between the levels, in pixels of the level, up to a sixth of the width
/// and a fifth of the height each way. A change of brightness does not matter.
pub(crate) fn coarse_shift(previous: &Level<'_>, current: &Level<'_>) -> [f32; 2] {
    let (width, height) = (previous.width, previous.height);
    let mean = |level: &Level<'_>| {
        let sum: u64 = level.data.iter().map(|&byte| u64::from(byte)).sum();
        (sum / level.data.len().max(1) as u64) as i16
    };
    let brighter = mean(current) - mean(previous);
    let (reach_x, reach_y) = ((width / 6).min(REACH) as isize, (height / 5).min(REACH) as isize);
    let mut best = (f32::MAX, [0.0, 0.0]);
    for dy in -reach_y..=reach_y {
        for dx in -reach_x..=reach_x {
            let columns = width - dx.unsigned_abs();
            let rows = height - dy.unsigned_abs();
            let mut sum = 0u32;
            for row in 0..rows {
                let from = (row + dy.min(0).unsigned_abs()) * width + dx.min(0).unsigned_abs();
                let to = (row + dy.max(0).unsigned_abs()) * width + dx.max(0).unsigned_abs();
                let a = previous.data.get(from..from + columns).unwrap_or(&[]);
                let b = current.data.get(to..to + columns).unwrap_or(&[]);
                sum += differences(a, b, brighter);
            }
            let mean = sum as f32 / (columns * rows).max(1) as f32;
            // Equal shifts, as on a flat picture, are decided for the smaller one.
            let cost = mean * (1.0 + 1e-3 * (dx.abs() + dy.abs()) as f32);
            if cost < best.0 {
                best = (cost, [dx as f32, dy as f32]);
            }
        }
    }
    best.1
}

#[inline]
fn differences(a: &[u8], b: &[u8], brighter: i16) -> u32 {
    let pairs = a.iter().zip(b);
    pairs.map(|(&a, &b)| u32::from((i16::from(b) - i16::from(a) - brighter).unsigned_abs())).sum()
}
