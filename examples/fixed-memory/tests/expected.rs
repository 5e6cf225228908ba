//! What the pipeline sees on this computer is what the boards are to log.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_pipeline_sees_what_is_expected() {
    let output = Command::new(env!("CARGO_BIN_EXE_fixed-memory")).output().unwrap();
    assert!(output.status.success());
    let (seen, expected) = (String::from_utf8(output.stdout).unwrap(), include_str!("../expected.txt"));
    for (number, (seen, expected)) in seen.lines().zip(expected.lines()).enumerate() {
        assert_eq!(seen, expected, "line {}", number + 1);
    }
    assert_eq!(seen.lines().count(), expected.lines().count());
}
