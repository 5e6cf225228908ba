//! Builds for a microcontroller.

use eyespot_launch::Toolchain;

use crate::run::{Result, run as execute};

/// The target of Cortex-M4F and M7F.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";

/// Crates that link into firmware without a heap.
const CRATES: [&str; 13] = [
    "eyespot-core",
    "eyespot-image",
    "eyespot-decode",
    "eyespot-window",
    "eyespot-track",
    "eyespot-flow",
    "eyespot-motion",
    "eyespot-scene",
    "eyespot-wire",
    "eyespot-zones",
    "eyespot-hal",
    "eyespot-firmware",
    "fixed-memory",
];

pub(crate) fn run() -> Result {
    let toolchain = Toolchain::core_only(TARGET).map_err(|error| error.to_string())?;
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--release", "--lib"]);
    for name in CRATES {
        cargo.args(["-p", name]);
    }
    execute(&mut cargo)
}
