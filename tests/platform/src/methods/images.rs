//! Images.

use serde_json::{Value, json};

use super::{Content, DATE, pages};
use crate::fields::{Fields, Refusal};
use crate::files::picture;
use crate::store::{Item, Kind, Store};

fn entity(store: &Store, id: u64, item: &Item) -> Value {
    let tags: Vec<Value> = item.tags.iter().map(super::tags::brief).collect();
    json!({
        "id": id, "name": item.name, "title": item.name, "link": null, "hash": item.hash, "mime": item.mime,
        "size": store.files.get(&item.hash).map_or(0, Vec::len).to_string(), "width": item.width,
        "height": item.height, "labelsCount": store.figures_of(id).count(), "datasetId": item.dataset,
        "projectId": store.project_of(item.dataset), "createdAt": DATE, "updatedAt": DATE, "meta": item.meta,
        "pathOriginal": format!("/images/{id}"), "fullStorageUrl": format!("/images/{id}"), "tags": tags,
        "createdBy": 1, "relatedDataId": null, "downloadId": null, "offsetStart": null, "offsetEnd": null,
        "embeddingsUpdatedAt": null, "customData": {}, "parentId": null,
    })
}

const FLAGS: [&str; 4] = ["forceMetadataForLinks", "extraFields", "fields", "skipValidation"];

pub(super) fn info(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("id")?;
    body.ignore(&FLAGS);
    body.end()?;
    let (item, _) = store.item_in(Kind::Images, id)?;
    Ok(entity(store, id, item))
}

pub(super) fn list(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, project): (Option<u64>, Option<u64>) = (body.maybe("datasetId")?, body.maybe("projectId")?);
    let _recursive: Option<bool> = body.maybe("recursive")?;
    body.ignore(&FLAGS);
    match (dataset, project) {
        (Some(dataset), _) => store.dataset(dataset).map(drop)?,
        (None, Some(project)) => store.project(project).map(drop)?,
        (None, None) => return Err(Refusal::bad("a list needs `datasetId` or `projectId`")),
    }
    let datasets: Vec<u64> = match dataset {
        Some(dataset) => vec![dataset],
        None => store.datasets.keys().copied().filter(|&id| store.project_of(id) == project).collect(),
    };
    let own = datasets.into_iter().flat_map(|dataset| store.items_in(dataset));
    let mut own: Vec<(u64, &Item)> = own.filter(|(_, item)| item.kind == Kind::Images).collect();
    own.sort_by_key(|(id, _)| *id);
    let all = own.into_iter().map(|(id, item)| entity(store, id, item)).collect();
    pages::page(body, all, store.page_size)
}

pub(super) fn add(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let dataset: u64 = body.take("datasetId")?;
    let images: Vec<Value> = body.take("images")?;
    body.ignore(&FLAGS);
    body.end()?;
    if store.kind_of(dataset)? != Kind::Images {
        return Err(Refusal::bad("the project holds no images"));
    }
    if images.len() > 50 {
        return Err(Refusal::bad("more than 50 images"));
    }
    let (mut new, mut taken): (Vec<Item>, Vec<(u64, String)>) = (vec![], vec![]);
    for image in images {
        let item = read(store, dataset, image)?;
        if new.iter().any(|other| other.name == item.name) {
            return Err(Refusal::bad(format!("two images `{}` in one request", item.name)));
        }
        taken.extend(store.item(dataset, &item.name).map(|id| (id, item.name.clone())));
        new.push(item);
    }
    if !taken.is_empty() {
        return Err(Refusal::taken(&taken));
    }
    let mut added = Vec::new();
    for item in new {
        let id = store.add_item(item);
        added.push(entity(store, id, store.item_in(Kind::Images, id)?.0));
    }
    Ok(added.into())
}

/// An image by the hash of its file, or as a copy of another one.
fn read(store: &Store, dataset: u64, image: Value) -> Result<Item, Refusal> {
    let mut image = Fields::new("image", image)?;
    let name: String = image.take("title")?;
    let (hash, copy): (Option<String>, Option<u64>) = (image.maybe("hash")?, image.maybe("imageId")?);
    let meta: Option<Value> = image.maybe("meta")?;
    image.ignore(&["parentId", "sourceTimestamp"]);
    image.end()?;
    if name.is_empty() {
        return Err(Refusal::bad("an image without a name"));
    }
    let meta = meta.unwrap_or_else(|| json!({}));
    match (hash, copy) {
        (Some(hash), None) => {
            let file =
                store.files.get(&hash).ok_or_else(|| Refusal::bad(format!("no file has the hash {hash}")))?;
            let (width, height, mime) =
                picture(file).ok_or_else(|| Refusal::bad("the file is no picture"))?;
            Ok(Item { name, width, height, mime, meta, ..Item::new(Kind::Images, dataset, hash) })
        }
        (None, Some(id)) => {
            let (source, _) = store.item_in(Kind::Images, id)?;
            let Item { width, height, mime, .. } = *source;
            Ok(Item {
                name,
                width,
                height,
                mime,
                meta,
                ..Item::new(Kind::Images, dataset, source.hash.clone())
            })
        }
        _ => Err(Refusal::bad("an image needs `hash` or `imageId`")),
    }
}

pub(super) fn download(store: &Store, mut body: Fields) -> Result<Content, Refusal> {
    let id = body.take("id")?;
    body.end()?;
    let (item, _) = store.item_in(Kind::Images, id)?;
    let file = store.files.get(&item.hash).ok_or_else(|| Refusal::not_found("file of image", id))?;
    Ok(Content::file(item.mime, file))
}

pub(super) fn download_many(store: &Store, mut body: Fields) -> Result<Content, Refusal> {
    let (dataset, ids): (u64, Vec<u64>) = (body.take("datasetId")?, body.take("imageIds")?);
    body.end()?;
    store.dataset(dataset)?;
    let mut files = Vec::new();
    for id in ids {
        let (item, _) = store.item_in(Kind::Images, id)?;
        if item.dataset != dataset {
            return Err(Refusal::bad(format!("image {id} is in another dataset")));
        }
        let file = store.files.get(&item.hash).ok_or_else(|| Refusal::not_found("file of image", id))?;
        files.push((id.to_string(), &file[..]));
    }
    Ok(Content::multipart(&files))
}
