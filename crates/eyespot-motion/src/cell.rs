//! The background model of one cell, in two bytes.

/// What the background looks like at a cell.
///
/// - bits 0..8: mean grey level. It moves by whole levels with a probability that makes the expected step the one of
///   a running mean, so no fraction has to be kept (the idea of sigma-delta background estimation, Manzanera and
///   Richefeu, 2007, with an exponential rate).
/// - bits 8..12: how much the level varies: the 90 % quantile of its distance from the mean, one of 16 steps. A quantile
///   is found by stepping up nine times as readily as down, and is not spoilt by outliers.
/// - bits 12..16: for how long the cell has been in the foreground, in fifteenths of the absorption time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell(pub(crate) u16);

/// The grey levels of the 16 steps of variation, about a third apart.
const SPREAD: [u8; 16] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 38, 48, 60];

/// The age at which a foreground cell becomes background.
pub(crate) const OLD: u16 = 15;

/// How fast a model learns in one frame, as probabilities in units of 1/65536.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Weight of the new level in the running mean.
    pub(crate) mean: u32,
    /// Chance of a step of the spread up.
    pub(crate) spread: u32,
    /// Steps of age for a foreground cell.
    pub(crate) age: u16,
}

impl Cell {
    /// A background seen once.
    pub(crate) const fn new(level: u8) -> Self {
        Self(level as u16 | 1 << 8)
    }

    #[inline]
    pub(crate) const fn mean(self) -> u8 {
        self.0 as u8
    }

    /// By how many levels the background is known to vary.
    #[inline]
    pub(crate) const fn spread(self) -> u8 {
        SPREAD[(self.0 >> 8 & 15) as usize]
    }

    /// The same model at another brightness.
    #[inline]
    pub(crate) const fn relit(self, mean: u8) -> Self {
        Self(self.0 & 0xff00 | mean as u16)
    }

    /// Learns from a level that is background.
    #[inline]
    pub(crate) const fn learn(self, level: u8, rates: &Rates, random: u32) -> Self {
        let (mean, step) = (self.mean(), self.0 >> 8 & 15);
        let distance = mean.abs_diff(level);
        let moved = ((distance as u32 * rates.mean + (random & 0xffff)) >> 16) as u8;
        let moved = if moved > distance { distance } else { moved };
        let mean = if level > mean { mean + moved } else { mean - moved };
        let dice = random >> 16;
        let step = if distance > SPREAD[step as usize] {
            if dice < rates.spread && step < 15 { step + 1 } else { step }
        } else if dice * 9 < rates.spread && step > 0 {
            step - 1
        } else {
            step
        };
        Self(mean as u16 | step << 8)
    }

    /// Grows older in the foreground; what has become old is background from now on.
    #[inline]
    pub(crate) const fn hold(self, level: u8, age: u16) -> Self {
        let age = (self.0 >> 12) + age;
        if age >= OLD { Self(self.0 & 0x0f00 | level as u16) } else { Self(self.0 & 0x0fff | age << 12) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::XorShift;

    #[test]
    fn mean_and_spread_settle_on_those_of_the_signal() {
        let mut random = XorShift::SEED;
        let rates = Rates { mean: 65536 / 100, spread: 65536 / 10, age: 0 };
        let mut cell = Cell::new(90);
        let (mut means, mut spreads) = (0.0, 0.0);
        for frame in 0..6000 {
            // Uniform in 112..=144: the 90 % quantile of the distance from 128 is 15.
            let level = 112 + (random.next() >> 8) % 33;
            cell = cell.learn(level as u8, &rates, random.next());
            if frame >= 2000 {
                means += f64::from(cell.mean()) / 4000.0;
                spreads += f64::from(cell.spread()) / 4000.0;
            }
        }
        assert!((means - 128.0).abs() < 1.0, "{means}");
        assert!((12.0..19.0).contains(&spreads), "{spreads}");
    }

    #[test]
    fn an_old_foreground_becomes_background() {
        let mut cell = Cell::new(50);
        for _ in 0..OLD - 1 {
            cell = cell.hold(200, 1);
            assert_eq!(cell.mean(), 50);
        }
        assert_eq!(cell.hold(200, 1).mean(), 200);
        // Seen as background once, it is young again.
        let seen = cell.learn(50, &Rates { mean: 0, spread: 0, age: 0 }, 0);
        assert_eq!(seen.hold(200, 1).mean(), 50);
    }
}
