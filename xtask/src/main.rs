//! `cargo xtask COMMAND`: the checks and tables of the project. Each command is one file.

mod bench;
mod boards;
mod burn;
mod check;
mod cross;
mod firmware;
mod networks;
mod run;
mod size;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  check      format, lints and docs, with warnings denied
  firmware   build the firmware-able crates for thumbv7em-none-eabihf, without an allocator
  boards     build and lint the firmware boards, run those that QEMU has, and compare what they log
  size       RAM, flash and instructions of the pipeline on the boards; --check compares with MEMORY.md
  networks   networks on the boards in QEMU: their outputs must be the computer's; --check compares with BENCHMARKS.md
  burn       a network of Burn on a microcontroller beside the same by eyespot-nn: the table of BENCHMARKS.md; takes minutes
  bench-inference [ARGUMENTS]   networks beside other engines: the table of BENCHMARKS.md; benches/inference/README.md
  cross      build the Linux boards for aarch64 and run them under qemu-user";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["check"] => check::run(),
        ["firmware"] => firmware::run(),
        ["boards"] => boards::run(),
        ["networks"] => networks::print(),
        ["networks", "--check"] => networks::check(),
        ["burn"] => burn::print(),
        ["size"] => size::print(),
        ["size", "--check"] => size::check(),
        ["bench-inference", arguments @ ..] => bench::inference(arguments),
        ["cross"] => cross::run(),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
