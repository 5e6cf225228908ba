//! On a board the firmware, on a computer a word about where to run it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod heap;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("this is firmware for an emulated board: `cargo xtask burn` builds and runs it");
    std::process::ExitCode::FAILURE
}
