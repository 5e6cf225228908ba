//! Videos and their annotations.

use serde_json::{Value, json};

use super::{Content, DATE, pages, tags};
use crate::fields::{Fields, Refusal};
use crate::mp4;
use crate::store::{Item, Kind, Object, Owner, Store, TEAM, text};

const FLAGS: [&str; 6] =
    ["forceMetadataForLinks", "rawVideoMeta", "integerCoords", "extraFields", "fields", "recursive"];

fn entity(store: &Store, id: u64, item: &Item) -> Result<Value, Refusal> {
    let project = store.dataset(item.dataset)?.project;
    let file = json!({"framesCount": item.frames, "width": item.width, "height": item.height,
        "framesToTimecodes": [], "duration": item.frames as f64 / 25.0, "mime": item.mime, "size": "0"});
    Ok(json!({
        "id": id, "name": item.name, "hash": item.hash, "link": null, "teamId": TEAM,
        "workspaceId": store.project(project)?.workspace, "projectId": project, "datasetId": item.dataset,
        "pathOriginal": format!("/videos/{id}"), "description": item.description, "fileMeta": file, "meta": item.meta,
        "createdAt": DATE, "updatedAt": DATE, "tags": [], "objectsCount": 0, "customData": {},
        "processingPath": "1/1", "createdBy": 1,
    }))
}

pub(super) fn info(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("id")?;
    body.ignore(&FLAGS);
    body.end()?;
    entity(store, id, store.item_in(Kind::Videos, id)?.0)
}

pub(super) fn list(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let dataset: u64 = body.take("datasetId")?;
    body.ignore(&FLAGS);
    store.dataset(dataset)?;
    let own = store.items_in(dataset).filter(|(_, item)| item.kind == Kind::Videos);
    let all = own.map(|(id, item)| entity(store, id, item)).collect::<Result<_, _>>()?;
    pages::page(body, all, store.page_size)
}

/// Copies of other videos, and uploaded files.
pub(super) fn add(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, videos): (u64, Vec<Value>) = (body.take("datasetId")?, body.take("videos")?);
    body.ignore(&FLAGS);
    body.end()?;
    if store.kind_of(dataset)? != Kind::Videos {
        return Err(Refusal::bad("the project holds no videos"));
    }
    let mut new = Vec::new();
    for video in videos {
        let mut video = Fields::new("video", video)?;
        let (name, meta): (String, Value) = (video.take("title")?, video.take("meta")?);
        let (source, hash): (Option<u64>, Option<String>) = (video.maybe("videoId")?, video.maybe("hash")?);
        video.end()?;
        if let Some(id) = store.item(dataset, &name) {
            return Err(Refusal::taken(&[(id, name)]));
        }
        new.push(match (source, hash) {
            (Some(source), None) => {
                let (source, _) = store.item_in(Kind::Videos, source)?;
                let Item { width, height, frames, mime, .. } = *source;
                let copy = Item::new(Kind::Videos, dataset, source.hash.clone());
                Item { name, width, height, frames, mime, meta, ..copy }
            }
            (None, Some(hash)) => {
                let file = store.files.get(&hash).and_then(|file| mp4::video(file));
                let file = file.ok_or_else(|| Refusal::bad(format!("no video of the hash {hash}")))?;
                if meta != json!({"videoStreamIndex": file.stream}) || !name.ends_with(".mp4") {
                    return Err(Refusal::bad(format!("`{name}` with the meta {meta}")));
                }
                let mp4::Video { width, height, frames, .. } = file;
                let item = Item::new(Kind::Videos, dataset, hash);
                Item { name, width, height, frames, mime: "video/mp4", meta, ..item }
            }
            _ => return Err(Refusal::bad("a video has either `videoId` or `hash`")),
        });
    }
    let mut added = Vec::new();
    for item in new {
        let id = store.add_item(item);
        added.push(entity(store, id, store.item_in(Kind::Videos, id)?.0)?);
    }
    Ok(added.into())
}

pub(super) fn download(store: &Store, mut body: Fields) -> Result<Content, Refusal> {
    let id = body.take("id")?;
    body.end()?;
    let (item, _) = store.item_in(Kind::Videos, id)?;
    let file = store.files.get(&item.hash).ok_or_else(|| Refusal::not_found("file of video", id))?;
    Ok(Content::file(item.mime, file))
}

pub(super) fn annotations(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, ids): (u64, Vec<u64>) = (body.take("datasetId")?, body.take("videoIds")?);
    body.ignore(&FLAGS);
    body.end()?;
    let mut all = Vec::new();
    for id in ids {
        if store.item_in(Kind::Videos, id)?.0.dataset != dataset {
            return Err(Refusal::bad(format!("video {id} is in another dataset")));
        }
        all.push(annotation(store, id)?);
    }
    Ok(all.into())
}

fn annotation(store: &Store, id: u64) -> Result<Value, Refusal> {
    let (item, project) = store.item_in(Kind::Videos, id)?;
    let objects = store.objects.iter().filter(|(_, object)| object.video == id).map(|(&number, object)| {
        let title = project.class(object.class).map_or("", |class| text(class, "title"));
        let tags: Vec<Value> = object.tags.iter().map(|tag| tags::entity(project, tag)).collect();
        json!({"id": number, "classId": object.class, "classTitle": title, "tags": tags, "labelerLogin": "emulator",
            "createdAt": DATE, "updatedAt": DATE, "entityId": id})
    });
    let mut frames: std::collections::BTreeMap<u64, Vec<Value>> = std::collections::BTreeMap::new();
    for (number, figure) in store.figures_of(id) {
        let Owner::Object(object, frame) = figure.owner else { continue };
        let mut entity = json!({"id": number, "objectId": object, "classId": null, "geometryType": figure.shape,
            "geometry": figure.geometry, "nnCreated": figure.nn_created, "nnUpdated": figure.nn_updated,
            "labelerLogin": "emulator", "createdAt": DATE, "updatedAt": DATE});
        if let Some(track) = &figure.track {
            entity["trackId"] = json!(track);
        }
        frames.entry(frame).or_default().push(entity);
    }
    let frames = frames.into_iter().map(|(index, figures)| json!({"index": index, "figures": figures}));
    let tags: Vec<Value> = item.tags.iter().map(|tag| tags::entity(project, tag)).collect();
    Ok(json!({
        "videoId": id, "videoName": item.name, "size": {"height": item.height, "width": item.width},
        "framesCount": item.frames, "description": item.description, "tags": tags,
        "objects": objects.collect::<Vec<_>>(), "frames": frames.collect::<Vec<_>>(),
    }))
}

pub(super) fn add_objects(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, objects): (u64, Vec<Value>) = (body.take("datasetId")?, body.take("annotationObjects")?);
    body.end()?;
    let mut new = Vec::new();
    for object in objects {
        let mut object = Fields::new("object", object)?;
        let (class, video): (u64, u64) = (object.take("classId")?, object.take("entityId")?);
        object.end()?;
        let (item, project) = store.item_in(Kind::Videos, video)?;
        if item.dataset != dataset {
            return Err(Refusal::bad(format!("video {video} is in another dataset")));
        }
        project.class(class).ok_or_else(|| Refusal::bad(format!("the project has no class {class}")))?;
        new.push(Object { video, class, tags: vec![] });
    }
    let mut ids = Vec::new();
    for object in new {
        let id = store.id();
        ids.push(json!({"id": id}));
        store.objects.insert(id, object);
    }
    Ok(ids.into())
}
