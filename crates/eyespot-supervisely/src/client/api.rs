//! The methods of the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::form::{Content, Part};
use super::parallel::{parts_of, side_by_side};
use super::{Client, ClientError};
use crate::format::{Annotation, Object, ProjectMeta, ProjectType, Tag, subpixel};

/// Entries of a request.
pub(crate) const BATCH: usize = 50;
/// Bytes of files in a request; a larger one goes by itself.
pub(crate) const BATCH_BYTES: u64 = 8 << 20;
const HASHES: usize = 900;
pub(super) const FIGURES: usize = 100;

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The workspace that it is in.
    pub workspace_id: u64,
    /// What it holds.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub project_type: Option<ProjectType>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The project that it is in.
    pub project_id: u64,
    /// The dataset that it is in.
    #[serde(default)]
    pub parent_id: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The dataset that it is in.
    pub dataset_id: u64,
    /// The hash of its file; `None` for a link.
    #[serde(default)]
    pub hash: Option<String>,
    /// Columns.
    #[serde(default)]
    pub width: Option<u32>,
    /// Rows.
    #[serde(default)]
    pub height: Option<u32>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where a new image gets its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageContent {
    /// An uploaded file.
    Hash(String),
    /// Another image of the platform.
    Copy(u64),
    /// An address.
    Link(String),
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnnotationInfo {
    image_id: u64,
    annotation: Annotation,
}

/// The hash by which the platform knows a file: base64 of its SHA-256.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// What is not there is `None`.
pub(super) fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Status { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// # Errors
/// All methods: [`ClientError`].
#[allow(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Client {
    /// A project; `None` if there is none.
    pub fn project(&self, id: u64) -> Result<Option<ProjectInfo>, ClientError> {
        found(self.call("projects.info", &json!({"id": id})))
    }

    /// The projects of a workspace with this name.
    pub fn projects(&self, workspace: u64, name: &str) -> Result<Vec<ProjectInfo>, ClientError> {
        let filter = json!([{"field": "name", "operator": "=", "value": name}]);
        self.pages("projects.list", &json!({"workspaceId": workspace, "filter": filter}))
    }

    /// A new project.
    pub fn add_project(
        &self,
        workspace: u64,
        name: &str,
        project_type: &ProjectType,
        description: &str,
    ) -> Result<ProjectInfo, ClientError> {
        let body = json!({
            "workspaceId": workspace, "name": name, "description": description, "type": project_type.as_str(),
        });
        self.add("projects.add", &body)
    }

    /// A project with this name, or, where that is taken, with the name and the first number that is free. One
    /// with such a name that is `ours`, made by an earlier try whose answer was lost, is given instead.
    pub fn ensure_project(
        &self,
        workspace: u64,
        name: &str,
        kind: &ProjectType,
        description: &str,
        ours: impl Fn(&ProjectInfo) -> bool,
    ) -> Result<ProjectInfo, ClientError> {
        let mut number = 0;
        loop {
            let name = if number == 0 { name.to_owned() } else { format!("{name}_{number:03}") };
            let taken = self.projects(workspace, &name)?;
            if taken.is_empty() {
                return self.add_project(workspace, &name, kind, description);
            }
            if let Some(project) = taken.into_iter().find(&ours) {
                return Ok(project);
            }
            number += 1;
        }
    }

    /// The classes and tags of a project, with their numbers.
    pub fn meta(&self, project: u64) -> Result<ProjectMeta, ClientError> {
        self.call("projects.meta", &json!({"id": project}))
    }

    /// Sets the classes and tags of a project, and gives them with their numbers.
    pub fn set_meta(&self, project: u64, meta: &ProjectMeta) -> Result<ProjectMeta, ClientError> {
        let answer: Value = self.call("projects.meta.update", &json!({"id": project, "meta": meta}))?;
        let settings = json!({"groupImages": false, "groupImagesByTagId": null, "groupImagesSync": false});
        let _: Value =
            self.call("projects.settings.update", &json!({"id": project, "settings": settings}))?;
        // Old platforms only say that it went well.
        if answer.get("classes").is_none() {
            return self.meta(project);
        }
        serde_json::from_value(answer)
            .map_err(|error| self.answer("projects.meta.update", &error.to_string()))
    }

    /// The datasets of a project, those within others too.
    pub fn datasets(&self, project: u64) -> Result<Vec<DatasetInfo>, ClientError> {
        self.pages("datasets.list", &json!({"projectId": project, "filter": [], "recursive": true}))
    }

    /// A dataset; `None` if there is none.
    pub fn dataset(&self, id: u64) -> Result<Option<DatasetInfo>, ClientError> {
        found(self.call("datasets.info", &json!({"id": id})))
    }

    /// A new dataset, in a project or in another dataset of it.
    pub fn add_dataset(
        &self,
        project: u64,
        name: &str,
        parent: Option<u64>,
    ) -> Result<DatasetInfo, ClientError> {
        let body = json!({"projectId": project, "name": name, "description": "", "parentId": parent});
        self.add("datasets.add", &body)
    }

    /// An image; `None` if there is none.
    pub fn image(&self, id: u64) -> Result<Option<ImageInfo>, ClientError> {
        found(self.call("images.info", &json!({"id": id, "forceMetadataForLinks": true})))
    }

    /// Images by their numbers, in this order; `None` for those that there are none of. Several are asked for at a time.
    pub fn images_of(&self, ids: &[u64]) -> Result<Vec<Option<ImageInfo>>, ClientError> {
        side_by_side(ids, |&id| self.image(id))
    }

    /// The images of a dataset.
    pub fn images(&self, dataset: u64) -> Result<Vec<ImageInfo>, ClientError> {
        let body = json!({"projectId": null, "datasetId": dataset, "filter": [], "forceMetadataForLinks": true, "recursive": false});
        self.pages("images.list", &body)
    }

    /// The images of these names in a dataset.
    pub fn images_named(&self, dataset: u64, names: &[&str]) -> Result<Vec<ImageInfo>, ClientError> {
        self.images_where(dataset, "name", names)
    }

    /// Those of these images that are in this dataset.
    pub fn images_of_ids(&self, dataset: u64, ids: &[u64]) -> Result<Vec<ImageInfo>, ClientError> {
        self.images_where(dataset, "id", ids)
    }

    fn images_where<T: Serialize + Sync>(
        &self,
        dataset: u64,
        field: &str,
        values: &[T],
    ) -> Result<Vec<ImageInfo>, ClientError> {
        let batches: Vec<&[T]> = values.chunks(BATCH).collect();
        let images = side_by_side(&batches, |batch| {
            let filter = json!([{"field": field, "operator": "in", "value": batch}]);
            let body = json!({"projectId": null, "datasetId": dataset, "filter": filter, "forceMetadataForLinks": true, "recursive": false});
            self.pages::<ImageInfo>("images.list", &body)
        })?;
        Ok(images.into_iter().flatten().collect())
    }

    /// The file of an image.
    pub fn download_image(&self, id: u64) -> Result<Vec<u8>, ClientError> {
        self.bytes("images.download", &json!({"id": id}))
    }

    /// Those of these hashes whose files the platform has, images and videos.
    pub fn known_hashes(&self, hashes: &[String]) -> Result<Vec<String>, ClientError> {
        let mut known = Vec::new();
        for batch in hashes.chunks(HASHES) {
            known.extend(self.call::<Vec<String>>("images.internal.hashes.list", &json!(batch))?);
        }
        Ok(known)
    }

    /// Uploads the files of images that the platform does not have yet, and gives the hashes of all.
    pub fn upload_images(&self, files: &[&[u8]]) -> Result<Vec<String>, ClientError> {
        let hashes: Vec<String> = files.iter().map(|bytes| hash_of(bytes)).collect();
        let mut known = self.known_hashes(&hashes)?;
        let mut missing = Vec::new();
        for (hash, &bytes) in hashes.iter().zip(files) {
            if !known.contains(hash) {
                known.push(hash.clone());
                missing.push((hash, bytes));
            }
        }
        let parts = parts_of(&missing, BATCH, BATCH_BYTES, |(_, bytes)| bytes.len() as u64);
        side_by_side(&parts, |part| {
            let files = part.iter().map(|&(hash, bytes)| (hash.as_str(), Content::Memory(bytes)));
            self.upload_files("images.bulk.upload", "image/*", &files.collect::<Vec<_>>())
        })?;
        Ok(hashes)
    }

    /// Uploads files of these hashes in one request.
    pub(super) fn upload_files(
        &self,
        method: &str,
        content_type: &'static str,
        files: &[(&str, Content<'_>)],
    ) -> Result<(), ClientError> {
        let parts: Vec<_> = files.iter().map(|&(_, content)| Part { content_type, content }).collect();
        let hashes = || files.iter().map(|(hash, _)| *hash);
        let answer: Vec<Value> = self.multipart(method, &parts, hashes())?;
        let stored = answer.iter().map(|entry| entry.get("hash").and_then(Value::as_str));
        if hashes().map(Some).eq(stored) {
            Ok(())
        } else {
            Err(self.answer(method, "a file did not arrive as it was sent"))
        }
    }

    /// New images in a dataset. Their names must be free.
    pub fn add_images(
        &self,
        dataset: u64,
        images: &[(String, ImageContent)],
    ) -> Result<Vec<ImageInfo>, ClientError> {
        let mut added = Vec::new();
        for batch in images.chunks(BATCH) {
            let entry = |(title, content): &(String, ImageContent)| match content {
                ImageContent::Hash(hash) => json!({"title": title, "hash": hash}),
                ImageContent::Copy(id) => json!({"title": title, "imageId": id}),
                ImageContent::Link(link) => json!({"title": title, "link": link}),
            };
            let images: Vec<Value> = batch.iter().map(entry).collect();
            let body = json!({"datasetId": dataset, "images": images, "forceMetadataForLinks": true, "skipValidation": false});
            let infos: Vec<ImageInfo> = self.add("images.bulk.add", &body)?;
            if infos.len() != batch.len() {
                return Err(self.answer("images.bulk.add", "not one entry per image"));
            }
            added.extend(infos);
        }
        Ok(added)
    }

    /// The annotations of images, in pixels, in the order of `images`.
    pub fn annotations(&self, dataset: u64, images: &[u64]) -> Result<Vec<Annotation>, ClientError> {
        let method = "annotations.bulk.info";
        let batches: Vec<&[u64]> = images.chunks(BATCH).collect();
        let all = side_by_side(&batches, |batch| {
            let body = json!({
                "datasetId": dataset, "imageIds": batch, "withCustomBigData": false, "forceMetadataForLinks": true,
                "integerCoords": false,
            });
            let mut infos: Vec<AnnotationInfo> = self.call(method, &body)?;
            let own = |id: &u64| {
                let place = infos.iter().position(|info| info.image_id == *id);
                let place = place.ok_or_else(|| self.answer(method, &format!("image {id} is missing")))?;
                Ok(subpixel::annotation_from_platform(infos.swap_remove(place).annotation))
            };
            batch.iter().map(own).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(all.into_iter().flatten().collect())
    }

    /// Sets the annotations of images, given in pixels. What they had before is gone.
    pub fn set_annotations(&self, dataset: u64, images: &[(u64, Annotation)]) -> Result<(), ClientError> {
        let batches: Vec<&[(u64, Annotation)]> = images.chunks(BATCH).collect();
        let set = side_by_side(&batches, |batch| {
            let entry = |(id, annotation): &(u64, Annotation)| json!({"imageId": id, "annotation": subpixel::annotation_to_platform(annotation.clone())});
            let annotations: Vec<Value> = batch.iter().map(entry).collect();
            let body =
                json!({"datasetId": dataset, "annotations": annotations, "skipBoundsValidation": false});
            self.call::<Value>("annotations.bulk.add", &body)
        });
        set.map(|_| ())
    }

    /// Adds objects, given in pixels, to images of a dataset, each with the number of its image, and gives their numbers.
    /// `meta` is the project's, with numbers. The tags go up in a second request, [`add_tags`](Self::add_tags): the first
    /// one would ignore them.
    pub fn add_objects(
        &self,
        project: u64,
        dataset: u64,
        objects: &[(u64, Object)],
        meta: &ProjectMeta,
    ) -> Result<Vec<u64>, ClientError> {
        let method = "figures.bulk.add";
        let batches: Vec<&[(u64, Object)]> = objects.chunks(FIGURES).collect();
        let ids = side_by_side(&batches, |batch| {
            let mut figures = Vec::new();
            for (image, object) in *batch {
                let class = meta.class(&object.class_title).and_then(|class| class.id);
                let unknown =
                    || self.answer(method, &format!("the project has no class `{}`", object.class_title));
                let mut geometry = object.geometry.clone();
                subpixel::to_platform(&mut geometry);
                figures.push(json!({
                    "entityId": image, "classId": class.ok_or_else(unknown)?, "geometryType": geometry.shape(),
                    "geometry": geometry.to_value(), "description": object.description,
                    "nnCreated": object.nn_created, "nnUpdated": object.nn_updated,
                }));
            }
            let body = json!({"datasetId": dataset, "figures": figures, "skipBoundsValidation": false});
            let added = self.added(method, &body, batch.len())?;
            let tags: Vec<(u64, Vec<Tag>)> =
                added.iter().zip(*batch).map(|(&id, (_, object))| (id, object.tags.clone())).collect();
            self.add_tags(project, &tags, meta)?;
            Ok(added)
        })?;
        Ok(ids.into_iter().flatten().collect())
    }

    /// Adds so many entries, and gives their numbers.
    pub(super) fn added(&self, method: &str, body: &Value, count: usize) -> Result<Vec<u64>, ClientError> {
        let added: Vec<Id> = self.add(method, body)?;
        if added.len() != count {
            return Err(self.answer(method, "not one number per entry"));
        }
        Ok(added.into_iter().map(|added| added.id).collect())
    }

    /// Adds tags to objects of images, named by their numbers.
    pub fn add_tags(
        &self,
        project: u64,
        tags: &[(u64, Vec<Tag>)],
        meta: &ProjectMeta,
    ) -> Result<(), ClientError> {
        let method = "figures.tags.bulk.add";
        let mut entries = Vec::new();
        for (figure, tag) in tags.iter().flat_map(|(figure, tags)| tags.iter().map(move |tag| (figure, tag)))
        {
            let kind = meta.tag(&tag.name).and_then(|kind| kind.id);
            let kind =
                kind.ok_or_else(|| self.answer(method, &format!("the project has no tag `{}`", tag.name)))?;
            let mut entry = json!({"figureId": figure, "tagId": kind});
            if let (Some(value), Value::Object(fields)) = (&tag.value, &mut entry) {
                fields.insert("value".into(), value.clone());
            }
            entries.push(entry);
        }
        for batch in entries.chunks(FIGURES) {
            let _: Value = self.add(method, &json!({"projectId": project, "tags": batch}))?;
        }
        Ok(())
    }
}
