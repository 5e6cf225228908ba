//! Requests from begin to end, many at a time, wrong ones, and those that nobody ends.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Client, first_box, limits, multipart, options, picture, start, start_slow};
use eyespot_serve::{Limits, ServeOptions, Token};
use serde_json::{Value, json};

#[test]
fn a_batch_is_predicted_in_order_with_real_names() {
    let server = start(options());
    let client = Client::new(&server);
    let pictures: Vec<Vec<u8>> = (0..20).map(|number| picture(number, 100)).collect();
    let names: Vec<String> = (0..20).map(|number| format!("dir/photo {number}.ppm")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&pictures).map(|(name, file)| (name.as_str(), file.as_slice())).collect();
    let id =
        client.begin("inference_batch_async", &files, &json!({"settings": {"conf": 0.5}, "batch_size": 4}));
    let (status, first) = client.about("get_inference_progress", &id);
    assert_eq!((status, &first["progress"]["total"]), (200, &json!(20)));
    let (results, last) = client.take_all(&id);
    assert_eq!(results.len(), 20);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result["name"], names[number]);
        assert_eq!(result["annotation"]["objects"].as_array().unwrap().len(), 1);
        assert_eq!(first_box(result), [number as i64, 100, number as i64 + 9, 109]);
    }
    assert_eq!((&last["stage"], &last["exception"]), (&json!("Finished"), &Value::Null));
    assert_eq!(client.about("get_inference_result", &id).1, Value::Null);
    // Both of the official client's ends, in any order and more than once.
    for path in
        ["clear_inference_request", "stop_inference", "get_inference_result", "clear_inference_request"]
    {
        assert_eq!(client.about(path, &id).0, 200, "{path}");
    }
    assert_eq!(client.metric("stored_bytes"), 0.0);
    assert_eq!(client.metric("frames_total"), 20.0);
}

#[test]
fn a_broken_image_costs_only_itself() {
    let server = start(options());
    let client = Client::new(&server);
    let (good, cut) = (picture(1, 2), &picture(1, 2)[..5000]);
    let files: &[(&str, &[u8])] = &[("a.ppm", &good), ("b.ppm", cut), ("c.txt", b"hello"), ("d.ppm", &good)];
    let (status, results) = client.upload("inference_batch", files, &json!({}));
    assert_eq!(status, 200, "{results}");
    let names: Vec<_> =
        results.as_array().unwrap().iter().map(|result| result["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.ppm", "b.ppm", "c.txt", "d.ppm"]);
    let failed: Vec<_> =
        results.as_array().unwrap().iter().map(|result| result["error"].is_string()).collect();
    assert_eq!(failed, [false, true, true, false]);
    // Messages name the client's file and no folder of the server.
    let message = results[1]["error"].as_str().unwrap();
    assert!(message.starts_with("b.ppm: ") && !message.contains("eyespot-"), "{message}");
    assert_eq!(results[1]["annotation"]["objects"], json!([]));
    let (status, answer) = client.upload("inference_image", &[("b.ppm", cut)], &json!({}));
    assert_eq!((status, &answer["success"]), (400, &json!(false)));
}

#[test]
fn settings_take_effect_and_wrong_ones_are_named() {
    let server = start(options());
    let client = Client::new(&server);
    let file = picture(5, 6);
    let ask = |settings: Value| {
        client.upload("inference_image", &[("a.ppm", &file)], &json!({"settings": settings}))
    };
    let objects = |settings| ask(settings).1["annotation"]["objects"].as_array().unwrap().len();
    assert_eq!(objects(json!({})), 2);
    assert_eq!(objects(json!({"conf": 0.5})), 1);
    assert_eq!(objects(json!({"confidence_threshold": 0.8})), 0);
    assert_eq!(objects(json!({"classes": ["other"]})), 1);
    assert_eq!(objects(json!({"classes": null, "recursive": false, "show_progress": true})), 2);
    // Four windows see their own first pixel each: 5, 6 right and down of their corners.
    let windows = json!({"sliding_window": true, "window_size": 150, "overlap": 0, "conf": 0.5});
    assert_eq!(objects(windows.clone()), 4);
    let old = json!({"inference_mode": "sliding_window", "conf": 0.5, "sliding_window_params":
        {"windowHeight": 150, "windowWidth": 150, "overlapX": 0, "overlapY": 0}});
    assert_eq!(objects(old), 4);
    // The frame gets this size before it is cut, and boxes come back in its own pixels.
    let mut resized = windows;
    resized["img_size"] = json!([150, 150]);
    let (_, result) = ask(resized);
    assert_eq!(result["annotation"]["objects"].as_array().unwrap().len(), 1);
    assert_eq!(first_box(&result), [10, 12, 29, 31]);
    for (settings, name) in [
        (json!({"conf": 2}), "conf"),
        (json!({"classes": ["thimg"]}), "thing"),
        (json!({"img_size": 64}), "img_size"),
        (json!({"sliding_window": true}), "sliding window"),
        (json!({"upload_mode": "append"}), "upload_mode"),
        (json!({"batch_size": 0}), "batch_size"),
    ] {
        let (status, answer) = ask(settings);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(name), "{answer}");
    }
}

