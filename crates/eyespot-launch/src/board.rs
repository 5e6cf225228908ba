//! What a board's manifest says of it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::toolchain::workspace;
use crate::{Error, Result};

/// How a board's firmware is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// On the emulator's model of a board.
    Qemu {
        /// QEMU's name of it.
        machine: String,
    },
    /// On the chip itself, through a debug probe.
    ProbeRs {
        /// probe-rs's name of it.
        chip: String,
    },
}

/// A firmware board: a package with `[package.metadata.eyespot]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Name of the package.
    pub package: String,
    /// The target triple of its firmware.
    pub target: String,
    /// The compiler's name of its processor, where that has more than every processor of the target.
    pub cpu: Option<String>,
    /// How it is run.
    pub runner: Runner,
}

impl Board {
    /// All firmware boards of the workspace, by name.
    ///
    /// # Errors
    /// [`Error`] if cargo can't read the workspace, or a board's entry is not as it should be.
    pub fn all() -> Result<Vec<Self>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(workspace())
            .output()
            .map_err(|error| Error::Io { what: "cargo metadata".to_owned(), error })?;
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| Error::Metadata { package: String::from_utf8_lossy(&output.stderr).into_owned() })?;
        let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
        let mut boards: Vec<Self> = packages
            .iter()
            .filter(|package| package["metadata"]["eyespot"]["target"].is_string())
            .map(Self::from_package)
            .collect::<Result<_>>()?;
        boards.sort_by(|a, b| a.package.cmp(&b.package));
        Ok(boards)
    }

    /// The board whose package lies in a folder.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::all()?.into_iter().find(|board| board.package == name).ok_or(Error::Metadata { package: name })
    }

    fn from_package(package: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let entry = &package["metadata"]["eyespot"];
        let runner = match (text(&entry["machine"]), text(&entry["chip"])) {
            (Some(machine), None) => Some(Runner::Qemu { machine }),
            (None, Some(chip)) => Some(Runner::ProbeRs { chip }),
            _ => None,
        };
        let name = text(&package["name"]).unwrap_or_default();
        match (text(&entry["target"]), runner) {
            (Some(target), Some(runner)) => {
                Ok(Self { package: name, target, cpu: text(&entry["cpu"]), runner })
            }
            _ => Err(Error::Metadata { package: name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(entry: &str) -> Result<Board> {
        let text = format!(r#"{{"name": "robot", "metadata": {{"eyespot": {entry}}}}}"#);
        Board::from_package(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn an_entry_names_one_runner() {
        let board = package(r#"{"target": "thumbv6m-none-eabi", "chip": "RP2040"}"#).unwrap();
        assert_eq!(board.runner, Runner::ProbeRs { chip: "RP2040".to_owned() });
        assert_eq!((board.target.as_str(), board.cpu), ("thumbv6m-none-eabi", None));
        let entry = r#"{"target": "thumbv8m.main-none-eabihf", "cpu": "cortex-m33", "chip": "RP235x"}"#;
        assert_eq!(package(entry).unwrap().cpu.as_deref(), Some("cortex-m33"));
        for wrong in [
            r#"{"target": "thumbv6m-none-eabi"}"#,
            r#"{"target": "thumbv6m-none-eabi", "chip": "RP2040", "machine": "mps2-an500"}"#,
            r#"{"machine": "mps2-an500"}"#,
        ] {
            let error = package(wrong).unwrap_err();
            assert!(error.to_string().contains("robot: its Cargo.toml needs [package.metadata.eyespot]"));
        }
    }

    #[test]
    fn the_boards_of_the_workspace_are_found() {
        let boards = Board::all().unwrap();
        let emulated = |name: &str| {
            boards.iter().any(|board| board.package == name && matches!(board.runner, Runner::Qemu { .. }))
        };
        assert!(emulated("qemu-m7") && emulated("qemu-m33"));
        assert!(!emulated("stm32h7") && !emulated("desktop"));
        assert!(matches!(Board::in_folder(Path::new("boards/desktop")), Err(Error::Metadata { .. })));
    }
}
