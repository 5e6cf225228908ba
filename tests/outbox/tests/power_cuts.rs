//! The harness itself, with fewer kills than `cargo run --release -p outbox-trials -- 500`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn every_result_arrives_once_and_in_order_however_often_the_process_is_killed() {
    let output = Command::new(env!("CARGO_BIN_EXE_power-cuts"))
        .args(["25", "--results", "500", "--life", "200"])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    // So that a harness that does nothing can't pass.
    let row: Vec<&str> = out.lines().nth(2).unwrap().split('|').map(str::trim).collect();
    assert_eq!((row[1], row[2], &row[7..11]), ("25", "500", &["0"; 4][..]), "{out}");
    assert!(row[5].parse::<u64>().unwrap() > 20, "{out}");
}
