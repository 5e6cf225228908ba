#![doc = include_str!("../README.md")]

mod board;
mod build;
mod error;
mod log;
mod probe;
mod qemu;
mod toolchain;

use std::path::Path;
use std::process::ExitCode;

pub use board::{Board, Runner};
pub use build::{PROFILE, build};
pub use error::{Error, Result};
pub use log::{Line, Log};
pub use toolchain::{OVERRIDE, Toolchain, workspace};

/// Builds the board whose package lies in `folder`, runs it with the arguments of this program, prints its log, and
/// ends as it ended.
#[must_use]
pub fn run(folder: &str) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match launch(Path::new(folder), &arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn launch(folder: &Path, arguments: &[String]) -> Result<u8> {
    let board = Board::in_folder(folder)?;
    let toolchain = Toolchain::find(&board.target)?.tuned_for(board.cpu.as_deref());
    let firmware = build(&board, &toolchain)?;
    match &board.runner {
        Runner::Qemu { .. } => execute(&board, &firmware, arguments, |line| println!("{line}")),
        Runner::ProbeRs { chip } => probe::run(chip, &firmware, arguments),
    }
}

/// Runs a firmware in the emulator and hands on the lines of its log. Returns its exit code.
///
/// # Errors
/// [`Error`] if the emulator can't be started or its output can't be read.
pub fn execute(board: &Board, firmware: &Path, arguments: &[String], line: impl FnMut(&Line)) -> Result<u8> {
    match &board.runner {
        Runner::Qemu { machine } => qemu::run(machine, firmware, arguments, line),
        Runner::ProbeRs { .. } => Err(Error::NeedsHardware { package: board.package.clone() }),
    }
}
