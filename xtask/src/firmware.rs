//! Builds for a microcontroller, with whichever toolchain can do it.

use std::path::Path;
use std::process::Command;

use crate::run::{Result, output, root, run as execute};

/// The target of Cortex-M4F and M7F.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";

/// Crates that link into firmware without a heap.
const CRATES: [&str; 9] = [
    "eyespot-core",
    "eyespot-image",
    "eyespot-decode",
    "eyespot-window",
    "eyespot-track",
    "eyespot-flow",
    "eyespot-motion",
    "eyespot-scene",
    "fixed-memory",
];

/// A cargo command that builds for [`TARGET`].
///
/// A system cargo with library sources comes first: it builds `core` alone, so that a crate that wants `alloc` can't
/// even compile. Otherwise the target that `rustup target add` installed is taken.
pub(crate) fn cargo_for_target(arguments: &[&str]) -> Result<Command> {
    let system = "/usr/bin/cargo";
    let sources = Path::new("/usr/lib/rustlib/src/rust/library/core");
    let linked = output("/usr/bin/rustc", &["--print", "sysroot"])
        .is_some_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").exists());
    if Path::new(system).exists() && (sources.exists() || linked) {
        let mut command = Command::new(system);
        command
            .args(arguments)
            .args(["-Zbuild-std=core", "--target", TARGET])
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env_remove("RUSTUP_TOOLCHAIN")
            // Two compilers must not share one folder: each would rebuild what the other made.
            .env("CARGO_TARGET_DIR", root().join("target/system"));
        // `cargo run` of the outer toolchain leaves its own settings in the environment.
        for name in ["CARGO", "RUSTC_WRAPPER", "RUSTDOC"] {
            command.env_remove(name);
        }
        return Ok(command);
    }
    let installed = output("rustup", &["target", "list", "--installed"]).unwrap_or_default();
    if installed.lines().any(|line| line.trim() == TARGET) {
        let mut command = crate::run::cargo();
        command.args(arguments).args(["--target", TARGET]);
        return Ok(command);
    }
    Err(format!("no toolchain here can build for {TARGET}: run `rustup target add {TARGET}`"))
}

pub(crate) fn run() -> Result {
    let mut arguments = vec!["build", "--release"];
    for name in CRATES {
        arguments.extend(["-p", name]);
    }
    arguments.push("--lib");
    execute(&mut cargo_for_target(&arguments)?)
}
