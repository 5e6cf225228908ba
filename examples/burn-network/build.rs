//! Tells the linker of the board's memory, which is that of `examples/network`. On a computer there is nothing to tell.

fn main() {
    println!("cargo::rerun-if-changed=../network/an500/memory.x");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-search={}/../network/an500", env!("CARGO_MANIFEST_DIR"));
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
}
