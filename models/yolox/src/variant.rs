//! The six published sizes.

use eyespot_core::{ErrorKind, InputSize};

/// A published size of YOLOX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// 0.91 million parameters, depthwise convolutions, 416 x 416.
    Nano,
    /// 5.06 million parameters, 416 x 416.
    Tiny,
    /// 8.97 million parameters, 640 x 640.
    S,
    /// 25.3 million parameters, 640 x 640.
    M,
    /// 54.2 million parameters, 640 x 640.
    L,
    /// 99.1 million parameters, 640 x 640.
    X,
}

/// What tells the variants apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The variant.
    pub variant: Variant,
    /// Channels of the stem.
    pub(crate) width: usize,
    /// Bottlenecks of a layer; the middle of the backbone has three times as many.
    pub(crate) depth: usize,
    /// Depthwise convolutions in place of 3x3 ones.
    pub(crate) depthwise: bool,
}

impl Config {
    /// Channels at the strides 8, 16 and 32.
    pub(crate) const fn channels(&self) -> [usize; 3] {
        [4 * self.width, 8 * self.width, 16 * self.width]
    }
}

impl Variant {
    /// All, from the smallest.
    pub const ALL: [Self; 6] = [Self::Nano, Self::Tiny, Self::S, Self::M, Self::L, Self::X];

    /// Its shape: the width is 64 times, the depth 3 times the published multiplier.
    #[must_use]
    pub const fn config(self) -> Config {
        let (width, depth) = match self {
            Self::Nano => (16, 1),
            Self::Tiny => (24, 1),
            Self::S => (32, 1),
            Self::M => (48, 2),
            Self::L => (64, 3),
            Self::X => (80, 4),
        };
        Config { variant: self, width, depth, depthwise: matches!(self, Self::Nano) }
    }

    /// Its name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nano => "yolox/yolox-nano",
            Self::Tiny => "yolox/yolox-tiny",
            Self::S => "yolox/yolox-s",
            Self::M => "yolox/yolox-m",
            Self::L => "yolox/yolox-l",
            Self::X => "yolox/yolox-x",
        }
    }

    /// The input size that it was trained for.
    #[must_use]
    pub const fn input(self) -> InputSize {
        match self {
            Self::Nano | Self::Tiny => InputSize::square(416),
            _ => InputSize::square(640),
        }
    }
}

/// A name that no variant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseVariantError {
    /// The name.
    pub name: String,
}

impl core::fmt::Display for ParseVariantError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "there is no YOLOX variant {:?}: give nano, tiny, s, m, l or x", self.name)
    }
}

impl core::error::Error for ParseVariantError {}

impl eyespot_core::Error for ParseVariantError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
}

impl core::str::FromStr for Variant {
    type Err = ParseVariantError;

    /// From `nano`, `yolox-nano` or `yolox/yolox-nano`.
    fn from_str(name: &str) -> Result<Self, ParseVariantError> {
        let short = name.strip_prefix("yolox/").unwrap_or(name);
        let short = short.strip_prefix("yolox-").unwrap_or(short);
        Self::ALL
            .into_iter()
            .find(|variant| variant.name().strip_prefix("yolox/yolox-") == Some(short))
            .ok_or_else(|| ParseVariantError { name: name.to_owned() })
    }
}
