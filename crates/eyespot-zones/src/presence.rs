//! Something is there, and stays.

/// When presence counts, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PresenceConfig {
    /// Active once something was there for this time.
    pub after_us: u64,
    /// Gaps up to this time do not end a presence: a missed detection, a short occlusion.
    pub gap_us: u64,
    /// Stays active for at least this time after the last sight.
    pub hold_us: u64,
}

/// Turns "there" and "not there" of each frame into a steady signal. Needs no tracks: two people who relieve one
/// another are one presence.
#[derive(Debug, Clone, Copy)]
pub struct Presence {
    config: PresenceConfig,
    first_us: Option<u64>,
    last_us: u64,
    active: bool,
}

impl Presence {
    /// Nothing was there yet.
    #[must_use]
    pub const fn new(config: PresenceConfig) -> Self {
        Self { config, first_us: None, last_us: 0, active: false }
    }

    /// Takes the next frame's answer, in the order of time; `true` while active.
    pub fn update(&mut self, time_us: u64, present: bool) -> bool {
        let PresenceConfig { after_us, gap_us, hold_us } = self.config;
        let away = time_us.saturating_sub(self.last_us);
        if away > gap_us {
            self.first_us = None;
        }
        if away > gap_us.max(hold_us) {
            self.active = false;
        }
        if present {
            let first = *self.first_us.get_or_insert(time_us);
            self.last_us = time_us;
            self.active |= time_us.saturating_sub(first) >= after_us;
        }
        self.active
    }

    /// Is it active, as of the last update?
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_after_a_while_over_gaps_and_for_the_hold_time() {
        let mut presence = Presence::new(PresenceConfig { after_us: 30, gap_us: 10, hold_us: 50 });
        // Seen at these times, with a gap of 20 that starts it anew.
        let seen = [0, 10, 30, 40, 50, 60, 70, 130, 200];
        let active: std::vec::Vec<u64> = (0..30)
            .map(|step| step * 10)
            .filter(|&time| presence.update(time, seen.contains(&time)))
            .collect();
        // 30 to 60 is long enough; the hold ends 50 after 70. What comes later is too short.
        assert_eq!(active, [60, 70, 80, 90, 100, 110, 120]);
    }

    #[test]
    fn without_times_it_is_the_answer_itself() {
        let mut presence = Presence::new(PresenceConfig::default());
        assert!(
            [true, false, true, true]
                .into_iter()
                .enumerate()
                .all(|(at, there)| { presence.update(at as u64, there) == there })
        );
    }
}
