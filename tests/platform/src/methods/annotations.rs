//! Annotations of images.

use serde_json::{Map, Value, json};

use super::{DATE, figures, tags};
use crate::fields::{Fields, Refusal};
use crate::shape;
use crate::store::{Figure, Item, Kind, Owner, Project, Store, Tag, number, text};

const FLAGS: [&str; 4] = ["withCustomBigData", "forceMetadataForLinks", "integerCoords", "withFigureExtra"];

fn entity(store: &Store, id: u64) -> Result<Value, Refusal> {
    let (item, project) = store.item_in(Kind::Images, id)?;
    let objects: Vec<Value> = store.figures_of(id).map(|(id, figure)| object(project, id, figure)).collect();
    let tags: Vec<Value> = item.tags.iter().map(|tag| tags::entity(project, tag)).collect();
    let annotation = json!({
        "description": item.description, "tags": tags, "size": {"height": item.height, "width": item.width},
        "objects": objects,
    });
    Ok(
        json!({"imageId": id, "imageName": item.name, "annotation": annotation, "createdAt": DATE, "updatedAt": DATE}),
    )
}

fn object(project: &Project, id: u64, figure: &Figure) -> Value {
    let class = match figure.owner {
        Owner::Class(class) => class,
        Owner::Object(..) => 0,
    };
    let title = project.class(class).map_or("", |class| text(class, "title"));
    let tags: Vec<Value> = figure.tags.iter().map(|tag| tags::entity(project, tag)).collect();
    let mut object = json!({
        "id": id, "classId": class, "classTitle": title, "description": figure.description, "tags": tags,
        "geometryType": figure.shape, "nnCreated": figure.nn_created, "nnUpdated": figure.nn_updated,
        "labelerLogin": "emulator", "createdAt": DATE, "updatedAt": DATE,
    });
    for (key, value) in &figure.geometry {
        object[key] = value.clone();
    }
    object
}

pub(super) fn info(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("imageId")?;
    body.ignore(&FLAGS);
    body.end()?;
    entity(store, id)
}

pub(super) fn info_many(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, ids): (u64, Vec<u64>) = (body.take("datasetId")?, body.take("imageIds")?);
    body.ignore(&FLAGS);
    body.end()?;
    let mut all = Vec::new();
    for id in ids {
        if store.item_in(Kind::Images, id)?.0.dataset != dataset {
            return Err(Refusal::bad(format!("image {id} is in another dataset")));
        }
        all.push(entity(store, id)?);
    }
    Ok(all.into())
}

/// What an image is to have.
struct New {
    image: u64,
    description: String,
    tags: Vec<Tag>,
    objects: Vec<Figure>,
}

/// Puts annotations in the place of all that the images have.
pub(super) fn set_many(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (dataset, annotations): (u64, Vec<Value>) = (body.take("datasetId")?, body.take("annotations")?);
    let _: Option<bool> = body.maybe("skipBoundsValidation")?;
    body.end()?;
    if annotations.len() > 50 {
        return Err(Refusal::bad("more than 50 annotations"));
    }
    let new = annotations.into_iter().map(|annotation| read(store, dataset, annotation));
    for New { image, description, tags, objects } in new.collect::<Result<Vec<_>, _>>()? {
        store.remove_figures_of(image);
        for mut object in objects {
            object.tags = tags::numbered(store, object.tags);
            store.add_figure(object);
        }
        let tags = tags::numbered(store, tags);
        if let Some(item) = store.items.get_mut(&image) {
            (item.description, item.tags) = (description, tags);
        }
    }
    Ok(json!({"success": true}))
}

fn read(store: &Store, dataset: u64, entry: Value) -> Result<New, Refusal> {
    let mut entry = Fields::new("annotations", entry)?;
    let image: u64 = entry.take("imageId")?;
    let mut annotation = Fields::new("annotation", entry.take("annotation")?)?;
    entry.end()?;
    let (item, project) = store.item_in(Kind::Images, image)?;
    if item.dataset != dataset {
        return Err(Refusal::bad(format!("image {image} is in another dataset")));
    }
    let mut size = Fields::new("size", annotation.take("size")?)?;
    let own: (u32, u32) = (size.take("width")?, size.take("height")?);
    size.end()?;
    if own != (item.width, item.height) {
        return Err(Refusal::bad(format!(
            "an annotation of {own:?} for an image of {:?}",
            (item.width, item.height)
        )));
    }
    let description = annotation.maybe("description")?.unwrap_or_default();
    let tags = tags::read(project, annotation.take("tags")?)?;
    let objects: Vec<Map<String, Value>> = annotation.take("objects")?;
    annotation.ignore(&["customBigData", "imageId"]);
    annotation.end()?;
    let objects = objects.into_iter().map(|object| read_object(item, image, project, object));
    Ok(New { image, description, tags, objects: objects.collect::<Result<_, _>>()? })
}

fn read_object(
    item: &Item,
    image: u64,
    project: &Project,
    mut object: Map<String, Value>,
) -> Result<Figure, Refusal> {
    let geometry = shape::split(&mut object);
    let mut object = Fields::new("object", Value::Object(object))?;
    let class = project.class_named(&object.take::<String>("classTitle")?)?;
    let shape: String = object.take("geometryType")?;
    if object.maybe::<String>("shape")?.is_some_and(|other| other != shape) {
        return Err(Refusal::bad("`shape` and `geometryType` differ"));
    }
    if object.maybe::<u64>("classId")?.is_some_and(|id| id != number(class)) {
        return Err(Refusal::bad("`classId` and `classTitle` differ"));
    }
    figures::allow(class, &shape)?;
    shape::check(&shape, &geometry, (item.width, item.height))?;
    let read = Figure {
        item: image,
        owner: Owner::Class(number(class)),
        shape,
        geometry,
        tags: tags::read(project, object.take("tags")?)?,
        description: object.maybe("description")?.unwrap_or_default(),
        nn_created: object.maybe("nnCreated")?.unwrap_or(false),
        nn_updated: object.maybe("nnUpdated")?.unwrap_or(false),
        track: None,
    };
    object.ignore(&["id", "labelerLogin", "createdAt", "updatedAt", "instance", "priority", "customData"]);
    object.end()?;
    Ok(read)
}
