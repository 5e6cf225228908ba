//! Datasets.

use serde_json::{Value, json};

use super::{DATE, pages};
use crate::fields::{Fields, Refusal};
use crate::store::{Dataset, Store, TEAM};

fn entity(store: &Store, id: u64, dataset: &Dataset) -> Result<Value, Refusal> {
    let items = store.items_in(id).count();
    Ok(json!({
        "id": id, "name": dataset.name, "description": dataset.description, "size": "0", "projectId": dataset.project,
        "imagesCount": items, "itemsCount": items, "createdAt": DATE, "updatedAt": DATE, "referenceImageUrl": null,
        "teamId": TEAM, "workspaceId": store.project(dataset.project)?.workspace, "parentId": dataset.parent,
        "customData": {}, "createdBy": 1,
    }))
}

pub(super) fn info(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("id")?;
    body.ignore(&["extraFields"]);
    body.end()?;
    entity(store, id, store.dataset(id)?)
}

pub(super) fn list(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let project: u64 = body.take("projectId")?;
    let recursive = body.maybe("recursive")?.unwrap_or(false);
    let parent: Option<u64> = body.maybe("parentId")?;
    body.ignore(&["extraFields", "fields"]);
    store.project(project)?;
    let within = |dataset: &Dataset| dataset.project == project && (recursive || dataset.parent == parent);
    let own = store.datasets.iter().filter(|(_, dataset)| within(dataset));
    let all = own.map(|(&id, dataset)| entity(store, id, dataset)).collect::<Result<_, _>>()?;
    pages::page(body, all, store.page_size)
}

pub(super) fn add(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (project, name): (u64, String) = (body.take("projectId")?, body.take("name")?);
    let parent: Option<u64> = body.maybe("parentId")?;
    let description: String = body.maybe("description")?.unwrap_or_default();
    body.ignore(&["customData"]);
    body.end()?;
    store.project(project)?;
    if name.is_empty() || name.contains('/') {
        return Err(Refusal::bad(format!("a dataset can't be named `{name}`")));
    }
    if let Some(parent) = parent
        && store.dataset(parent)?.project != project
    {
        return Err(Refusal::bad("the dataset around it is in another project"));
    }
    let same =
        |dataset: &Dataset| dataset.project == project && dataset.parent == parent && dataset.name == name;
    if let Some((&id, _)) = store.datasets.iter().find(|(_, dataset)| same(dataset)) {
        return Err(Refusal::taken(&[(id, name)]));
    }
    let id = store.id();
    store.datasets.insert(id, Dataset { name, project, parent, description });
    entity(store, id, store.dataset(id)?)
}
