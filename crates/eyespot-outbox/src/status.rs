//! What an outbox holds and has done.

use std::fmt::Write as _;

/// What an outbox holds and has done since it was made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Results that wait, parked ones included.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Results that were sent, but whether they arrived is not known.
    pub unsure: u64,
    /// Results that the platform will not take; see [`Outbox::parked`](crate::Outbox::parked).
    pub parked: u64,
    /// What happened so far.
    pub counts: Counts,
    /// The last delivery that failed; `None` after one that went well.
    pub trouble: Option<String>,
    /// Why nothing is delivered until a worker is started again, for example a wrong token.
    pub halted: Option<String>,
}

/// Numbers that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Results that were committed to the disk.
    pub committed: u64,
    /// Results that were committed before and not once more.
    pub known: u64,
    /// Results that the platform has.
    pub delivered: u64,
    /// Results that the platform refused; they were parked.
    pub parked: u64,
    /// Results that were not taken for lack of room.
    pub refused: u64,
    /// Results that made room, because they were the oldest.
    pub dropped_oldest: u64,
    /// Results that made room or were not taken, because their scores were the lowest.
    pub dropped_worst: u64,
    /// Results that a person dropped.
    pub dropped: u64,
    /// Batches that were sent.
    pub batches: u64,
    /// Batches whose delivery failed; they are sent again.
    pub failures: u64,
}

impl Counts {
    /// Each number with its name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("committed", self.committed),
            ("known", self.known),
            ("delivered", self.delivered),
            ("parked", self.parked),
            ("refused", self.refused),
            ("dropped_oldest", self.dropped_oldest),
            ("dropped_worst", self.dropped_worst),
            ("dropped", self.dropped),
            ("batches", self.batches),
            ("failures", self.failures),
        ]
    }

    pub(crate) fn set(&mut self, name: &str, value: u64) {
        let place = match name {
            "committed" => &mut self.committed,
            "known" => &mut self.known,
            "delivered" => &mut self.delivered,
            "parked" => &mut self.parked,
            "refused" => &mut self.refused,
            "dropped_oldest" => &mut self.dropped_oldest,
            "dropped_worst" => &mut self.dropped_worst,
            "dropped" => &mut self.dropped,
            "batches" => &mut self.batches,
            "failures" => &mut self.failures,
            // Of a newer Eyespot.
            _ => return,
        };
        *place = value;
    }
}

impl Status {
    /// The numbers in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        for (name, value, help) in [
            ("items", self.items, "Results that wait"),
            ("bytes", self.bytes, "Bytes of the results that wait"),
            ("unsure", self.unsure, "Results that were sent without an answer so far"),
            ("parked", self.parked, "Results that the platform does not take"),
            ("halted", u64::from(self.halted.is_some()), "1 where nothing is delivered until a person helps"),
        ] {
            let name = format!("eyespot_outbox_{name}");
            // A String takes all that is written.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        for (name, value) in self.counts.named() {
            let _ = writeln!(
                text,
                "# TYPE eyespot_outbox_{name}_total counter\neyespot_outbox_{name}_total {value}"
            );
        }
        text
    }
}

/// The results of one source that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStatus {
    /// The source.
    pub lane: String,
    /// Results that wait to be delivered.
    pub waiting: u64,
}

/// A result that the platform does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its number in the outbox.
    pub seq: i64,
    /// Its source.
    pub lane: String,
    /// Why.
    pub reason: String,
}
