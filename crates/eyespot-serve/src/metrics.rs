//! Counters for Prometheus, in its text format (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::App;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Answers by the first digit of their status.
    pub(crate) answers: [Counter; 6],
    pub(crate) unauthorized: Counter,
    pub(crate) connections: Counter,
    pub(crate) upload_bytes: Counter,
    pub(crate) accepted: Counter,
    pub(crate) finished: Counter,
    pub(crate) stopped: Counter,
    pub(crate) errors: Counter,
    pub(crate) expired: Counter,
    pub(crate) frames: Counter,
    pub(crate) objects: Counter,
    pub(crate) failed: Counter,
    pub(crate) predict_us: Counter,
}

/// All metrics as text.
pub(crate) fn text(app: &App) -> String {
    let metrics = &app.metrics;
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(&str, f64)]| {
        let _ = writeln!(text, "# HELP eyespot_{name} {help}\n# TYPE eyespot_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "eyespot_{name}{labels} {value}");
        }
    };
    let answers: Vec<(String, f64)> = (2..6)
        .filter_map(|class| {
            let count = metrics.answers.get(class)?.get();
            Some((format!("{{status=\"{class}xx\"}}"), count as f64))
        })
        .collect();
    let answers: Vec<(&str, f64)> = answers.iter().map(|(labels, value)| (labels.as_str(), *value)).collect();
    metric("http_responses_total", "counter", "Answers by status.", &answers);
    let counts = app.jobs.counts();
    let counters: [(&str, &str, u64); 11] = [
        ("http_unauthorized_total", "Answers to clients without the token.", metrics.unauthorized.get()),
        ("http_connections_total", "Connections that were accepted.", metrics.connections.get()),
        ("upload_bytes_total", "Bytes of files that were uploaded.", metrics.upload_bytes.get()),
        ("requests_total", "Inference requests that were taken on.", metrics.accepted.get()),
        ("requests_finished_total", "Inference requests that ran to their end.", metrics.finished.get()),
        ("requests_stopped_total", "Inference requests that were stopped.", metrics.stopped.get()),
        ("requests_failed_total", "Inference requests that an error ended.", metrics.errors.get()),
        (
            "requests_expired_total",
            "Inference requests that nobody asked for any more.",
            metrics.expired.get(),
        ),
        ("frames_total", "Images and frames that were predicted.", metrics.frames.get()),
        ("objects_total", "Objects that were found.", metrics.objects.get()),
        ("frames_failed_total", "Images and frames that could not be predicted.", metrics.failed.get()),
    ];
    for (name, help, value) in counters {
        metric(name, "counter", help, &[("", value as f64)]);
    }
    let seconds = metrics.predict_us.get() as f64 / 1e6;
    metric("predict_seconds_total", "counter", "Time that predicting took.", &[("", seconds)]);
    let gauges: [(&str, &str, f64); 6] = [
        ("requests_waiting", "Inference requests that wait for their turn.", counts.waiting as f64),
        ("requests_running", "Inference requests that run.", counts.running as f64),
        ("requests_known", "Inference requests that can be asked for.", counts.known as f64),
        ("stored_bytes", "Bytes of uploads on disk.", app.stored.load(Ordering::Relaxed) as f64),
        ("live_viewers", "Clients that watch the live page.", app.live.viewers() as f64),
        ("uptime_seconds", "Time since the start.", app.started.elapsed().as_secs_f64()),
    ];
    for (name, help, value) in gauges {
        metric(name, "gauge", help, &[("", value)]);
    }
    if let Some((resident, _)) = crate::memory::resident_and_total() {
        metric("resident_bytes", "gauge", "Memory of the server.", &[("", resident as f64)]);
    }
    text
}
