//! The methods of the API.

mod annotations;
mod datasets;
mod figures;
mod images;
mod meta;
mod pages;
mod projects;
mod tags;
mod uploads;
mod videos;

use serde_json::{Map, Value, json};

use crate::fields::{Fields, Refusal};
use crate::store::Store;

/// When everything was made. Dates say nothing in tests.
const DATE: &str = "2026-01-01T00:00:00.000Z";

/// The body of a request.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Json(Value),
    Files(Vec<FilePart>),
}

/// A file of a multipart body.
#[derive(Debug, Clone)]
pub(crate) struct FilePart {
    name: String,
    file_name: String,
    content_type: String,
    bytes: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    pub(crate) async fn read(content_type: &str, query: &str, body: &[u8]) -> Result<Self, Refusal> {
        if let Ok(boundary) = multer::parse_boundary(content_type) {
            return Self::multipart(&boundary, body).await;
        }
        if body.is_empty() {
            return Ok(Self::Json(Value::Object(query_fields(query))));
        }
        if !content_type.starts_with("application/json") {
            return Err(Refusal::bad(format!("a body of type `{content_type}`")));
        }
        serde_json::from_slice(body).map(Self::Json).map_err(|error| Refusal::bad(error.to_string()))
    }

    async fn multipart(boundary: &str, body: &[u8]) -> Result<Self, Refusal> {
        let bad = |error: multer::Error| Refusal::bad(error.to_string());
        let mut form = multer::Multipart::with_reader(body, boundary);
        let mut files = Vec::new();
        while let Some(field) = form.next_field().await.map_err(bad)? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().unwrap_or_default().to_owned();
            let content_type = field.headers().get("content-type").and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(bad)?.to_vec();
            files.push(FilePart { name, file_name, content_type, bytes });
        }
        Ok(Self::Files(files))
    }
}

/// The fields of a query; numbers are numbers.
fn query_fields(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.parse::<u64>().map_or(json!(value), |value| json!(value))))
        .collect()
}

impl Content {
    pub(crate) fn json(value: &Value) -> Self {
        Self { content_type: "application/json".to_owned(), bytes: value.to_string().into_bytes() }
    }

    fn file(content_type: &str, bytes: &[u8]) -> Self {
        Self { content_type: content_type.to_owned(), bytes: bytes.to_vec() }
    }

    /// Files by their names.
    fn multipart(files: &[(String, &[u8])]) -> Self {
        // Test files don't hold it.
        const BOUNDARY: &str = "platform-emulator-7f3a91c4";
        let mut bytes = Vec::new();
        for (name, file) in files {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            );
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(file);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        Self { content_type: format!("multipart/form-data; boundary={BOUNDARY}"), bytes }
    }
}

/// Answers a request. What is refused has changed nothing.
pub(crate) fn call(store: &mut Store, method: &str, input: Input) -> Result<Content, Refusal> {
    let body = match (method, input) {
        ("images.bulk.upload", Input::Files(files)) => {
            return uploads::upload(store, files, "image/*").map(|answer| Content::json(&answer));
        }
        ("videos.bulk.upload", Input::Files(files)) => {
            return uploads::upload(store, files, "video/*").map(|answer| Content::json(&answer));
        }
        ("images.internal.hashes.list", Input::Json(body)) => {
            return uploads::known(store, body).map(|answer| Content::json(&answer));
        }
        (_, Input::Json(body)) => Fields::new("body", body)?,
        (method, Input::Files(_)) => return Err(Refusal::bad(format!("{method} takes no files"))),
    };
    let answer = match method {
        "instance.version" => json!({"version": "6.12.0"}),
        "projects.info" => projects::info(store, body)?,
        "projects.list" => projects::list(store, body)?,
        "projects.add" => projects::add(store, body)?,
        "projects.meta" => meta::get(store, body)?,
        "projects.meta.update" => meta::update(store, body)?,
        "projects.settings.update" => projects::set_settings(store, body)?,
        "advanced.object_classes.list" => meta::classes(store, body)?,
        "tags.list" => meta::tags(store, body)?,
        "datasets.info" => datasets::info(store, body)?,
        "datasets.list" => datasets::list(store, body)?,
        "datasets.add" => datasets::add(store, body)?,
        "images.info" => images::info(store, body)?,
        "images.list" => images::list(store, body)?,
        "images.bulk.add" => images::add(store, body)?,
        "images.download" => return images::download(store, body),
        "images.bulk.download" => return images::download_many(store, body),
        "annotations.info" => annotations::info(store, body)?,
        "annotations.bulk.info" => annotations::info_many(store, body)?,
        "annotations.bulk.add" => annotations::set_many(store, body)?,
        "import-storage.internal.meta.list" => uploads::streams(store, body)?,
        "videos.info" => videos::info(store, body)?,
        "videos.list" => videos::list(store, body)?,
        "videos.bulk.add" => videos::add(store, body)?,
        "videos.download" => return videos::download(store, body),
        "videos.annotations.bulk.info" => videos::annotations(store, body)?,
        "annotation-objects.bulk.add" => videos::add_objects(store, body)?,
        "figures.bulk.add" => figures::add(store, body)?,
        "figures.tags.bulk.add" => tags::add_to_figures(store, body)?,
        "image-tags.bulk.add-to-image" => tags::add_to_images(store, body)?,
        other => return Err(Refusal::new(404, format!("no method `{other}`"))),
    };
    Ok(Content::json(&answer))
}
