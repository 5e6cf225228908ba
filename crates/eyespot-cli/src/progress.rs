//! Progress bars on a terminal, nothing elsewhere.

use std::io::IsTerminal as _;

use eyespot_models::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; hidden where that is no terminal, or if `quiet`.
fn bar(quiet: bool, template: &str) -> ProgressBar {
    let visible = !quiet && std::io::stderr().is_terminal();
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar
}

/// A bar over the frames of an input, whose length is not known yet.
pub(crate) fn frames(quiet: bool, name: &str) -> ProgressBar {
    let bar = bar(quiet, "{msg:24!} {bar:30} {pos}/{len} {per_sec} {eta}");
    bar.set_message(name.to_owned());
    bar
}

/// A bar over the bytes of a download.
pub(crate) struct Download {
    bar: ProgressBar,
    quiet: bool,
    name: String,
}

impl Download {
    pub(crate) fn new(quiet: bool, name: &str) -> Self {
        let bar = bar(quiet, "{msg:24!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        Self { bar, quiet, name: name.to_owned() }
    }
}

impl Progress for Download {
    fn start(&mut self, total: Option<u64>, resumed: u64) {
        // Without a terminal one line tells why nothing else happens for a while.
        if !self.quiet && self.bar.is_hidden() {
            let bytes = total.map_or_else(String::new, |total| format!(" ({:.1} MB)", total as f64 / 1e6));
            eprintln!("fetching {}{bytes}", self.name);
        }
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_message(self.name.clone());
        self.bar.set_position(resumed);
    }
    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }
    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
    fn waiting(&mut self) {
        if !self.quiet {
            eprintln!("another process is fetching {}: waiting for it", self.name);
        }
    }
}
