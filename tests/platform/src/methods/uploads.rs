//! Files, known by their hashes.

use serde_json::{Value, json};

use super::FilePart;
use crate::fields::{Fields, Refusal};
use crate::files::{hash_of, picture};
use crate::mp4;
use crate::store::Store;

/// Those of the hashes whose files are there.
pub(super) fn known(store: &Store, body: Value) -> Result<Value, Refusal> {
    let hashes: Vec<String> =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    if hashes.len() > 900 {
        return Err(Refusal::bad("more than 900 hashes"));
    }
    Ok(hashes.into_iter().filter(|hash| store.files.contains_key(hash)).collect())
}

/// The streams of uploaded videos.
pub(super) fn streams(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let hashes: Vec<String> = body.take("hashes")?;
    body.end()?;
    let mut all = Vec::new();
    for hash in hashes {
        let file = store.files.get(&hash).and_then(|file| mp4::video(file));
        let video = file.ok_or_else(|| Refusal::bad(format!("no video of the hash {hash}")))?;
        let stream = json!({"codecType": "video", "index": video.stream, "width": video.width, "height": video.height});
        all.push(json!({"meta": {"streams": [stream]}}));
    }
    Ok(all.into())
}

pub(super) fn upload(store: &mut Store, files: Vec<FilePart>, content_type: &str) -> Result<Value, Refusal> {
    if files.is_empty() || files.len() > 50 {
        return Err(Refusal::bad(format!("{} files in an upload", files.len())));
    }
    for (index, file) in files.iter().enumerate() {
        let expected = (format!("{index}-file"), index.to_string(), content_type);
        if expected != (file.name.clone(), file.file_name.clone(), &file.content_type) {
            return Err(Refusal::bad(format!(
                "a part of {:?} {:?} {:?}",
                file.name, file.file_name, file.content_type
            )));
        }
        if content_type == "image/*" && picture(&file.bytes).is_none() {
            return Err(Refusal::bad(format!("file {index} is no picture")));
        }
        if content_type == "video/*" && mp4::video(&file.bytes).is_none() {
            return Err(Refusal::bad(format!("file {index} is no video")));
        }
    }
    let mut stored = Vec::new();
    for file in files {
        let hash = hash_of(&file.bytes);
        stored.push(json!({"hash": hash}));
        store.files.insert(hash, file.bytes);
    }
    Ok(stored.into())
}
