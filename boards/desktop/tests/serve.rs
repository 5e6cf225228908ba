//! `serve` as a script sees it: it starts, answers and ends.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{Served, command};
use serde_json::Value;

#[test]
fn it_starts_answers_and_stops_gently() {
    for signal in ["-INT", "-TERM"] {
        let served = Served::start(&mut command("motion", &[]));
        assert!(served.url.starts_with("http://127.0.0.1:"), "{}", served.url);
        let (status, info) = served.post("get_deploy_info", "");
        assert_eq!((status, &info["model_name"]), (200, &Value::from("eyespot/motion")));
        let (_, models) = served.post("list_pretrained_models", "");
        assert!(models.as_array().unwrap().contains(&"yolox/yolox-nano".into()), "{models}");
        let (code, messages) = served.end(signal);
        assert_eq!(code, 0, "{messages}");
        assert!(messages.contains("serving eyespot/motion") && messages.contains("stopping"), "{messages}");
    }
}

#[test]
fn a_token_comes_from_the_environment_or_a_file_and_is_told_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let mut by_file = command("motion", &["--host", "0.0.0.0", "--token-file", file.to_str().unwrap()]);
    for command in [command("motion", &[]).env("EYESPOT_TOKEN", "s3cret"), &mut by_file] {
        let mut served = Served::start(command.env("RUST_LOG", "trace"));
        served.url = served.url.replace("0.0.0.0", "127.0.0.1");
        assert_eq!(served.post("get_session_info", "wr0ng").0, 401);
        assert_eq!(served.post("get_session_info", "s3cret").0, 200);
        let (code, messages) = served.end("-TERM");
        assert_eq!(code, 0);
        assert!(messages.contains("get_session_info"), "{messages}");
        assert!(!messages.contains("s3cret") && !messages.contains("wr0ng"), "{messages}");
    }
}

#[test]
fn what_is_wrong_is_said_at_once() {
    for (arguments, token, expected) in [
        (&["--host", "0.0.0.0"][..], None, "--no-token"),
        (&["--token-file", "no/such/file"], None, "no/such/file"),
        (&[], Some(" "), "empty"),
        (&["--tls-cert", "no/such.pem", "--tls-key", "no/such.pem"], None, "no/such.pem"),
        (&["--host", "203.0.113.7", "--no-token"], None, "203.0.113.7"),
    ] {
        let mut command = command("motion", arguments);
        if let Some(token) = token {
            command.env("EYESPOT_TOKEN", token);
        }
        let output = command.output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{messages}");
        assert!(messages.contains(expected), "{messages}");
    }
}
