//! Which cargo can build for a microcontroller.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

/// Names the cargo to use, with its options: `cargo +nightly -Zbuild-std=core`.
pub const OVERRIDE: &str = "EYESPOT_CARGO";

/// What Linux distributions install beside rustup.
const SYSTEM_CARGO: &str = "/usr/bin/cargo";
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A cargo that can build for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The target triple.
    target: String,
    program: PathBuf,
    /// Options before the command.
    options: Vec<String>,
    environment: Vec<(String, String)>,
    target_dir: PathBuf,
}

impl Toolchain {
    /// The first of these that is there: what [`OVERRIDE`] names, the target as rustup installed it, a system's cargo with
    /// the sources of `core`.
    ///
    /// # Errors
    /// [`Error::NoToolchain`] names the command that installs one.
    pub fn find(target: &str) -> Result<Self> {
        Self::named(target)
            .or_else(|| Self::installed(target))
            .or_else(|| Self::with_sources(target))
            .ok_or_else(|| Error::NoToolchain { target: target.to_owned() })
    }

    /// A toolchain that builds `core` and nothing else where there is one, so that a library that wants `alloc` can't even
    /// compile; any other otherwise.
    ///
    /// # Errors
    /// [`Error::NoToolchain`] names the command that installs one.
    pub fn core_only(target: &str) -> Result<Self> {
        Self::named(target).or_else(|| Self::with_sources(target)).map_or_else(|| Self::find(target), Ok)
    }

    fn named(target: &str) -> Option<Self> {
        let words = std::env::var(OVERRIDE).ok()?;
        let mut words = words.split_whitespace().map(str::to_owned);
        let program = PathBuf::from(words.next()?);
        Some(Self::new(target, program, words.collect(), "firmware"))
    }

    fn installed(target: &str) -> Option<Self> {
        let listed = output("rustup", &["target", "list", "--installed"])?;
        let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
        listed
            .lines()
            .any(|line| line.trim() == target)
            .then(|| Self { target_dir: target_root(), ..Self::new(target, cargo, Vec::new(), "") })
    }

    fn with_sources(target: &str) -> Option<Self> {
        let sysroot = output(SYSTEM_RUSTC, &["--print", "sysroot"])?;
        let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
        if !Path::new(SYSTEM_CARGO).exists() || !core.exists() {
            return None;
        }
        let mut toolchain = Self::new(target, SYSTEM_CARGO.into(), Vec::new(), "system");
        // Building `core` is an option of nightly, or of this; the sources always fit their compiler.
        toolchain.set("RUSTC_BOOTSTRAP", "1");
        toolchain.set("CARGO_UNSTABLE_BUILD_STD", "core");
        toolchain.set("RUSTC", SYSTEM_RUSTC);
        // Else `cargo clippy` would find the one of rustup.
        let path = std::env::var("PATH").unwrap_or_default();
        toolchain.set("PATH", &format!("/usr/bin:{path}"));
        // Distributions leave the bare-metal linker out.
        if let Some(linker) = linker() {
            toolchain.set_for_target("LINKER", &linker.to_string_lossy());
        }
        Some(toolchain)
    }

    /// `folder`: two compilers must not share one, each would rebuild what the other made.
    fn new(target: &str, program: PathBuf, options: Vec<String>, folder: &str) -> Self {
        let target_dir = target_root().join(folder);
        Self { target: target.to_owned(), program, options, environment: Vec::new(), target_dir }
    }

    /// Compiles for this processor, by the compiler's name of it: with instructions that not every one of the target has.
    #[must_use]
    pub fn tuned_for(mut self, cpu: Option<&str>) -> Self {
        if let Some(cpu) = cpu {
            self.set_for_target("RUSTFLAGS", &format!("-C target-cpu={cpu}"));
        }
        self
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn set_for_target(&mut self, what: &str, value: &str) {
        let target = self.target.to_uppercase().replace(['-', '.'], "_");
        self.set(&format!("CARGO_TARGET_{target}_{what}"), value);
    }

    /// The target that it builds for.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Where it puts what it builds.
    #[must_use]
    pub fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// A cargo command, for example `build`, for the target.
    #[must_use]
    pub fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(&self.program);
        // An outer `cargo run` leaves its own settings in the environment.
        for name in ["CARGO", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOC"] {
            cargo.env_remove(name);
        }
        if self.program != Path::new("cargo") {
            cargo.env_remove("RUSTUP_TOOLCHAIN");
        }
        cargo
            .args(&self.options)
            .arg(command)
            .args(["--target", &self.target])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("CARGO_TARGET_DIR", &self.target_dir)
            .current_dir(workspace());
        cargo
    }
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).unwrap_or(Path::new(".")).to_path_buf()
}

fn target_root() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The linker of rustup's toolchain, or LLVM's own.
fn linker() -> Option<PathBuf> {
    let rustup = || {
        let sysroot = output("rustc", &["--print", "sysroot"])?;
        let host = output("rustc", &["-vV"])?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: "))?;
        let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
        linker.exists().then_some(linker)
    };
    let path = |name: &str| {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.exists())
    };
    rustup().or_else(|| path("rust-lld")).or_else(|| path("ld.lld"))
}

/// What a program printed; `None` if it is not there or failed.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(workspace()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_builds_for_what_does_not_exist() {
        let error = Toolchain::installed("thumbv99-none-eabi")
            .ok_or(Error::NoToolchain { target: "thumbv99-none-eabi".to_owned() });
        let says = error.unwrap_err().to_string();
        assert!(says.contains("rustup target add thumbv99-none-eabi") && says.contains(OVERRIDE), "{says}");
    }

    #[test]
    fn a_command_is_for_the_target_and_has_a_folder_of_its_own() {
        let mut toolchain =
            Toolchain::new("thumbv6m-none-eabi", "mycargo".into(), vec!["+nightly".to_owned()], "firmware");
        toolchain.set("RUSTC", "myrustc");
        let command = toolchain.tuned_for(Some("cortex-m0plus")).cargo("clippy");
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["+nightly", "clippy", "--target", "thumbv6m-none-eabi"]);
        let set = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(set("RUSTC"), Some("myrustc".as_ref()));
        assert_eq!(set("CARGO_TARGET_DIR"), Some(target_root().join("firmware").as_os_str()));
        let flags = set("CARGO_TARGET_THUMBV6M_NONE_EABI_RUSTFLAGS");
        assert_eq!(flags, Some("-C target-cpu=cortex-m0plus".as_ref()));
    }
}