#[test]
fn stopping_keeps_what_is_ready_and_ends_the_rest() {
    let server = start_slow(options(), Duration::from_millis(20));
    let client = Client::new(&server);
    let file = picture(1, 1);
    let files: Vec<(&str, &[u8])> = (0..200).map(|_| ("a.ppm", file.as_slice())).collect();
    let id = client.begin("inference_batch_async", &files, &json!({}));
    let (_, report) = client.about("pop_inference_results", &id);
    assert!(!report["pending_results"].as_array().unwrap().is_empty());
    assert_eq!(client.about("stop_inference", &id).1["success"], true);
    let (rest, last) = client.take_all(&id);
    assert!(rest.len() < 190, "{}", rest.len());
    assert_eq!((&last["stage"], &last["stopped"]), (&json!("Cancelled"), &json!(true)));
    // Its files are gone although it was not cleared.
    assert_eq!(client.metric("stored_bytes"), 0.0);
    client.about("clear_inference_request", &id);
}

#[test]
fn a_full_request_pauses_until_results_are_taken() {
    let mut limits = limits();
    limits.pending = 3;
    let server = start(ServeOptions { limits, ..options() });
    let client = Client::new(&server);
    let file = picture(1, 1);
    let files: Vec<(&str, &[u8])> = (0..20).map(|_| ("a.ppm", file.as_slice())).collect();
    let id = client.begin("inference_batch_async", &files, &json!({}));
    let start = Instant::now();
    while client.about("get_inference_progress", &id).1["paused"] != true {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
    // It keeps no place from others.
    assert_eq!(client.metric("requests_running"), 0.0);
    assert_eq!(client.about("get_inference_progress", &id).1["pending_results"], 3);
    assert_eq!(client.take_all(&id).0.len(), 20);
    // An answer in one go has no such limit.
    assert_eq!(client.upload("inference_batch", &files, &json!({})).1.as_array().unwrap().len(), 20);
    // One that is cleared while it pauses is gone.
    let id = client.begin("inference_batch_async", &files, &json!({}));
    while client.about("get_inference_progress", &id).1["paused"] != true {
        std::thread::sleep(Duration::from_millis(5));
    }
    client.about("clear_inference_request", &id);
    assert_eq!(client.metric("stored_bytes"), 0.0);
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let mut limits = limits();
    (limits.ttl, limits.pending) = (Duration::from_millis(500), 1);
    let server = start(ServeOptions { limits, ..options() });
    let client = Client::new(&server);
    let file = picture(1, 1);
    let id = client.begin(
        "inference_batch_async",
        &[("a.ppm", &file), ("b.ppm", &file), ("c.ppm", &file)],
        &json!({}),
    );
    let start = Instant::now();
    while client.metric("requests_known") > 0.0 {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((client.metric("requests_expired_total"), client.metric("stored_bytes")), (1.0, 0.0));
    assert_eq!(client.about("pop_inference_results", &id).0, 404);
}

#[test]
fn a_client_that_hangs_up_ends_its_request() {
    let server = start_slow(options(), Duration::from_millis(50));
    let client = Client::new(&server);
    let file = picture(1, 1);
    let files: Vec<(&str, &[u8])> = (0..200).map(|_| ("a.ppm", file.as_slice())).collect();
    let (kind, body) = multipart(&files, &json!({}));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /inference_batch HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    while client.metric("requests_running") < 1.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
    let start = Instant::now();
    while client.metric("stored_bytes") > 0.0 {
        assert!(start.elapsed() < Duration::from_secs(8), "the request goes on without its client");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(client.metric("frames_total") < 200.0);
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let server = start(options());
    let client = Client::new(&server);
    for path in [
        "get_inference_progress",
        "pop_inference_results",
        "stop_inference",
        "clear_inference_request",
        "get_inference_status",
        "get_inference_result",
    ] {
        let (status, answer) = client.about(path, "no-such-id");
        assert_eq!((status, &answer["success"]), (404, &json!(false)), "{path}");
        assert!(answer["detail"].is_string());
        assert_eq!(client.post(path, &json!({})).0, 400);
    }
    let (status, answer) = client.upload("inference_batch_async", &[], &json!({}));
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("no files"), "{answer}");
    assert_eq!(client.post("inference_batch_async", &json!({})).0, 400);
    assert_eq!(
        client.send("inference_batch_async", "multipart/form-data; boundary=x", b"--x\r\nbroken").0,
        400
    );
    assert_eq!(client.send("get_inference_progress", "application/json", b"{\"state\": 3}").0, 400);
    assert_eq!(client.upload("inference_video_async", &[("v.mp4", b"no video")], &json!({})).0, 400);
    assert_eq!(client.upload("inference_video_async", &[("a.ppm", &picture(1, 1))], &json!({})).0, 400);
    assert_eq!(
        client
            .upload("inference_image", &[("a.ppm", &picture(1, 1)), ("b.ppm", &picture(1, 1))], &json!({}))
            .0,
        400
    );
    assert_eq!(
        client.post("inference_image_url", &json!({"state": {"image_url": "file:///etc/passwd"}})).0,
        400
    );
    assert_eq!(client.post("inference_image_url", &json!({"state": {"image_url": "rtsp://a/b"}})).0, 400);
    assert_eq!(client.post("inference_batch_ids_async", &json!({"state": {"images_ids": [1]}})).0, 501);
    assert_eq!(client.post("deploy_from_api", &json!({"state": {"model_name": "other"}})).0, 501);
    assert_eq!(client.get("no/such/path").0, 404);
    assert_eq!(client.get("pop_inference_results").0, 405);
    let page = Client::new(&server).with_header("origin", "http://evil.example");
    assert_eq!(page.post("get_session_info", &json!({})).0, 403);
}

#[test]
fn too_large_an_upload_is_refused() {
    let server = start(options());
    // A gigabyte, announced: the answer comes before the body.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "POST /inference_batch_async HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n", 1_u64 << 30).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    // And one that is sent all the same, in pieces without a length.
    let mut limits = limits();
    limits.upload_bytes = 1 << 20;
    let server = start(ServeOptions { limits, ..options() });
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "POST /inference_batch_async HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let part = b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\n";
    write!(stream, "{:x}\r\n", part.len()).unwrap();
    stream.write_all(part).unwrap();
    stream.write_all(b"\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let piece = vec![0; 1 << 16];
        // The server may hang up at any time.
        for _ in 0..64 {
            if write!(writer, "{:x}\r\n", piece.len())
                .and_then(|()| writer.write_all(&piece))
                .and_then(|()| writer.write_all(b"\r\n"))
                .is_err()
            {
                return;
            }
        }
    });
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    drop(stream);
    sender.join().unwrap();
    let client = Client::new(&server);
    assert_eq!(client.metric("stored_bytes"), 0.0);
    let mut json = json!({"state": {}});
    json["state"]["filler"] = "x".repeat(5 << 20).into();
    assert_eq!(client.post("get_inference_progress", &json).0, 413);
}

fn is_cut_off(mut stream: TcpStream, drip: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (start, mut answer) = (Instant::now(), Vec::new());
    let mut bytes = drip.iter().cycle();
    loop {
        assert!(start.elapsed() < Duration::from_secs(20), "it is still connected");
        // A byte now and then, as an attacker does.
        let sent = stream.write_all(&[*bytes.next().unwrap()]);
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => return String::from_utf8(answer).unwrap(),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return String::from_utf8(answer).unwrap(),
        }
        if sent.is_err() {
            return String::from_utf8(answer).unwrap();
        }
    }
}

