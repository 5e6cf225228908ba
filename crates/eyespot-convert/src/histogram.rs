//! How often a tensor had which values, and the range that quantises them best.

use crate::ir::Quant;

/// Bins on each side of zero.
const BINS: usize = 2048;

/// The values that a tensor had, in bins of one width around zero. It doubles when a value lies outside.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// From `-reach` to `reach`.
    bins: Vec<u64>,
    reach: f32,
    low: f32,
    high: f32,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { bins: vec![0; 2 * BINS], reach: 1.0 / 1024.0, low: 0.0, high: 0.0 }
    }

    /// Adds values. Those that are not finite are left out.
    pub(crate) fn add(&mut self, values: impl Iterator<Item = f32>) {
        for value in values.filter(|value| value.is_finite()) {
            while value.abs() >= self.reach {
                self.double();
            }
            let bin = (value / self.reach + 1.0) * BINS as f32;
            self.bins[(bin as usize).min(2 * BINS - 1)] += 1;
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
    }

    /// Adds what another one counted.
    pub(crate) fn include(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.reach < other.reach {
            self.double();
        }
        while other.reach < self.reach {
            other.double();
        }
        for (bin, count) in self.bins.iter_mut().zip(&other.bins) {
            *bin += count;
        }
        (self.low, self.high) = (self.low.min(other.low), self.high.max(other.high));
    }

    /// Bins of twice the width.
    fn double(&mut self) {
        let pairs: Vec<u64> = self.bins.as_chunks::<2>().0.iter().map(|[a, b]| a + b).collect();
        self.bins.fill(0);
        self.bins[BINS / 2..BINS / 2 + BINS].copy_from_slice(&pairs);
        self.reach *= 2.0;
    }

    /// Scale and zero point for all values between the bounds.
    pub(crate) fn whole(&self, [least, most]: [f32; 2]) -> Quant {
        quant(self.low.max(least), self.high.min(most))
    }

    /// Scale and zero point with the least mean square of the errors of rounding and of what lies outside: a few large
    /// values don't cost all others their resolution. Values beyond the bounds count as the bounds.
    pub(crate) fn best(&self, [least, most]: [f32; 2]) -> Quant {
        let sums = Sums::new(self, [least, most]);
        let (low, high) = (self.low.max(least), self.high.min(most));
        // Ends that come closer to zero by an eighth at a time.
        let ends = |end: f32| (0..=STEPS).map(move |step| end * 0.875f32.powi(step));
        let candidates = ends(low).flat_map(|low| ends(high).map(move |high| [low, high]));
        let best = candidates.min_by(|a, b| sums.error(*a).total_cmp(&sums.error(*b)));
        let [low, high] = best.unwrap_or([low, high]);
        quant(low, high)
    }
}

/// Steps of the search for the best range at each end.
const STEPS: i32 = 16;

/// Both ends and zero are representable.
fn quant(low: f32, high: f32) -> Quant {
    let scale = ((high.max(0.0) - low.min(0.0)) / 255.0).max(1e-9);
    let zero = (-128.0 - low.min(0.0) / scale).round().clamp(-128.0, 127.0) as i8;
    Quant { scale, zero }
}

/// Number, sum and sum of squares of all values up to each bin.
struct Sums {
    upto: Vec<[f64; 3]>,
    width: f32,
    reach: f32,
}

impl Sums {
    fn new(histogram: &Histogram, [least, most]: [f32; 2]) -> Self {
        let width = histogram.reach / BINS as f32;
        let mut upto = vec![[0.0; 3]];
        let mut sum = [0.0; 3];
        for (at, &count) in histogram.bins.iter().enumerate() {
            let value = ((at as f32 + 0.5) * width - histogram.reach).clamp(least, most);
            let (count, value) = (count as f64, f64::from(value));
            sum = [sum[0] + count, sum[1] + count * value, sum[2] + count * value * value];
            upto.push(sum);
        }
        Self { upto, width, reach: histogram.reach }
    }

    /// The sums up to a value.
    fn at(&self, value: f32) -> [f64; 3] {
        let bin = ((value + self.reach) / self.width).round().clamp(0.0, 2.0 * BINS as f32);
        self.upto[bin as usize]
    }

    /// The sum of the squared errors with this range.
    fn error(&self, [low, high]: [f32; 2]) -> f64 {
        let all = self.upto[self.upto.len() - 1];
        let (below, inside) = (self.at(low), self.at(high));
        let above = [0, 1, 2].map(|power| all[power] - inside[power]);
        // Sums of (value - end)^2.
        let outside = |[count, sum, squares]: [f64; 3], end: f32| {
            let end = f64::from(end);
            squares - 2.0 * end * sum + end * end * count
        };
        let scale = f64::from(high - low) / 255.0;
        outside(below, low) + outside(above, high) + (inside[0] - below[0]) * scale * scale / 12.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

    #[test]
    fn a_range_has_both_ends_and_zero() {
        let mut histogram = Histogram::new();
        histogram.add([-1.0, 3.0, f32::NAN, f32::INFINITY].into_iter());
        let whole = histogram.whole(OPEN);
        assert_eq!((whole.scale, whole.zero), (4.0 / 255.0, -64));
        assert_eq!(histogram.whole([-0.5, 2.0]), quant(-0.5, 2.0));
        let mut positive = Histogram::new();
        positive.add([5.0].into_iter());
        assert_eq!(positive.whole(OPEN).zero, -128);
    }

    #[test]
    fn one_large_value_does_not_cost_the_others_their_resolution() {
        let mut histogram = Histogram::new();
        // As many as the values of some images, evenly from -1 to 1.
        histogram.add((0..2_000_000).map(|at| at as f32 / 1e6 - 1.0));
        let even = histogram.best(OPEN);
        assert!((even.scale - 2.0 / 255.0).abs() < 1e-4, "{even:?}");
        let mut other = Histogram::new();
        other.add([40.0].into_iter());
        histogram.include(&other);
        let (whole, best) = (histogram.whole(OPEN), histogram.best(OPEN));
        assert!(whole.scale > 0.16 && best.scale < 0.06, "{whole:?} {best:?}");
        // A quarter of them is no exception.
        other.add(std::iter::repeat_n(40.0, 500_000));
        histogram.include(&other);
        assert!(histogram.best(OPEN).scale > 0.15);
    }
}
