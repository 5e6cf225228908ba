//! What the system tells about the machine and this process.

use std::fs::read_to_string;
use std::time::Duration;

/// The machine in a line, to be sent with a table.
pub(super) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let architecture = std::env::consts::ARCH;
    format!("eyespot {version} on {}: {cores} cores, {architecture}, {system}", name())
}

/// The board's name, or that of its processor.
fn name() -> String {
    // Boards with a device tree; the text ends with a zero.
    let board = read_to_string("/proc/device-tree/model").ok();
    let board = board.map(|model| model.trim_end_matches('\0').trim().to_owned());
    let processor = || {
        let info = read_to_string("/proc/cpuinfo").ok()?;
        let line = info.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
    };
    board.or_else(processor).unwrap_or_else(|| "an unknown machine".to_owned())
}

/// The time that all cores spent on this process so far.
pub(super) fn cpu_time() -> Option<Duration> {
    // The name of the process may contain anything; it ends with the last bracket.
    let stat = read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit_once(')')?.1;
    // In hundredths of a second: `USER_HZ` is 100 on every Linux that Rust runs on.
    let ticks = |index: usize| fields.split_whitespace().nth(index)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The most bytes that the process took so far.
pub(super) fn peak_memory() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_measured() {
        let start = cpu_time().unwrap();
        let mut sum = 0u64;
        while cpu_time().unwrap() < start + Duration::from_millis(30) {
            sum = (0..100_000).fold(sum, |sum, next| std::hint::black_box(sum ^ next));
        }
        assert!(peak_memory().unwrap() > 1 << 20);
        assert!(describe().contains("cores"));
    }
}