#[test]
fn a_slow_client_is_cut_off() {
    let mut limits = limits();
    (limits.header_timeout, limits.stall_timeout) = (Duration::from_secs(1), Duration::from_secs(1));
    let server = start(ServeOptions { limits, ..options() });
    // Within the head.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"POST /inference_batch_async HTTP/1.1\r\nX-Slow: ").unwrap();
    is_cut_off(stream, b"a");
    // Within the body.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"POST /inference_batch_async HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\n").unwrap();
    let answer = is_cut_off(stream, b"Content-Disposition: form-data; name=\"files\"; filename=\"a\"");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(Client::new(&server).metric("stored_bytes"), 0.0);
}

#[test]
fn only_who_shows_the_token_is_let_in() {
    let server = start(ServeOptions { token: Some(Token::new("s3cret")), ..options() });
    let body = json!({});
    for (name, value, expected) in [
        ("x-other", "s3cret", 401),
        ("x-api-key", "s3cret", 200),
        ("x-api-key", "s3creT", 401),
        ("x-api-key", "", 401),
        ("authorization", "Bearer s3cret", 200),
        ("authorization", "Bearer s3cret2", 401),
        // any:s3cret, as `http://any:s3cret@host` becomes.
        ("authorization", "Basic YW55OnMzY3JldA==", 200),
    ] {
        let client = Client::new(&server).with_header(name, value);
        assert_eq!(client.post("get_session_info", &body).0, expected, "{name}: {value}");
        assert_eq!(client.get("metrics").0, expected);
        assert_eq!((client.get("livez").0, client.get("readyz").0), (200, 200));
    }
}

