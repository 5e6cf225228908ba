//! Says whether the target has the DSP instructions of Cortex-M4, M7 and the like: stable Rust does not.

use std::env::var;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(dsp)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let target = var("TARGET").unwrap_or_default();
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Every Armv7E-M has them. In Armv8-M they are an option that the flags must name.
    let optional = flags.contains("+dsp") || flags.contains("target-cpu=cortex-m33");
    if target.starts_with("thumbv7em")
        || target.starts_with("thumbv8m.main") && optional && !flags.contains("-dsp")
    {
        println!("cargo::rustc-cfg=dsp");
    }
}
