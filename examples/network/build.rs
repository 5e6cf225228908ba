//! Tells the linker of the board's memory, and the firmware which board it is. On a computer there is nothing to tell.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(machine, values(\"an500\", \"an505\"))");
    println!("cargo::rerun-if-changed=an500/memory.x");
    println!("cargo::rerun-if-changed=an505/memory.x");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let target = std::env::var("TARGET").unwrap_or_default();
        let machine = if target.starts_with("thumbv8m") { "an505" } else { "an500" };
        println!("cargo::rustc-cfg=machine=\"{machine}\"");
        println!("cargo::rustc-link-search={}/{machine}", env!("CARGO_MANIFEST_DIR"));
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
}
