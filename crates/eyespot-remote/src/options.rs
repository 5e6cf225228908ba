//! How another side is asked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// JPEG of this quality, `1..=100`. The usual choice: a tenth of the bytes.
    Jpeg(u8),
    /// PNG: the pixels arrive as they are.
    Png,
}

impl Default for Encoding {
    fn default() -> Self {
        Self::Jpeg(95)
    }
}

/// How another side is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// How frames travel. JPEG of quality 95 by default.
    pub encoding: Encoding,
    /// How long connecting may take. 5 s by default.
    pub connect_timeout: Duration,
    /// How long an answer may take in all, sending included. 60 s by default.
    pub timeout: Duration,
    /// How often a request is tried. 2 by default.
    pub tries: u32,
    /// With a [fallback](crate::WithFallback): how often it is looked whether the other side is back. Every 5 s by
    /// default.
    pub probe: Duration,
    /// A PEM file with the certificate to trust instead of those that browsers trust: for a server that signed its own.
    pub certificate: Option<PathBuf>,
    /// Settings that go with every request, whatever they mean to the other side. Those of a prediction go before them.
    pub settings: Map<String, Value>,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            encoding: Encoding::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            tries: 2,
            probe: Duration::from_secs(5),
            certificate: None,
            settings: Map::new(),
        }
    }
}
