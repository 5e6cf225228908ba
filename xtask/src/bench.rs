//! Comparisons with other engines, which come as Python packages.

use std::process::Command;

use crate::run::{Result, root, run};

/// Runs `benches/inference/compare.py`.
pub(crate) fn inference(arguments: &[&str]) -> Result {
    run(Command::new("python3").arg(root().join("benches/inference/compare.py")).args(arguments))
}
