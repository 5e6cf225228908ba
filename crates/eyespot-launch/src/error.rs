//! Why a board can't be run, and what helps.

/// The result of a launch.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a board can't be run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No toolchain here builds for the target.
    NoToolchain {
        /// The target triple.
        target: String,
    },
    /// A program is missing.
    Missing {
        /// Its name.
        program: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// The build failed; the compiler has said why.
    Build {
        /// The package.
        package: String,
    },
    /// A manifest has no usable `[package.metadata.eyespot]`.
    Metadata {
        /// The package, or what cargo said.
        package: String,
    },
    /// The board is hardware: it needs a probe.
    NeedsHardware {
        /// The package.
        package: String,
    },
    /// The firmware has no table of log messages.
    NoLog {
        /// Why.
        reason: String,
    },
    /// The emulator itself ended.
    Emulator {
        /// What it said last.
        said: String,
    },
    /// A file or a program could not be read.
    Io {
        /// What was read.
        what: String,
        /// The cause.
        error: std::io::Error,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoToolchain { target } => write!(
                f,
                "no toolchain here can build for {target}: run `rustup target add {target}` (or set {} to a cargo that can)",
                crate::OVERRIDE
            ),
            Self::Missing { program, install } => write!(f, "{program} is not installed: run `{install}`"),
            Self::Build { package } => write!(f, "{package} does not build: see the messages above"),
            Self::Metadata { package } => write!(
                f,
                "no firmware board: {package}: its Cargo.toml needs [package.metadata.eyespot] with `target`, and with \
                 `machine` for QEMU or `chip` for probe-rs"
            ),
            Self::NeedsHardware { package } => {
                write!(
                    f,
                    "{package} is hardware and has no emulator: run `cargo run -p {package}` with a probe"
                )
            }
            Self::NoLog { reason } => write!(f, "the firmware's log can't be decoded: {reason}"),
            Self::Emulator { said } => write!(f, "the emulator gave up: {said}"),
            Self::Io { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
