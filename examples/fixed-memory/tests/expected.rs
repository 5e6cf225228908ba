//! What the pipeline sees on this computer is what the boards are to log.
#![allow(clippy::unwrap_used)]

use std::process::Command;

fn compare(arguments: &[&str], expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_fixed-memory")).args(arguments).output().unwrap();
    assert!(output.status.success());
    let seen = String::from_utf8(output.stdout).unwrap();
    for (number, (seen, expected)) in seen.lines().zip(expected.lines()).enumerate() {
        assert_eq!(seen, expected, "line {}", number + 1);
    }
    assert_eq!(seen.lines().count(), expected.lines().count());
}

#[test]
fn the_pipeline_sees_what_is_expected() {
    compare(&[], include_str!("../expected.txt"));
}

#[test]
fn the_network_sees_what_is_expected() {
    compare(&["spotter"], include_str!("../expected_spotter.txt"));
}
