//! Arithmetic that gives the same bits on every target: only `+ - * /`, square root and floor of `f32`, and integers.

/// One point or vector, pixels.
pub(crate) type Point = (f32, f32);

/// A well-mixed hash of 32 bits.
#[inline]
pub(crate) const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Random numbers by hashing a counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rng(u32);

impl Rng {
    /// A stream of its own for each seed and each of the two keys.
    pub(crate) const fn new(seed: u32, key: u32, lap: u32) -> Self {
        Self(mix(seed ^ mix(key.wrapping_add(0x51ed_270b) ^ mix(lap.wrapping_add(0x2545_f491)))))
    }

    pub(crate) const fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        mix(self.0)
    }

    /// Uniform in `0..1`.
    pub(crate) const fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in `low..high`.
    pub(crate) const fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// One entry of a non-empty table.
    pub(crate) const fn pick<const N: usize>(&mut self, table: &[[u8; 3]; N]) -> [u8; 3] {
        table[self.bits() as usize % N]
    }
}

/// Sine of an angle in turns, within 0.0011: two parabolas and one correction, no table.
pub(crate) fn sin_turns(turns: f32) -> f32 {
    let x = turns - libm::floorf(turns) - 0.5;
    let parabola = 16.0 * x * x.abs() - 8.0 * x;
    parabola * (0.775 + 0.225 * parabola.abs())
}

/// 0 below 0, 1 above 1 and a smooth rise between.
pub(crate) fn smooth(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

pub(crate) fn length((x, y): Point) -> f32 {
    libm::sqrtf(x * x + y * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sine_is_close_to_the_true_one() {
        for step in -2000..2000 {
            let turns = step as f32 / 700.0;
            let want = (f64::from(turns) * std::f64::consts::TAU).sin();
            assert!((f64::from(sin_turns(turns)) - want).abs() < 0.0012, "{turns}");
        }
    }

    #[test]
    fn random_numbers_fill_their_range_evenly() {
        let mut rng = Rng::new(1, 2, 3);
        let mut bins = [0u32; 10];
        for _ in 0..10_000 {
            bins[(rng.unit() * 10.0) as usize] += 1;
        }
        assert!(bins.iter().all(|&bin| (880..1120).contains(&bin)), "{bins:?}");
    }
}