#[test]
fn it_tells_about_itself() {
    let server = start(options());
    let client = Client::new(&server);
    let post = |path: &str| client.post(path, &json!({}));
    let (_, info) = post("get_session_info");
    assert_eq!((&info["tracking_on_videos_support"], &info["number_of_classes"]), (&json!(true), &json!(2)));
    let (_, info) = post("get_deploy_info");
    assert_eq!(info["model_name"], "reader");
    assert_eq!(info.as_object().unwrap().len(), 12);
    let (_, meta) = post("get_model_meta");
    assert_eq!(
        (&meta["classes"][0]["title"], &meta["tags"][0]["name"]),
        (&json!("thing"), &json!("confidence"))
    );
    assert_eq!(meta, post("get_output_classes_and_tags").1);
    assert_eq!(post("is_ready").1, json!({"status": "ready"}));
    assert_eq!(post("get_custom_inference_settings").1["settings"]["conf"], 0.25);
    assert_eq!(post("get_tracking_settings").1["botsort"]["track_buffer"], 30);
    assert_eq!(post("list_pretrained_models").1, json!(["reader"]));
    assert_eq!(post("get_status").1["is_deployed"], true);
    assert_eq!(post("freeze_model").0, 200);
    let (status, page) = client.get("");
    assert!(status == 200 && page.contains("live.mjpeg"));
}

#[test]
fn the_live_page_shows_what_is_predicted() {
    let server = start(options());
    let client = Client::new(&server);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /live.mjpeg HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    while client.metric("live_viewers") < 1.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    client.upload("inference_image", &[("a.ppm", &picture(200, 30))], &json!({}));
    let mut seen = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while !seen.windows(2).any(|pair| pair == [0xff, 0xd9]) {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains("multipart/x-mixed-replace") && text.contains("Content-Type: image/jpeg"));
}

#[test]
fn stopping_is_gentle() {
    let mut server = start_slow(options(), Duration::from_millis(30));
    let client = Client::new(&server);
    let file = picture(1, 1);
    let files: Vec<(&str, &[u8])> = (0..100).map(|_| ("a.ppm", file.as_slice())).collect();
    client.begin("inference_batch_async", &files, &json!({}));
    let start = Instant::now();
    let address = server.address();
    server.stop();
    assert!(start.elapsed() < Limits::default().grace);
    assert!(TcpStream::connect(address).is_err());
}
