//! What runs on aarch64, under qemu-user: the kernels of networks, and the Linux boards.

use std::path::Path;
use std::process::Command;

use crate::run::{Result, data, root, run as execute};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const EMULATOR: &str = "qemu-aarch64-static";
const BOARDS: [&str; 2] = ["jetson-orin", "raspberry-pi-5"];

/// With NEON's dot products, and without.
const PROCESSORS: [&str; 2] = ["max", "cortex-a72"];

pub(crate) fn run() -> Result {
    let compiler = "/usr/bin/aarch64-linux-gnu-gcc";
    if !Path::new("/usr/bin/cargo").exists() || !Path::new(compiler).exists() {
        return Err("cross-building needs Debian's packages cargo-web, libstd-rust-web-dev:arm64, \
                    g++-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static"
            .to_owned());
    }
    let folder = root().join("target/system");
    let cargo = |command: &str| {
        let mut cargo = Command::new("/usr/bin/cargo");
        cargo
            .args([command, "--profile", "cross", "--target", TARGET])
            .env("RUSTC", "/usr/bin/rustc")
            .env("CARGO_TARGET_DIR", &folder)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", compiler)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", EMULATOR)
            // Programs that are linked at run time hang in Debian's emulator as soon as they make a thread.
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env_remove("RUSTC_WORKSPACE_WRAPPER");
        cargo
    };
    // The kernels of NEON against the plain ones.
    for processor in PROCESSORS {
        let mut tests = cargo("test");
        execute(tests.args(["-p", "eyespot-nn", "--features", "host", "--lib"]).env("QEMU_CPU", processor))?;
    }
    let mut build = cargo("build");
    // Without Burn, which is not needed here: it would be nine tenths of the work.
    build.arg("--no-default-features");
    for board in BOARDS {
        build.args(["-p", board]);
    }
    execute(&mut build)?;
    for board in BOARDS {
        let binary = folder.join(TARGET).join("cross").join(board);
        let emulate = |arguments: &[&str]| execute(Command::new(EMULATOR).arg(&binary).args(arguments));
        emulate(&["--version"])?;
        emulate(&["serve", "--help"])?;
        // The demo renders, detects, tracks, scores and encodes: the whole chain on the board's own instructions.
        let out = folder.join("out").join(board);
        emulate(&["demo", "--frames", "20", "--save-dir", &out.to_string_lossy()])?;
        detect(&emulate, &out)?;
    }
    Ok(())
}

/// A photo through YOLOX-nano, converted on the spot.
fn detect(emulate: &impl Fn(&[&str]) -> Result, out: &Path) -> Result {
    let Some(data) = data("models") else { return Ok(()) };
    let file = |name: &str| data.join(name).to_string_lossy().into_owned();
    let (network, photo) = (file("models/yolox_nano.onnx"), file("images/dog.jpg"));
    let [model, results] =
        ["nano.eye", "dog.jsonl"].map(|name| out.join(name).to_string_lossy().into_owned());
    let labels = std::fs::copy(data.join("models/coco_classes.txt"), out.join("nano.txt"));
    labels.map_err(|error| format!("can't copy the labels: {error}"))?;
    emulate(&["convert", &network, "--task", "yolox", "-o", &model])?;
    emulate(&["predict", &photo, "--model", &model, "--json", &results, "--quiet"])?;
    let found = std::fs::read_to_string(&results).map_err(|error| format!("{results}: {error}"))?;
    if let Some(missing) = ["bicycle", "dog"].iter().find(|name| !found.contains(**name)) {
        return Err(format!("{photo}: no {missing} in {found}"));
    }
    Ok(())
}
