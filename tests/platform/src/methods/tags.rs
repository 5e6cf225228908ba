//! Tags of images and objects.

use serde_json::{Map, Value, json};

use super::DATE;
use crate::fields::{Fields, Refusal};
use crate::store::{Kind, Project, Store, Tag, number, text};

/// Reads tags that are named by their names.
pub(super) fn read(project: &Project, tags: Vec<Value>) -> Result<Vec<Tag>, Refusal> {
    let read_one = |tag| {
        let mut tag = Fields::new("tag", tag)?;
        let name: String = tag.take("name")?;
        let value: Option<Value> = tag.maybe("value")?;
        let frames: Option<[u64; 2]> = tag.maybe("frameRange")?;
        tag.ignore(&[
            "id",
            "tagId",
            "labelerLogin",
            "createdAt",
            "updatedAt",
            "key",
            "isFinished",
            "nonFinalValue",
            "customData",
        ]);
        tag.end()?;
        of_kind(project.tag_named(&name)?, value, frames)
    };
    tags.into_iter().map(read_one).collect()
}

/// A tag with a value that its kind allows.
fn of_kind(
    kind: &Map<String, Value>,
    value: Option<Value>,
    frames: Option<[u64; 2]>,
) -> Result<Tag, Refusal> {
    let value = value.unwrap_or_default();
    let fits = match text(kind, "value_type") {
        "none" => value.is_null(),
        "any_number" => value.is_number(),
        "oneof_string" => {
            kind.get("values").and_then(Value::as_array).is_some_and(|all| all.contains(&value))
        }
        _ => value.is_string(),
    };
    if !fits {
        return Err(Refusal::bad(format!("the tag `{}` can't be {value}", text(kind, "name"))));
    }
    Ok(Tag { id: 0, tag: number(kind), value, frames })
}

/// Gives new tags their numbers.
pub(super) fn numbered(store: &mut Store, tags: Vec<Tag>) -> Vec<Tag> {
    tags.into_iter().map(|tag| Tag { id: store.id(), ..tag }).collect()
}

/// A tag as annotations have it.
pub(super) fn entity(project: &Project, tag: &Tag) -> Value {
    let name = project.tag(tag.tag).map_or("", |kind| text(kind, "name"));
    let mut entity = json!({"id": tag.id, "tagId": tag.tag, "name": name, "labelerLogin": "emulator", "createdAt": DATE, "updatedAt": DATE});
    if !tag.value.is_null() {
        entity["value"] = tag.value.clone();
    }
    if let Some(frames) = tag.frames {
        entity["frameRange"] = json!(frames);
    }
    entity
}

/// A tag as infos of images have it.
pub(super) fn brief(tag: &Tag) -> Value {
    json!({"id": tag.id, "tagId": tag.tag, "value": tag.value})
}

pub(super) fn add_to_figures(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (id, tags): (u64, Vec<Value>) = (body.take("projectId")?, body.take("tags")?);
    body.end()?;
    let project = store.project(id)?;
    let mut new = Vec::new();
    for tag in tags {
        let mut tag = Fields::new("tag", tag)?;
        let (figure, kind): (u64, u64) = (tag.take("figureId")?, tag.take("tagId")?);
        let value = tag.maybe("value")?;
        tag.end()?;
        let owner = store.figures.get(&figure).and_then(|figure| store.items.get(&figure.item));
        let owner = owner.ok_or_else(|| Refusal::not_found("figure", figure))?;
        if store.project_of(owner.dataset) != Some(id) {
            return Err(Refusal::bad(format!("figure {figure} is in another project")));
        }
        let kind = project.tag(kind).ok_or_else(|| Refusal::not_found("tag", kind))?;
        new.push((figure, of_kind(kind, value, None)?));
    }
    let mut added = Vec::new();
    for (id, tag) in new {
        let tag = Tag { id: store.id(), ..tag };
        added.push(json!({"id": tag.id, "tagId": tag.tag, "figureId": id, "value": tag.value}));
        if let Some(figure) = store.figures.get_mut(&id) {
            figure.tags.push(tag);
        }
    }
    Ok(added.into())
}

pub(super) fn add_to_images(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (kind, ids): (u64, Vec<u64>) = (body.take("tagId")?, body.take("ids")?);
    let value: Option<Value> = body.maybe("value")?;
    body.end()?;
    let mut tags = Vec::new();
    for &id in &ids {
        let (_, project) = store.item_in(Kind::Images, id)?;
        let kind = project.tag(kind).ok_or_else(|| Refusal::not_found("tag", kind))?;
        tags.push(of_kind(kind, value.clone(), None)?);
    }
    let tags = numbered(store, tags);
    let added: Vec<Value> = tags.iter().map(brief).collect();
    for (id, tag) in ids.iter().zip(tags) {
        if let Some(item) = store.items.get_mut(id) {
            item.tags.push(tag);
        }
    }
    Ok(added.into())
}
