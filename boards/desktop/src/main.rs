//! Eyespot on this computer: the command line of `eyespot-cli` with this board's defaults.

use std::process::ExitCode;

use eyespot_cli::Board;

fn main() -> ExitCode {
    eyespot_cli::main(&Board { name: "desktop", about: "Eyespot on this computer", device: "auto" })
}
