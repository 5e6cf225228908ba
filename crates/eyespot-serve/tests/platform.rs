//! Images of a platform by their ids, whole projects, and what was found brought back there.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Client, first_box, options, start};
use eyespot_serve::{ServeOptions, Server, Supervisely};
use eyespot_supervisely::client::{ClientOptions, Connection, Token};
use platform_emulator::{Platform, png};
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["a.png", "b.png", "c.png"];

/// A platform with a project of three grey images, and a server that knows it.
fn both(own: bool) -> (Platform, u64, Server) {
    let platform = Platform::start().unwrap();
    let files = [0, 1, 2].map(|shade| (NAMES[usize::from(shade)], png(64, 48, 20 + shade)));
    let dataset = platform.store().add_images_project("street", &files);
    let token = Token::new(platform.token()).unwrap();
    let connection = own.then(|| Connection::new(&platform.url(), token).unwrap());
    let quick = ClientOptions { retry_sleep: Duration::from_millis(10), ..ClientOptions::default() };
    let supervisely = Supervisely::new(connection).with_options(quick);
    let server = start(ServeOptions { platform: Some(Arc::new(supervisely)), ..options() });
    (platform, dataset, server)
}

fn ids(platform: &Platform, dataset: u64) -> [u64; 3] {
    NAMES.map(|name| platform.store().item(dataset, name).unwrap())
}

/// All results of a request for items.
fn run(client: &Client, path: &str, state: &Value) -> (Vec<Value>, Value) {
    let (status, begun) = client.post(path, &json!({"state": state}));
    assert_eq!(status, 200, "{begun}");
    client.take_all(begun["inference_request_uuid"].as_str().unwrap())
}

/// Number of objects of each image of a project.
fn objects(platform: &Platform, project: &str) -> Vec<usize> {
    let stored = platform.snapshot();
    let datasets = stored[project]["datasets"].as_object().unwrap().values();
    let items = datasets
        .flat_map(|dataset| dataset["items"].as_object().unwrap().values().cloned().collect::<Vec<_>>());
    items.map(|item| item["objects"].as_array().unwrap().len()).collect()
}

#[test]
fn images_and_projects_are_found_by_their_ids() {
    let (platform, dataset, server) = both(true);
    let client = Client::new(&server);
    let ids = ids(&platform, dataset);
    let project = platform.store().project_of(dataset).unwrap();
    let state = json!({"images_ids": ids, "settings": {"conf": 0.5}});
    let (results, last) = run(&client, "inference_batch_ids_async", &state);
    assert_eq!((results.len(), &last["progress"]["total"]), (3, &json!(3)));
    for (number, result) in results.iter().enumerate() {
        let expected = (&json!(ids[number]), &json!(NAMES[number]), &json!(dataset), &json!(project));
        assert_eq!(
            (&result["image_id"], &result["name"], &result["dataset_id"], &result["project_id"]),
            expected
        );
        let shade = 20 + number as i64;
        assert_eq!(first_box(result), [shade, shade, shade + 9, shade + 9]);
    }
    let (results, _) = run(&client, "inference_project_id_async", &json!({"project_id": project}));
    assert_eq!(results.len(), 3);
    let state = json!({"project_id": project, "dataset_ids": [dataset]});
    assert_eq!(run(&client, "inference_project_id_async", &state).0.len(), 3);
    let (status, result) = client.post("inference_image_id", &json!({"state": {"image_id": ids[1]}}));
    assert_eq!((status, &result["name"]), (200, &json!("b.png")));
    // Nothing was uploaded.
    assert_eq!(objects(&platform, "street"), [0, 0, 0]);
    for (path, state) in [
        ("inference_batch_ids_async", json!({"images_ids": [ids[0], 987_654]})),
        ("inference_project_id_async", json!({"project_id": 987_654})),
        ("inference_project_id_async", json!({"project_id": project, "dataset_ids": [987_654]})),
    ] {
        let (status, answer) = client.post(path, &json!({"state": state}));
        assert_eq!(status, 400, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("987654"), "{answer}");
    }
}

#[test]
fn predictions_go_where_the_mode_says() {
    let (platform, dataset, server) = both(true);
    let client = Client::new(&server);
    let project = platform.store().project_of(dataset).unwrap();
    let upload = |more: &Value| {
        let mut state = json!({"project_id": project});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (results, last) = run(&client, "inference_project_id_async", &state);
        assert_eq!((results.len(), &last["exception"]), (3, &Value::Null));
    };
    // Two objects of two classes in each image.
    upload(&json!({"upload_mode": "append"}));
    assert_eq!(objects(&platform, "street"), [2, 2, 2]);
    upload(&json!({"upload_mode": "append"}));
    assert_eq!(objects(&platform, "street"), [4, 4, 4]);
    upload(&json!({"upload_mode": "replace"}));
    assert_eq!(objects(&platform, "street"), [2, 2, 2]);
    upload(&json!({"upload_mode": "iou_merge"}));
    assert_eq!(objects(&platform, "street"), [2, 2, 2]);
    upload(&json!({"upload_mode": "append", "settings": {"existing_objects_iou_thresh": 0.5}}));
    assert_eq!(objects(&platform, "street"), [2, 2, 2]);
    upload(&json!({"upload_mode": "create"}));
    assert_eq!(objects(&platform, "street (predictions)"), [2, 2, 2]);
    upload(&json!({"upload_mode": "create"}));
    assert_eq!(objects(&platform, "street (predictions)_001"), [2, 2, 2]);
    // What makes no sense is said before anything is predicted.
    let before = client.metric("frames_total");
    for wrong in [
        json!({"upload_mode": "overwrite"}),
        json!({"upload_mode": "replace", "iou_merge_threshold": 0.5}),
        json!({"upload_mode": "iou_merge", "iou_merge_threshold": 0}),
        json!({"output_project_id": 987_654}),
    ] {
        let mut state = json!({"project_id": project});
        state.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let (status, answer) = client.post("inference_project_id_async", &json!({"state": state}));
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    assert_eq!(client.metric("frames_total"), before);
    assert_eq!(objects(&platform, "street"), [2, 2, 2]);
}

#[test]
fn a_token_goes_only_to_its_own_platform() {
    let (platform, dataset, server) = both(true);
    let (other, _, without) = both(false);
    let ids = ids(&platform, dataset);
    let ask = |server: &Server, more: Value| {
        let mut body = json!({"state": {"image_id": ids[0]}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Client::new(server).post("inference_image_id", &body).0
    };
    // Without a token the server's own connection is used, whatever address is named.
    assert_eq!(ask(&server, json!({"server_address": other.url()})), 200);
    assert!(other.calls().is_empty());
    // With one, that one.
    assert_eq!(ask(&server, json!({"api_token": platform.token()})), 200);
    assert_eq!(ask(&server, json!({"api_token": "wr0ng"})), 502);
    let named = json!({"api_token": platform.token(), "server_address": platform.url()});
    assert_eq!(ask(&without, named), 200);
    assert_eq!(ask(&without, json!({"api_token": platform.token()})), 400);
    assert_eq!(ask(&without, json!({})), 400);
}
