//! `cargo run -p pico2` runs the launcher, which builds this package for the board and flashes it through a probe.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eyespot_launch::run(env!("CARGO_MANIFEST_DIR"))
}
