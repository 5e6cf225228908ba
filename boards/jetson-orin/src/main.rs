//! Eyespot on NVIDIA Jetson Orin boards: the command line of `eyespot-cli` with this board's defaults.

use std::process::ExitCode;

use eyespot_cli::Board;

fn main() -> ExitCode {
    eyespot_cli::main(&Board {
        name: "jetson-orin",
        about: "Eyespot on NVIDIA Jetson Orin boards",
        device: "auto",
    })
}
