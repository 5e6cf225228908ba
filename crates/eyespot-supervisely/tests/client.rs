//! The client against a server that answers from a script.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use eyespot_supervisely::client::{Client, ClientError, ClientOptions, Connection, Token, hash_of};
use eyespot_supervisely::format::{Annotation, Geometry, ObjClass, Object, ProjectMeta, Rectangle, Shape};
use eyespot_supervisely::{Deliver as _, Delivery, Item, Pixels, Source, UploadMode, Uploader};
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
    let meta = ProjectMeta { classes: vec![class], ..ProjectMeta::default() };
    let (client, requests) = serve(vec![ok(&json!([{"id": 77}]))]);
    assert_eq!(client.add_objects(5, std::slice::from_ref(&object), &meta).unwrap(), [77]);
    let body = requests.recv().unwrap().json();
    let figure = &body["figures"][0];
    assert_eq!(
        (&body["entityId"], &figure["classId"], &figure["nnCreated"]),
        (&json!(5), &json!(11), &json!(true))
    );
    assert_eq!(figure["geometry"]["points"]["exterior"], json!([[1, 2], [4, 5]]));
    let error = client.add_objects(5, &[object], &ProjectMeta::default()).unwrap_err();
    assert!(error.to_string().contains("no class `car`"), "{error}");
}

fn item(source: Source) -> Item {
    let rectangle = Rectangle { left: 1.0, top: 2.0, right: 3.0, bottom: 4.0 };
    let mut annotation = Annotation::new(64, 48);
    annotation.objects.push(Object::predicted("car", Geometry::Rectangle(rectangle), 0.5));
    let meta = ProjectMeta {
        classes: vec![ObjClass::new("car", Shape::Rectangle, [0; 3])],
        ..ProjectMeta::default()
    };
    Item { key: "a".into(), source, pixels: Pixels::Encoded(b"jpeg".to_vec()), annotation, meta }
}

fn methods(requests: &Receiver<Request>) -> Vec<String> {
    requests.iter().map(|request| request.method).collect()
}

/// The project has a `car` that is a polygon.
#[test]
fn appending_reads_nothing_at_first_and_adds_nothing_twice() {
    let polygons =
        json!({"classes": [{"title": "car", "shape": "polygon", "color": "#000000", "id": 1}], "tags": []});
    let mut both = polygons.clone();
    let new = json!({"title": "car_nn", "shape": "rectangle", "color": "#000000", "id": 2});
    both["classes"].as_array_mut().unwrap().push(new);
    let image = json!({"id": 5, "name": "a.jpg", "datasetId": 3});
    let dataset = json!({"id": 3, "name": "d", "projectId": 9, "parentId": null});
    let stored = json!([{"imageId": 5, "annotation": {"size": {"height": 48, "width": 64}, "tags": [], "objects": [
        {"classTitle": "car_nn", "geometryType": "rectangle", "nnCreated": true, "nnUpdated": true, "id": 70,
         "tags": [{"name": "confidence", "value": 0.5, "id": 9}],
         "points": {"exterior": [[1, 2], [4, 5]], "interior": []}}]}}]);
    let (client, requests) = serve(vec![
        ok(&image),
        ok(&dataset),
        ok(&polygons),
        ok(&both),
        ok(&json!({})),
        status(503, "", ""),
        ok(&image),
        ok(&both),
        ok(&stored),
        status(404, "", "{}"),
    ]);
    let mut uploader = Uploader::new(client, UploadMode::Append).unwrap();
    let batch = [item(Source::Image { id: 5 })];
    // The platform stores the object, but nobody hears of it.
    assert!(uploader.deliver(&batch, false).is_err());
    assert_eq!(uploader.deliver(&batch, true).unwrap(), [Delivery::Done]);
    let gone = uploader.deliver(&[item(Source::Image { id: 6 })], false).unwrap();
    assert!(matches!(&gone[..], [Delivery::Refused { reason }] if reason.contains("image 6")), "{gone:?}");
    let local =
        uploader.deliver(&[item(Source::Local { name: "b.jpg".into(), dataset: vec![] })], false).unwrap();
    assert!(
        matches!(&local[..], [Delivery::Refused { reason }] if reason.contains("use create")),
        "{local:?}"
    );
    drop(uploader);
    let expected = "images.info datasets.info projects.meta projects.meta.update projects.settings.update \
        figures.bulk.add images.info projects.meta annotations.bulk.info images.info";
    assert_eq!(methods(&requests).join(" "), expected);
}

#[test]
fn a_local_image_that_is_there_from_a_try_before_is_taken() {
    let class = json!({"title": "car", "shape": "rectangle", "color": "#000000", "id": 2});
    let hash = hash_of(b"jpeg");
    let page = |entities: Value| {
        ok(
            &json!({"total": entities.as_array().unwrap().len(), "perPage": 50, "pagesCount": 1, "entities": entities}),
        )
    };
    let taken =
        json!({"error": "taken", "details": {"type": "NONUNIQUE", "errors": [{"id": 5, "name": "b.jpg"}]}});
    let empty = json!([{"imageId": 5, "annotation": {"size": {"height": 48, "width": 64}, "tags": [], "objects": []}}]);
    let (client, requests) = serve(vec![
        page(json!([])),
        ok(&json!({"id": 3, "name": "day", "projectId": 9, "parentId": null})),
        ok(&json!([hash])),
        status(400, "", &taken.to_string()),
        page(json!([{"id": 5, "name": "b.jpg", "datasetId": 3, "hash": hash}])),
        ok(&json!({"classes": [class], "tags": []})),
        ok(&empty),
        ok(&json!([{"id": 70}])),
    ]);
    let mut uploader = Uploader::into_project(client, 9);
    let local = item(Source::Local { name: "b.jpg".into(), dataset: vec!["day".into()] });
    assert_eq!(uploader.deliver(&[local], false).unwrap(), [Delivery::Done]);
    let expected = "datasets.list datasets.add images.internal.hashes.list images.bulk.add images.list projects.meta \
        annotations.bulk.info figures.bulk.add";
    assert_eq!(methods(&requests).join(" "), expected);
}
