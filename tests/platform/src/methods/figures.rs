//! Objects of images and figures of videos.

use serde_json::{Map, Value, json};

use crate::fields::{Fields, Refusal};
use crate::shape;
use crate::store::{Figure, Item, Kind, Owner, Project, Store, number, text};

/// Fields that say nothing new, or nothing to the emulator.
const IGNORED: [&str; 8] =
    ["id", "labelerLogin", "createdAt", "updatedAt", "instance", "priority", "customData", "shape"];

/// Can a class have this shape?
pub(super) fn allow(class: &Map<String, Value>, shape: &str) -> Result<(), Refusal> {
    match text(class, "shape") {
        "any" => Ok(()),
        own if own == shape => Ok(()),
        own => Err(Refusal::bad(format!("the class `{}` is a {own}, not a {shape}", text(class, "title")))),
    }
}

/// Adds to what is there. Tags in the figures are ignored.
pub(super) fn add(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (entity, dataset): (Option<u64>, Option<u64>) = (body.maybe("entityId")?, body.maybe("datasetId")?);
    let figures: Vec<Value> = body.take("figures")?;
    let _: Option<bool> = body.maybe("skipBoundsValidation")?;
    body.end()?;
    if figures.len() > 200 {
        return Err(Refusal::bad("more than 200 figures"));
    }
    let mut new = Vec::new();
    for figure in figures {
        let mut figure = Fields::new("figure", figure)?;
        let own: Option<u64> = figure.maybe("entityId")?;
        let id = own.or(entity).ok_or_else(|| Refusal::bad("a figure without `entityId`"))?;
        let item = store.items.get(&id).ok_or_else(|| Refusal::not_found("image or video", id))?;
        if dataset.is_some_and(|dataset| dataset != item.dataset) {
            return Err(Refusal::bad(format!("{id} is in another dataset")));
        }
        new.push(read(store, id, item, figure)?);
    }
    let mut ids = Vec::new();
    for figure in new {
        ids.push(json!({"id": store.add_figure(figure)}));
    }
    Ok(ids.into())
}

fn read(store: &Store, id: u64, item: &Item, mut figure: Fields) -> Result<Figure, Refusal> {
    let project = store.project(store.dataset(item.dataset)?.project)?;
    let shape: String = figure.take("geometryType")?;
    let mut geometry: Map<String, Value> = figure.take("geometry")?;
    // Some programs repeat the shape in it, and the geometry beside it.
    geometry.retain(|key, _| !["shape", "geometryType"].contains(&key.as_str()));
    figure.ignore(&["points", "angle", "bitmap", "nodes", "tags", "classTitle", "key", "objectKey"]);
    figure.ignore(&IGNORED);
    shape::check(&shape, &geometry, (item.width, item.height))?;
    let owner = match item.kind {
        Kind::Images => Owner::Class(class(project, figure.take("classId")?, &shape)?),
        Kind::Videos => {
            let object: u64 = figure.take("objectId")?;
            let known = store.objects.get(&object).filter(|known| known.video == id);
            let known = known.ok_or_else(|| Refusal::not_found("object of the video", object))?;
            class(project, known.class, &shape)?;
            let mut meta = Fields::new("meta", figure.take("meta")?)?;
            let frame: u64 = meta.take("frame")?;
            meta.end()?;
            if frame >= item.frames {
                return Err(Refusal::bad(format!("frame {frame} of a video of {} frames", item.frames)));
            }
            Owner::Object(object, frame)
        }
    };
    let read = Figure {
        item: id,
        owner,
        shape,
        geometry,
        tags: vec![],
        description: figure.maybe("description")?.unwrap_or_default(),
        nn_created: figure.maybe("nnCreated")?.unwrap_or(false),
        nn_updated: figure.maybe("nnUpdated")?.unwrap_or(false),
        track: figure.maybe("trackId")?,
    };
    figure.end()?;
    Ok(read)
}

fn class(project: &Project, id: u64, shape: &str) -> Result<u64, Refusal> {
    let class = project.class(id).ok_or_else(|| Refusal::bad(format!("the project has no class {id}")))?;
    allow(class, shape)?;
    Ok(number(class))
}
