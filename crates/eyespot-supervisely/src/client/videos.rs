//! Videos of the platform.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::api::{BATCH, FIGURES, found};
use super::form::Content;
use super::parallel::side_by_side;
use super::{Client, ClientError};
use crate::format::VideoAnnotation;

/// A video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The project that it is in.
    pub project_id: u64,
    /// The dataset that it is in.
    pub dataset_id: u64,
    /// The hash of its file; `None` for a link.
    #[serde(default)]
    pub hash: Option<String>,
    /// Everything else, such as `fileMeta` with `framesCount`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A figure of a video's frame, to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFigure {
    /// The platform's number of its object.
    pub object_id: u64,
    /// Number of the frame.
    pub frame: u64,
    /// The figure.
    pub figure: crate::format::Figure,
}

/// What the platform knows of an uploaded file.
#[derive(Deserialize)]
struct StoredFile {
    meta: FileMeta,
}

#[derive(Deserialize)]
struct FileMeta {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    codec_type: String,
    index: u64,
}

/// The hash by which the platform knows a file: base64 of its SHA-256. The file is read piece by piece.
///
/// # Errors
/// [`ClientError::File`].
pub fn hash_of_file(path: &Path) -> Result<String, ClientError> {
    let failed = |error| ClientError::file(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut piece).map_err(failed)?;
        if count == 0 {
            return Ok(STANDARD.encode(hash.finalize()));
        }
        hash.update(piece.get(..count).unwrap_or_default());
    }
}

impl Client {
    /// A video; `None` if there is none.
    pub fn video(&self, id: u64) -> Result<Option<VideoInfo>, ClientError> {
        found(self.call("videos.info", &json!({"id": id, "forceMetadataForLinks": true})))
    }

    /// The videos of a dataset.
    pub fn videos(&self, dataset: u64) -> Result<Vec<VideoInfo>, ClientError> {
        let body = json!({"datasetId": dataset, "filter": [], "rawVideoMeta": false, "forceMetadataForLinks": false});
        self.pages("videos.list", &body)
    }

    /// Uploads the file of a video, if the platform does not have it yet. `hash` is that of the file, as
    /// [`hash_of_file`] gives it.
    ///
    /// # Errors
    /// [`ClientError::File`] where it can't be read, [`ClientError`] else.
    pub fn upload_video(&self, path: &Path, hash: &str) -> Result<(), ClientError> {
        if !self.known_hashes(&[hash.to_owned()])?.is_empty() {
            return Ok(());
        }
        let len = std::fs::metadata(path).map_err(|error| ClientError::file(path, error))?.len();
        self.upload_files("videos.bulk.upload", "video/*", &[(hash, Content::Disk { path, len })])
    }

    /// A new video in a dataset, of a file that was uploaded: its first stream of pictures. The name must be free.
    pub fn add_video(&self, dataset: u64, name: &str, hash: &str) -> Result<VideoInfo, ClientError> {
        let method = "import-storage.internal.meta.list";
        let files: Vec<StoredFile> = self.call(method, &json!({"hashes": [hash]}))?;
        let streams = files.into_iter().flat_map(|file| file.meta.streams);
        let stream = streams.into_iter().find(|stream| stream.codec_type == "video");
        let stream = stream.ok_or_else(|| self.answer(method, &format!("`{name}` is no video")))?;
        let meta = json!({"videoStreamIndex": stream.index});
        self.new_video(dataset, &json!([{"title": name, "hash": hash, "meta": meta}]))
    }

    /// A copy of a video in a dataset, under its name, without its annotation.
    pub fn copy_video(&self, dataset: u64, video: &VideoInfo) -> Result<VideoInfo, ClientError> {
        let meta = video.extra.get("meta").cloned().unwrap_or_else(|| json!({"videoStreamIndex": 0}));
        self.new_video(dataset, &json!([{"title": video.name, "videoId": video.id, "meta": meta}]))
    }

    fn new_video(&self, dataset: u64, videos: &Value) -> Result<VideoInfo, ClientError> {
        let method = "videos.bulk.add";
        let body = json!({"datasetId": dataset, "videos": videos, "forceMetadataForLinks": true});
        let mut added: Vec<VideoInfo> = self.add(method, &body)?;
        added.pop().ok_or_else(|| self.answer(method, "no entry for the video"))
    }

    /// The file of a video.
    pub fn download_video(&self, id: u64) -> Result<Vec<u8>, ClientError> {
        self.bytes("videos.download", &json!({"id": id}))
    }

    /// The file of a video, into a file: what that held before is gone.
    pub fn download_video_to(&self, id: u64, file: &mut File) -> Result<(), ClientError> {
        self.download("videos.download", &json!({"id": id}), file)
    }

    /// The annotations of videos; their coordinates are pixels on the platform too.
    pub fn video_annotations(
        &self,
        dataset: u64,
        videos: &[u64],
    ) -> Result<Vec<VideoAnnotation>, ClientError> {
        self.call("videos.annotations.bulk.info", &json!({"datasetId": dataset, "videoIds": videos}))
    }

    /// Adds objects of these classes to a video, and gives their numbers.
    pub fn add_video_objects(
        &self,
        dataset: u64,
        video: u64,
        classes: &[u64],
    ) -> Result<Vec<u64>, ClientError> {
        let mut ids = Vec::new();
        for batch in classes.chunks(BATCH) {
            let entry = |class: &u64| json!({"classId": class, "entityId": video});
            let objects: Vec<Value> = batch.iter().map(entry).collect();
            let body = json!({"datasetId": dataset, "annotationObjects": objects});
            ids.extend(self.added("annotation-objects.bulk.add", &body, batch.len())?);
        }
        Ok(ids)
    }

    /// Adds figures to a video, and gives their numbers.
    pub fn add_video_figures(&self, video: u64, figures: &[NewFigure]) -> Result<Vec<u64>, ClientError> {
        let batches: Vec<&[NewFigure]> = figures.chunks(FIGURES).collect();
        let ids = side_by_side(&batches, |batch| {
            let entry = |new: &NewFigure| {
                let mut figure =
                    crate::format::Figure { object_id: Some(new.object_id), ..new.figure.clone() };
                figure.extra.insert("meta".into(), json!({"frame": new.frame}));
                figure
            };
            let figures: Vec<_> = batch.iter().map(entry).collect();
            self.added("figures.bulk.add", &json!({"entityId": video, "figures": figures}), batch.len())
        })?;
        Ok(ids.into_iter().flatten().collect())
    }
}
