//! Flashing and running a firmware through a debug probe.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// Flashes a firmware, shows its log until it ends or the user does, and gives its exit code.
pub(crate) fn run(chip: &str, firmware: &Path, arguments: &[String]) -> Result<u8> {
    let status = Command::new("probe-rs")
        .args(["run", "--chip", chip])
        .args(arguments)
        .arg(firmware)
        .status()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::Missing { program: "probe-rs", install: "cargo install probe-rs-tools --locked" }
            }
            _ => Error::Io { what: "probe-rs".to_owned(), error },
        })?;
    Ok(status.code().map_or(1, |code| code.clamp(0, 255) as u8))
}
