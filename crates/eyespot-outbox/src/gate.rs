//! Pauses after failures.

use std::time::{Duration, Instant};

/// Lets deliveries through, after pauses that grow with every failure in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gate {
    failures: u32,
    until: Option<Instant>,
}

impl Gate {
    /// How long to wait from now on.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn open(&mut self) {
        *self = Self::default();
    }

    /// After a failure: the first pause, doubled for each one before, up to the longest; a quarter of it by chance, so
    /// that many devices do not come back at once. Never shorter than the platform asks for.
    pub(crate) fn close(
        &mut self,
        now: Instant,
        first: Duration,
        most: Duration,
        asked: Option<Duration>,
        chance: f64,
    ) {
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(most);
        let pause = pause.mul_f64(0.75 + 0.25 * chance.clamp(0.0, 1.0));
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause.max(asked.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_respect_what_is_asked() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(10));
        let (mut gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.wait(now), Duration::ZERO);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            gate.close(now, first, most, None, 1.0);
            pauses.push(gate.wait(now).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        gate.close(now, first, most, Some(Duration::from_secs(99)), 0.0);
        assert_eq!(gate.wait(now).as_secs(), 99);
        gate.open();
        gate.close(now, first, most, None, 0.0);
        assert_eq!(gate.wait(now).as_millis(), 750);
    }
}
