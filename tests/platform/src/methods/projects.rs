//! Projects.

use serde_json::{Value, json};

use super::{DATE, pages};
use crate::fields::{Fields, Refusal};
use crate::store::{Kind, Project, Store, TEAM, WORKSPACE};

fn entity(store: &Store, id: u64, project: &Project) -> Value {
    let datasets = store.datasets.values().filter(|dataset| dataset.project == id).count();
    let items = store.items.values().filter(|item| store.project_of(item.dataset) == Some(id)).count();
    json!({
        "id": id, "name": project.name, "description": project.description, "size": "0", "readme": "",
        "workspaceId": project.workspace, "teamId": TEAM, "imagesCount": items, "itemsCount": items,
        "datasetsCount": datasets, "createdAt": DATE, "updatedAt": DATE, "type": project.kind.name(),
        "referenceImageUrl": null, "customData": {}, "backupArchive": {}, "settings": project.settings,
        "importSettings": {}, "createdBy": 1, "version": null, "embeddingsEnabled": false,
        "embeddingsUpdatedAt": null, "embeddingsInProgress": false,
    })
}

pub(super) fn info(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let id = body.take("id")?;
    body.ignore(&["extraFields"]);
    body.end()?;
    Ok(entity(store, id, store.project(id)?))
}

pub(super) fn list(store: &Store, mut body: Fields) -> Result<Value, Refusal> {
    let workspace: u64 = body.take("workspaceId")?;
    body.ignore(&["fields", "extraFields"]);
    let of_workspace = store.projects.iter().filter(|(_, project)| project.workspace == workspace);
    let all = of_workspace.map(|(&id, project)| entity(store, id, project)).collect();
    pages::page(body, all, store.page_size)
}

pub(super) fn add(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (name, workspace): (String, u64) = (body.take("name")?, body.take("workspaceId")?);
    let kind = Kind::parse(&body.take::<String>("type")?)?;
    let description: String = body.maybe("description")?.unwrap_or_default();
    body.ignore(&["readme", "settings", "customData"]);
    body.end()?;
    if workspace != WORKSPACE {
        return Err(Refusal::not_found("workspace", workspace));
    }
    let same = |(_, project): &(&u64, &Project)| project.name == name && project.workspace == workspace;
    if let Some((&id, _)) = store.projects.iter().find(same) {
        return Err(Refusal::taken(&[(id, name)]));
    }
    let id = store.id();
    store.projects.insert(id, Project { description, ..Project::new(&name, kind) });
    Ok(entity(store, id, store.project(id)?))
}

pub(super) fn set_settings(store: &mut Store, mut body: Fields) -> Result<Value, Refusal> {
    let (id, settings): (u64, Value) = (body.take("id")?, body.take("settings")?);
    body.end()?;
    let project = store.projects.get_mut(&id).ok_or_else(|| Refusal::not_found("project", id))?;
    project.settings = settings;
    Ok(json!({"id": id}))
}
