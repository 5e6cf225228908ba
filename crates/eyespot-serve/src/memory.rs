//! Memory of this process and this computer, on Linux.

/// Bytes that this process has in memory, and bytes of memory that there are; `None` where that is not known.
pub(crate) fn resident_and_total() -> Option<(u64, u64)> {
    let kib = |file: &str, key: &str| -> Option<u64> {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some((kib("/proc/self/status", "VmRSS:")? << 10, kib("/proc/meminfo", "MemTotal:")? << 10))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn this_process_has_some_memory() {
        let (resident, total) = super::resident_and_total().unwrap();
        assert!(resident > 100_000 && resident < total);
    }
}
