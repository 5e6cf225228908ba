//! Why a model can't run.

use core::fmt;

use eyespot_core::ErrorKind;

/// The name of a layer in an error: its last 47 bytes at most.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LayerName {
    bytes: [u8; 47],
    len: u8,
}

impl LayerName {
    /// The name, or its end where it is longer.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut start = name.len().saturating_sub(47);
        while !name.is_char_boundary(start) {
            start += 1;
        }
        let tail = name.get(start..).unwrap_or("").as_bytes();
        let mut bytes = [0; 47];
        for (to, from) in bytes.iter_mut().zip(tail) {
            *to = *from;
        }
        Self { bytes, len: tail.len() as u8 }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

impl fmt::Debug for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why bytes are no model that this version can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes don't start as a model does.
    Magic,
    /// The model has another version of the format.
    Version {
        /// Version of the model.
        found: u16,
        /// Version that this library reads.
        supported: u16,
    },
    /// The model ends too early.
    Truncated {
        /// Bytes that it should have.
        expected: usize,
        /// Bytes that it has.
        actual: usize,
    },
    /// The bytes are damaged.
    Checksum {
        /// The checksum in the model.
        expected: u32,
        /// The checksum of the bytes.
        actual: u32,
    },
    /// The description of the network can't be read.
    Graph,
    /// A layer has an operator that this version does not know.
    Operator {
        /// The layer.
        layer: LayerName,
    },
    /// A layer contradicts itself or reaches outside the model's memory.
    Layer {
        /// The layer.
        layer: LayerName,
        /// What is wrong.
        reason: &'static str,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => {
                f.write_str("this is no .eye model: convert one with `convert MODEL -o model.eye`")
            }
            Self::Version { found, supported } => write!(
                f,
                "the model has format version {found} but this library reads {supported}: convert it again"
            ),
            Self::Truncated { expected, actual } => {
                write!(f, "the model should have {expected} bytes but has {actual}: copy it again")
            }
            Self::Checksum { expected, actual } => {
                write!(
                    f,
                    "the model is damaged: checksum {actual:08x} instead of {expected:08x}: copy it again"
                )
            }
            Self::Graph => f.write_str("the model's description can't be read: convert it again"),
            Self::Operator { layer } => {
                write!(f, "layer {layer} has an operator that this version does not know: update the library")
            }
            Self::Layer { layer, reason } => write!(f, "layer {layer}: {reason}: convert the model again"),
        }
    }
}

impl core::error::Error for LoadError {}

impl eyespot_core::Error for LoadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Version { .. } | Self::Operator { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidInput,
        }
    }
}

/// The lent arena is too small for the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaError {
    /// The first layer that does not fit.
    pub layer: LayerName,
    /// Bytes that this layer needs to be in the arena.
    pub layer_bytes: usize,
    /// Bytes that the whole model needs.
    pub needed: usize,
    /// Bytes that were lent.
    pub available: usize,
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "layer {} needs {} bytes of arena but {} were lent: lend {} bytes for the whole model",
            self.layer, self.layer_bytes, self.available, self.needed
        )
    }
}

impl core::error::Error for ArenaError {}

impl eyespot_core::Error for ArenaError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Capacity
    }
}
