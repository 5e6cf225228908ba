//! Classes and tags of projects.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{DATE, pages};
use crate::fields::{Fields, Refusal};
use crate::store::{Owner, Project, Store, number, text};

const SHAPES: [&str; 8] =
    ["rectangle", "polygon", "line", "point", "graph", "bitmap", "oriented_bbox", "any"];
const VALUES: [&str; 5] = ["none", "any_number", "any_string", "oneof_string", "date"];

fn entity(project: &Project) -> Value {
    json!({"classes": project.classes, "tags": project.tags, "projectType": project.kind.name(),
        "projectSettings": {"multiView": {"enabled": false, "tagName": null, "tagId": null, "isSynced": false}}})
}

pub(super) fn get(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("id")?;
    body.ignore(&["extraFields"]);
    body.end()?;
    Ok(entity(store.project(id)?))
}

/// Puts the meta in the place of the old one. What is in use stays.
pub(super) fn update(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let id: u64 = body.take("id")?;
    let mut meta = Fields::new("meta", body.take("meta")?)?;
    body.end()?;
    let classes: Vec<Map<String, Value>> = meta.maybe("classes")?.unwrap_or_default();
    let tags: Vec<Map<String, Value>> = meta.maybe("tags")?.unwrap_or_default();
    if let Some(kind) = meta.maybe::<String>("projectType")?
        && kind != store.project(id)?.kind.name()
    {
        return Err(Refusal::bad(format!("the project holds no {kind}")));
    }
    meta.ignore(&["projectSettings"]);
    meta.end()?;
    let (used_classes, used_tags) = used(store);
    let project = store.project(id)?;
    let (old_classes, old_tags) = (project.classes.clone(), project.tags.clone());
    classes.iter().try_for_each(check_class)?;
    tags.iter().try_for_each(check_tag)?;
    let classes = merge(store, &old_classes, classes, "title", &used_classes)?;
    let tags = merge(store, &old_tags, tags, "name", &used_tags)?;
    let project = store.projects.get_mut(&id).ok_or_else(|| Refusal::not_found("project", id))?;
    (project.classes, project.tags) = (classes, tags);
    Ok(entity(project))
}

fn check_class(class: &Map<String, Value>) -> Result<(), Refusal> {
    let mut class = Fields::new("class", Value::Object(class.clone()))?;
    let (_title, shape): (String, String) = (class.take("title")?, class.take("shape")?);
    check_color(&class.take::<String>("color")?)?;
    class.ignore(&["id", "description", "geometry_config", "hotkey"]);
    class.end()?;
    one_of("shape", &shape, &SHAPES)
}

fn check_tag(tag: &Map<String, Value>) -> Result<(), Refusal> {
    let mut tag = Fields::new("tag", Value::Object(tag.clone()))?;
    let (_name, value): (String, String) = (tag.take("name")?, tag.take("value_type")?);
    if let Some(color) = tag.maybe::<String>("color")? {
        check_color(&color)?;
    }
    if value == "oneof_string" {
        let _: Vec<String> = tag.take("values")?;
    }
    tag.ignore(&["id", "values", "hotkey", "applicable_type", "classes", "target_type"]);
    tag.end()?;
    one_of("value_type", &value, &VALUES)
}

fn check_color(color: &str) -> Result<(), Refusal> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6);
    match digits {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => Ok(()),
        _ => Err(Refusal::bad(format!("`{color}` is no colour"))),
    }
}

fn one_of(key: &str, value: &str, all: &[&str]) -> Result<(), Refusal> {
    if all.contains(&value) { Ok(()) } else { Err(Refusal::bad(format!("`{key}`: `{value}`"))) }
}

/// New entries get numbers, known ones keep theirs.
fn merge(
    store: &mut Store,
    old: &[Map<String, Value>],
    new: Vec<Map<String, Value>>,
    key: &str,
    used: &HashSet<u64>,
) -> Result<Vec<Map<String, Value>>, Refusal> {
    let mut merged: Vec<Map<String, Value>> = Vec::new();
    for mut entry in new {
        let name = text(&entry, key).to_owned();
        if merged.iter().any(|other| text(other, key) == name) {
            return Err(Refusal::bad(format!("`{name}` is there twice")));
        }
        let known = old.iter().find(|known| text(known, key) == name).map(number);
        let id = known.unwrap_or_else(|| store.id());
        entry.insert("id".into(), id.into());
        merged.push(entry);
    }
    for kept in old.iter().filter(|entry| used.contains(&number(entry))) {
        if merged.iter().all(|entry| number(entry) != number(kept)) {
            merged.push(kept.clone());
        }
    }
    merged.sort_by_key(number);
    Ok(merged)
}

/// The classes and tags that something has.
fn used(store: &Store) -> (HashSet<u64>, HashSet<u64>) {
    let of_figures = store.figures.values().filter_map(|figure| match figure.owner {
        Owner::Class(class) => Some(class),
        Owner::Object(..) => None,
    });
    let classes = of_figures.chain(store.objects.values().map(|object| object.class)).collect();
    let tags = store.figures.values().flat_map(|figure| &figure.tags);
    let tags = tags.chain(store.items.values().flat_map(|item| &item.tags));
    let tags = tags.chain(store.objects.values().flat_map(|object| &object.tags));
    (classes, tags.map(|tag| tag.tag).collect())
}

pub(super) fn classes(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id: u64 = body.take("projectId")?;
    let entity = |class: &Map<String, Value>| {
        json!({"id": class["id"], "name": class["title"], "description": "", "shape": class["shape"],
            "color": class["color"], "settings": {}, "createdAt": DATE, "updatedAt": DATE})
    };
    let all = store.project(id)?.classes.iter().map(entity).collect();
    pages::page(body, all, store.page_size)
}

pub(super) fn tags(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id: u64 = body.take("projectId")?;
    let entity = |tag: &Map<String, Value>| {
        json!({"id": tag["id"], "name": tag["name"], "projectId": id, "color": tag.get("color"), "settings": {},
            "createdAt": DATE, "updatedAt": DATE})
    };
    let all = store.project(id)?.tags.iter().map(entity).collect();
    pages::page(body, all, store.page_size)
}
