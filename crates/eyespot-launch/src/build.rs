//! From a board's package to the file that is flashed.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::{Board, Error, Result, Toolchain};

/// The profile that firmware is built with; the root manifest says how.
pub const PROFILE: &str = "firmware";

/// Builds the firmware of a board by a toolchain for its target. Returns the ELF file.
///
/// # Errors
/// [`Error::Build`], where the compiler has said why.
pub fn build(board: &Board, toolchain: &Toolchain) -> Result<PathBuf> {
    let io = |error| Error::Io { what: "cargo build".to_owned(), error };
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--profile", PROFILE, "-p", &board.package]);
    cargo.args(["--message-format", "json-render-diagnostics", "--quiet"]);
    // All levels: whoever runs a board wants to see what it does.
    if std::env::var_os("DEFMT_LOG").is_none() {
        cargo.env("DEFMT_LOG", "debug");
    }
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(io)?;
    let mut firmware = None;
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let message: Value = serde_json::from_str(&line.map_err(io)?).unwrap_or_default();
        firmware = message["executable"].as_str().map(PathBuf::from).or(firmware);
    }
    let status = child.wait().map_err(io)?;
    firmware.filter(|_| status.success()).ok_or_else(|| Error::Build { package: board.package.clone() })
}
