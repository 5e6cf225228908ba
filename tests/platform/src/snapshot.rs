//! What is stored, so that it can be compared.

use serde_json::{Map, Value, json};

use crate::store::{Figure, Kind, Owner, Project, Store, Tag, text};

impl Store {
    /// All projects by their names, without numbers and dates.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let one =
            |(&id, project): (&u64, &Project)| (project.name.clone(), self.project_snapshot(id, project));
        Value::Object(self.projects.iter().map(one).collect())
    }

    fn project_snapshot(&self, id: u64, project: &Project) -> Value {
        let own = self.datasets.iter().filter(|(_, dataset)| dataset.project == id);
        let datasets: Map<String, Value> =
            own.map(|(&id, _)| (self.path_of(id), self.items_of(id, project))).collect();
        // Notes and hot keys are nothing that matters here.
        let plain = |entries: &[Map<String, Value>], keys: [&str; 3]| -> Vec<Value> {
            let of_keys = |entry: &Map<String, Value>| {
                let all = keys.iter().filter_map(|key| entry.get_key_value(*key));
                Value::Object(all.map(|(key, value)| (key.clone(), value.clone())).collect())
            };
            entries.iter().map(of_keys).collect()
        };
        json!({
            "type": project.kind.name(), "classes": plain(&project.classes, ["title", "shape", "color"]), "tags": plain(&project.tags, ["name", "value_type", "values"]),
            "datasets": datasets,
        })
    }

    fn items_of(&self, dataset: u64, project: &Project) -> Value {
        let mut items = Map::new();
        for (id, item) in self.items_in(dataset) {
            let tags: Vec<Value> = item.tags.iter().map(|tag| tag_snapshot(project, tag)).collect();
            let mut entity = json!({"hash": item.hash, "tags": tags});
            match item.kind {
                Kind::Images => {
                    let objects = self.figures_of(id).map(|(_, figure)| figure_snapshot(project, figure));
                    entity["objects"] = objects.collect();
                }
                Kind::Videos => entity["objects"] = self.video_objects(id, project),
            }
            items.insert(item.name.clone(), entity);
        }
        json!({"items": items})
    }

    fn video_objects(&self, video: u64, project: &Project) -> Value {
        let mut objects = Vec::new();
        for (&id, object) in self.objects.iter().filter(|(_, object)| object.video == video) {
            let mut figures = Vec::new();
            for (_, figure) in self.figures_of(video) {
                let Owner::Object(owner, frame) = figure.owner else { continue };
                if owner == id {
                    let mut entity = figure_snapshot(project, figure);
                    entity["frame"] = frame.into();
                    entity["track"] = json!(figure.track);
                    figures.push(entity);
                }
            }
            figures.sort_by_key(|figure| figure["frame"].as_u64());
            let tags: Vec<Value> = object.tags.iter().map(|tag| tag_snapshot(project, tag)).collect();
            let class = project.class(object.class).map(|class| text(class, "title"));
            objects.push(json!({"class": class, "tags": tags, "figures": figures}));
        }
        objects.into()
    }
}

fn figure_snapshot(project: &Project, figure: &Figure) -> Value {
    let tags: Vec<Value> = figure.tags.iter().map(|tag| tag_snapshot(project, tag)).collect();
    let mut entity = json!({"shape": figure.shape, "geometry": figure.geometry, "nnCreated": figure.nn_created, "nnUpdated": figure.nn_updated, "tags": tags});
    if let Owner::Class(class) = figure.owner {
        entity["class"] = json!(project.class(class).map(|class| text(class, "title")));
    }
    entity
}

fn tag_snapshot(project: &Project, tag: &Tag) -> Value {
    let mut entity = json!({"name": project.tag(tag.tag).map(|kind| text(kind, "name")), "value": tag.value});
    if let Some(frames) = tag.frames {
        entity["frames"] = json!(frames);
    }
    entity
}
