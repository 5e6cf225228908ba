//! The four published widths.

use eyespot_core::ErrorKind;

/// A published width of OSNet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// 0.2 million parameters, 0.08 billion multiplications.
    X0_25,
    /// 0.6 million parameters, 0.27 billion multiplications.
    X0_5,
    /// 1.3 million parameters, 0.57 billion multiplications.
    X0_75,
    /// 2.2 million parameters, 0.98 billion multiplications.
    X1_0,
}

/// What tells the variants apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The variant.
    pub variant: Variant,
    /// Channels of the stem and of the three stages.
    pub(crate) channels: [usize; 4],
}

impl Variant {
    /// All, from the smallest.
    pub const ALL: [Self; 4] = [Self::X0_25, Self::X0_5, Self::X0_75, Self::X1_0];

    /// Its shape.
    #[must_use]
    pub const fn config(self) -> Config {
        let channels = match self {
            Self::X0_25 => [16, 64, 96, 128],
            Self::X0_5 => [32, 128, 192, 256],
            Self::X0_75 => [48, 192, 288, 384],
            Self::X1_0 => [64, 256, 384, 512],
        };
        Config { variant: self, channels }
    }

    /// Its name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X0_25 => "osnet/osnet-x0-25",
            Self::X0_5 => "osnet/osnet-x0-5",
            Self::X0_75 => "osnet/osnet-x0-75",
            Self::X1_0 => "osnet/osnet-x1-0",
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
        write!(f, "there is no OSNet variant {:?}: give x0-25, x0-5, x0-75 or x1-0", self.name)
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

    /// From `x0-25`, `osnet-x0-25` or `osnet/osnet-x0-25`; `_` counts as `-`.
    fn from_str(name: &str) -> Result<Self, ParseVariantError> {
        let dashed = name.replace('_', "-");
        let short = dashed.strip_prefix("osnet/").unwrap_or(&dashed);
        let short = short.strip_prefix("osnet-").unwrap_or(short);
        Self::ALL
            .into_iter()
            .find(|variant| variant.name().strip_prefix("osnet/osnet-") == Some(short))
            .ok_or_else(|| ParseVariantError { name: name.to_owned() })
    }
}
