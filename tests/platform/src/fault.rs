//! Trouble on the way to a platform.

use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes before anything is done.
    Drop,
    /// The connection closes while the body of the request still comes; nothing is done.
    CutBody,
    /// Everything takes longer.
    Delay(Duration),
    /// Status 429 with `Retry-After`; nothing is done.
    Busy {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// This status; nothing is done.
    Status(u16),
    /// It is done, but the connection closes without an answer.
    LoseAnswer,
    /// It is done, but answered with this status, as by a proxy that did not want to wait.
    LateStatus(u16),
    /// It is done, but half of the answer is missing.
    Truncate,
    /// It is done twice, as where a proxy sends it again. The second answer is given.
    Twice,
}

/// Which requests a fault hits.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    method: String,
    left: Option<u32>,
    chance: f64,
}

impl Rule {
    /// All requests.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault, method: String::new(), left: None, chance: 1.0 }
    }

    /// Only methods whose names begin like this.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Only so many requests.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// Each request with this probability, `0..=1`.
    #[must_use]
    pub const fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }
}

/// The rules that are switched on. The first one that hits a request is taken.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    random: u64,
    hits: u64,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Removes all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Starts the sequence of chances anew.
    pub const fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    /// How many requests were hit.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits
    }

    pub(crate) fn next(&mut self, method: &str) -> Option<Fault> {
        for rule in &mut self.rules {
            if !method.starts_with(&rule.method)
                || rule.left == Some(0)
                || uniform(&mut self.random) >= rule.chance
            {
                continue;
            }
            rule.left = rule.left.map(|left| left - 1);
            self.hits += 1;
            return Some(rule.fault);
        }
        None
    }
}

/// Uniform in `0..1`: `SplitMix64`.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
