//! No token and no body is ever logged: every line of every library is caught and searched.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::sync::Mutex;

use common::{Client, options, picture, start};
use eyespot_serve::{ServeOptions, Token};
use serde_json::json;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        // The client in this process logs what it sends; the server is what is looked at.
        if !record.target().starts_with("ureq") {
            LINES.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
        }
    }
    fn flush(&self) {}
}

#[test]
fn no_token_and_no_body_is_logged() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let server = start(ServeOptions { token: Some(Token::new("tok-s3cret")), ..options() });
    for token in ["tok-s3cret", "tok-wr0ng"] {
        let client = Client::new(&server).with_header("authorization", &format!("Bearer {token}"));
        let body = json!({"state": {"inference_request_uuid": "body-m4rker", "settings": {"conf": "body-m4rker"}},
            "api_token": "platform-t0ken", "server_address": "http://body-m4rker"});
        for path in [
            "get_session_info",
            "get_inference_progress",
            "inference_batch_ids_async",
            "inference_image_url",
            "net/tok-s3cret/x",
        ] {
            client.post(path, &body);
        }
        let mut file = picture(1, 1);
        file.extend(b"body-m4rker");
        client.upload("inference_image", &[("a.ppm", &file)], &json!({"settings": {"conf": "body-m4rker"}}));
        client.upload("inference_image", &[("a.ppm", &file)], &json!({}));
        client.upload("inference_image", &[("a.ppm", b"P6 body-m4rker")], &json!({}));
        client.send("inference_batch_async", "multipart/form-data; boundary=x", b"--x\r\nbody-m4rker");
        client.send("get_inference_progress", "application/json", b"body-m4rker");
    }
    let lines = LINES.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("get_session_info 200")), "{lines:?}");
    for secret in ["tok-s3cret", "tok-wr0ng", "body-m4rker", "platform-t0ken"] {
        let told: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}
