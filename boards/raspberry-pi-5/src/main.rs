//! Eyespot on the Raspberry Pi 5: the command line of `eyespot-cli` with this board's defaults.

use std::process::ExitCode;

use eyespot_cli::Board;

fn main() -> ExitCode {
    eyespot_cli::main(&Board {
        name: "raspberry-pi-5",
        about: "Eyespot on the Raspberry Pi 5",
        device: "cpu",
    })
}
