//! The Linux boards on aarch64: cross-built, and run under qemu-user.

use std::path::Path;
use std::process::Command;

use crate::run::{Result, root, run as execute};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const BOARDS: [&str; 2] = ["jetson-orin", "raspberry-pi-5"];

pub(crate) fn run() -> Result {
    let compiler = "/usr/bin/aarch64-linux-gnu-gcc";
    if !Path::new("/usr/bin/cargo").exists() || !Path::new(compiler).exists() {
        return Err("cross-building needs Debian's packages cargo-web, libstd-rust-web-dev:arm64, \
                    g++-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static"
            .to_owned());
    }
    let folder = root().join("target/system");
    let mut build = Command::new("/usr/bin/cargo");
    // Without Burn, which the demo does not need: it would be nine tenths of the work.
    build.args(["build", "--profile", "cross", "--target", TARGET, "--no-default-features"]);
    for board in BOARDS {
        build.args(["-p", board]);
    }
    build
        .env("RUSTC", "/usr/bin/rustc")
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", compiler)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    execute(&mut build)?;
    for board in BOARDS {
        let binary = folder.join(TARGET).join("cross").join(board);
        let emulate = |arguments: &[&str]| {
            execute(
                Command::new("qemu-aarch64-static")
                    .args(["-L", "/usr/aarch64-linux-gnu"])
                    .arg(&binary)
                    .args(arguments),
            )
        };
        emulate(&["--version"])?;
        emulate(&["serve", "--help"])?;
        // The demo renders, detects, tracks, scores and encodes: the whole chain on the board's own instructions.
        let out = folder.join("out").join(board);
        emulate(&["demo", "--frames", "20", "--save-dir", &out.to_string_lossy()])?;
    }
    Ok(())
}
