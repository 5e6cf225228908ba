//! The client against a server that answers from a script.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use eyespot_supervisely::client::{Client, ClientError, ClientOptions, Connection, Token, hash_of};
use eyespot_supervisely::format::{Geometry, ObjClass, Object, ProjectMeta, Rectangle, Shape, TagMeta};
use serde_json::{Value, json};

const TOKEN: &str = "t0ken-of-the-test";

struct Request {
    method: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered to one request: bytes as they are, nothing but a closed connection, or silence.
enum Answer {
    Raw(String),
    Close,
    Silence,
}

fn status(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Raw(format!(
        "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

fn ok(body: &Value) -> Answer {
    status(200, "", &body.to_string())
}

/// Each request gets the next answer.
fn serve(answers: Vec<Answer>) -> (Client, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let length = head.to_ascii_lowercase();
            let length =
                length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let method = head.split(' ').nth(1).unwrap().trim_start_matches("/public/api/v3/").to_owned();
            let _ = sender.send(Request { method, head, body });
            let mut stream = reader.into_inner();
            match answer {
                Answer::Raw(text) => stream.write_all(text.as_bytes()).unwrap(),
                Answer::Close => {}
                Answer::Silence => silent.push(stream),
            }
        }
    });
    let options = ClientOptions {
        tries: 3,
        retry_sleep: Duration::from_millis(1),
        max_wait: Duration::from_secs(2),
        timeout: Duration::from_millis(300),
        ..ClientOptions::default()
    };
    let connection = Connection::new(&address, Token::new(TOKEN).unwrap()).unwrap();
    (Client::new(connection, options), requests)
}

#[test]
fn requests_carry_the_token_and_are_tried_again_with_their_whole_body() {
    let truncated = "HTTP/1.1 200 x\r\nContent-Length: 999\r\n\r\n[\"half".to_owned();
    for trouble in [status(503, "", ""), Answer::Close, Answer::Raw(truncated), Answer::Silence] {
        let (client, requests) = serve(vec![trouble, ok(&json!(["a"]))]);
        assert_eq!(client.known_hashes(&["a".into(), "b".into()]).unwrap(), ["a"]);
        for _ in 0..2 {
            let request = requests.recv().unwrap();
            assert_eq!(
                (request.method.as_str(), request.json()),
                ("images.internal.hashes.list", json!(["a", "b"]))
            );
            assert!(request.head.contains(&format!("x-api-key: {TOKEN}")));
        }
    }
}

#[test]
fn what_can_not_pass_fails_at_once_and_the_token_is_not_told() {
    let echo = json!({"error": format!("no rights for {TOKEN}"), "details": {"token": TOKEN}}).to_string();
    let (client, requests) = serve(vec![status(403, "", &echo)]);
    let error = client.meta(3).unwrap_err();
    assert!(matches!(error, ClientError::Status { status: 403, .. }) && !error.is_temporary());
    let text = format!("{error} {error:?} {client:?}");
    assert!(text.contains("no rights for ***") && !text.contains(TOKEN), "{text}");
    assert_eq!(requests.iter().count(), 1);

    let (client, requests) = serve(vec![status(404, "", "{}")]);
    assert!(client.project(8).unwrap().is_none());
    assert_eq!(requests.iter().count(), 1);

    // A redirect would take the token elsewhere.
    let (client, requests) = serve(vec![status(302, "Location: http://127.0.0.1:1/\r\n", "")]);
    assert!(client.meta(3).is_err());
    assert_eq!(requests.iter().count(), 1);
}

#[test]
fn a_busy_platform_says_how_long_to_wait() {
    let (client, _requests) = serve(vec![status(429, "Retry-After: 1\r\n", "{}"), ok(&json!([]))]);
    assert!(client.known_hashes(&["a".into()]).unwrap().is_empty());
    // Longer than a caller wants to wait: the caller gets to know.
    let (client, requests) = serve(vec![status(429, "Retry-After: 100\r\n", "{}")]);
    let error = client.known_hashes(&["a".into()]).unwrap_err();
    let asked = Some(Duration::from_secs(100));
    assert!(matches!(&error, ClientError::Status { retry_after, .. } if *retry_after == asked), "{error:?}");
    assert!(error.is_temporary());
    assert_eq!(requests.iter().count(), 1);
}

#[test]
fn lists_come_in_pages_and_have_to_be_whole() {
    let page = |ids: &[u64]| {
        let entity = |id: &u64| json!({"id": id, "name": "d", "projectId": 1, "parentId": null});
        let entities: Vec<Value> = ids.iter().map(entity).collect();
        ok(&json!({"total": 3, "perPage": 2, "pagesCount": 2, "entities": entities}))
    };
    let (client, requests) = serve(vec![page(&[1, 2]), page(&[3])]);
    let ids: Vec<_> = client.datasets(1).unwrap().iter().map(|dataset| dataset.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    let (first, second) = (requests.recv().unwrap().json(), requests.recv().unwrap().json());
    assert_eq!(
        (&first["sort"], &first["sort_order"], first.get("page")),
        (&json!("id"), &json!("asc"), None)
    );
    assert_eq!((&second["page"], &second["per_page"]), (&json!(2), &json!(2)));
    let (client, _requests) = serve(vec![page(&[1, 2]), page(&[])]);
    assert!(matches!(client.datasets(1), Err(ClientError::Answer { .. })));
}

#[test]
fn only_files_that_are_missing_are_uploaded_once() {
    let (a, b) = (b"first \r\n".as_slice(), b"second".as_slice());
    let stored = json!([{"hash": hash_of(b)}]);
    let (client, requests) = serve(vec![ok(&json!([hash_of(a)])), status(502, "", ""), ok(&stored)]);
    assert_eq!(client.upload_images(&[a, b, b]).unwrap(), [hash_of(a), hash_of(b), hash_of(b)]);
    // SHA-256 of nothing, by `sha256sum < /dev/null | xxd -r -p | base64`.
    assert_eq!(hash_of(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let all: Vec<_> = requests.iter().collect();
    assert_eq!(all[1].body, all[2].body);
    let text = String::from_utf8(all[2].body.clone()).unwrap();
    assert!(
        text.contains("name=\"0-file\"; filename=\"0\"\r\nContent-Type: image/*\r\n\r\nsecond\r\n--"),
        "{text}"
    );
    assert!(!text.contains("first"));
}

#[test]
fn added_objects_have_numbers_and_the_coordinates_of_the_platform() {
    let rectangle = Rectangle { left: 1.0, top: 2.0, right: 3.0, bottom: 4.0 };
    let object = Object::predicted("car", Geometry::Rectangle(rectangle), 0.5);
    let class = ObjClass { id: Some(11), ..ObjClass::new("car", Shape::Rectangle, [0; 3]) };
    let tag = TagMeta { id: Some(12), ..TagMeta::confidence() };
    let meta = ProjectMeta { classes: vec![class], tags: vec![tag], ..ProjectMeta::default() };
    let (client, requests) = serve(vec![ok(&json!([{"id": 77}])), ok(&json!([{"id": 80}]))]);
    assert_eq!(client.add_objects(3, 4, &[(5, object.clone())], &meta).unwrap(), [77]);
    let body = requests.recv().unwrap().json();
    let figure = &body["figures"][0];
    assert_eq!(
        (&body["datasetId"], &figure["entityId"], &figure["classId"], &figure["nnCreated"]),
        (&json!(4), &json!(5), &json!(11), &json!(true))
    );
    assert_eq!(figure["geometry"]["points"]["exterior"], json!([[1, 2], [4, 5]]));
    // Tags beside a new object are ignored; they follow it.
    assert_eq!(figure.get("tags"), None);
    let tags = requests.recv().unwrap();
    assert_eq!(tags.method, "figures.tags.bulk.add");
    assert_eq!(tags.json(), json!({"projectId": 3, "tags": [{"figureId": 77, "tagId": 12, "value": 0.5}]}));
    let error = client.add_objects(3, 4, &[(5, object)], &ProjectMeta::default()).unwrap_err();
    assert!(error.to_string().contains("no class `car`"), "{error}");
}
