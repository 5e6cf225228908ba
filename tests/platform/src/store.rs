//! What the platform keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::fields::Refusal;
use crate::files::{hash_of, picture};

/// What a project holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Images,
    Videos,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "images" => Ok(Self::Images),
            "videos" => Ok(Self::Videos),
            other => Err(Refusal::bad(format!("projects of `{other}` are not emulated"))),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Videos => "videos",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) workspace: u64,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    pub(crate) classes: Vec<Map<String, Value>>,
    pub(crate) tags: Vec<Map<String, Value>>,
    pub(crate) settings: Value,
}

#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: String,
    pub(crate) project: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) description: String,
}

/// An image or a video.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) dataset: u64,
    pub(crate) hash: String,
    pub(crate) mime: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Frames of a video.
    pub(crate) frames: u64,
    pub(crate) meta: Value,
    pub(crate) description: String,
    pub(crate) tags: Vec<Tag>,
}

/// A tag with its value.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    /// The number of its kind in the meta.
    pub(crate) tag: u64,
    pub(crate) value: Value,
    pub(crate) frames: Option<[u64; 2]>,
}

/// An object of a video.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) video: u64,
    pub(crate) class: u64,
    pub(crate) tags: Vec<Tag>,
}

/// An object of an image, or a figure of a video's object.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) item: u64,
    pub(crate) owner: Owner,
    pub(crate) shape: String,
    pub(crate) geometry: Map<String, Value>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) description: String,
    pub(crate) nn_created: bool,
    pub(crate) nn_updated: bool,
    pub(crate) track: Option<String>,
}

/// What a figure belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner {
    /// The class, in an image.
    Class(u64),
    /// The object, in a frame of a video.
    Object(u64, u64),
}

/// All that the platform keeps.
#[derive(Debug, Default)]
pub struct Store {
    pub(crate) page_size: usize,
    last_id: u64,
    pub(crate) files: HashMap<String, Vec<u8>>,
    pub(crate) projects: BTreeMap<u64, Project>,
    pub(crate) datasets: BTreeMap<u64, Dataset>,
    /// To be added to through [`Store::add_item`] alone.
    pub(crate) items: BTreeMap<u64, Item>,
    /// Items by their datasets and names: a platform does not look through all images for one.
    names: HashMap<u64, HashMap<String, u64>>,
    pub(crate) objects: BTreeMap<u64, Object>,
    /// To be added to through [`Store::add_figure`] alone.
    pub(crate) figures: BTreeMap<u64, Figure>,
    /// Figures by their items.
    owned: HashMap<u64, BTreeSet<u64>>,
}

/// The workspace that there is.
pub(crate) const WORKSPACE: u64 = 1;
/// Its team.
pub(crate) const TEAM: u64 = 1;

impl Store {
    pub(crate) fn new(page_size: usize) -> Self {
        // Numbers that are no workspace, team or index.
        Self { page_size: page_size.max(1), last_id: 100, ..Self::default() }
    }

    /// A number that nothing else has.
    pub(crate) const fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A new project of images with the dataset `ds0` and these files in it; gives the dataset's number. For tests.
    pub fn add_images_project(&mut self, name: &str, files: &[(&str, Vec<u8>)]) -> u64 {
        let (project, dataset) = (self.id(), self.id());
        self.projects.insert(project, Project::new(name, Kind::Images));
        let home = Dataset { name: "ds0".into(), project, parent: None, description: String::new() };
        self.datasets.insert(dataset, home);
        for (name, bytes) in files {
            let (width, height, mime) = picture(bytes).unwrap_or((0, 0, "application/octet-stream"));
            let hash = hash_of(bytes);
            self.files.insert(hash.clone(), bytes.clone());
            self.add_item(Item {
                name: (*name).into(),
                mime,
                width,
                height,
                ..Item::new(Kind::Images, dataset, hash)
            });
        }
        dataset
    }

    /// A new project of videos with the dataset `ds0` and one video of this size in it; gives the video's number. Its file
    /// is nothing that could be played. For tests.
    pub fn add_video_project(&mut self, name: &str, video: &str, size: (u32, u32), frames: u64) -> u64 {
        self.add_video_file_project(name, video, video.as_bytes(), size, frames)
    }

    /// A new project of videos with the dataset `ds0` and this file in it; gives the video's number. For tests.
    pub fn add_video_file_project(
        &mut self,
        name: &str,
        video: &str,
        file: &[u8],
        size: (u32, u32),
        frames: u64,
    ) -> u64 {
        let (project, dataset) = (self.id(), self.id());
        self.projects.insert(project, Project::new(name, Kind::Videos));
        let home = Dataset { name: "ds0".into(), project, parent: None, description: String::new() };
        self.datasets.insert(dataset, home);
        let bytes = file.to_vec();
        let (hash, (width, height)) = (hash_of(&bytes), size);
        self.files.insert(hash.clone(), bytes);
        let meta = json!({"videoStreamIndex": 0});
        let item = Item::new(Kind::Videos, dataset, hash);
        self.add_item(Item { name: video.into(), mime: "video/mp4", width, height, frames, meta, ..item })
    }

    /// Keeps a new image or video, and gives its number. Its name has to be free.
    pub(crate) fn add_item(&mut self, item: Item) -> u64 {
        let id = self.id();
        self.names.entry(item.dataset).or_default().insert(item.name.clone(), id);
        self.items.insert(id, item);
        id
    }

    /// Keeps a new figure, and gives its number.
    pub(crate) fn add_figure(&mut self, figure: Figure) -> u64 {
        let id = self.id();
        self.owned.entry(figure.item).or_default().insert(id);
        self.figures.insert(id, figure);
        id
    }

    /// Removes all figures of an item.
    pub(crate) fn remove_figures_of(&mut self, item: u64) {
        for figure in self.owned.remove(&item).unwrap_or_default() {
            self.figures.remove(&figure);
        }
    }

    /// The images and videos of a dataset, in the order of their numbers.
    pub(crate) fn items_in(&self, dataset: u64) -> impl Iterator<Item = (u64, &Item)> {
        let ids: BTreeSet<u64> =
            self.names.get(&dataset).into_iter().flat_map(|names| names.values().copied()).collect();
        ids.into_iter().filter_map(|id| Some((id, self.items.get(&id)?)))
    }

    /// The number of the image or video of this name in a dataset.
    #[must_use]
    pub fn item(&self, dataset: u64, name: &str) -> Option<u64> {
        self.names.get(&dataset)?.get(name).copied()
    }

    /// The number of the project of this name.
    #[must_use]
    pub fn project_named(&self, name: &str) -> Option<u64> {
        self.projects.iter().find(|(_, project)| project.name == name).map(|(&id, _)| id)
    }

    /// The number of the dataset of this path, such as `outer/inner`, in a project.
    #[must_use]
    pub fn dataset_at(&self, project: u64, path: &str) -> Option<u64> {
        let own = self.datasets.iter().filter(|(_, dataset)| dataset.project == project);
        own.map(|(&id, _)| id).find(|&id| self.path_of(id) == path)
    }

    /// The project of a dataset.
    #[must_use]
    pub fn project_of(&self, dataset: u64) -> Option<u64> {
        self.datasets.get(&dataset).map(|dataset| dataset.project)
    }

    /// Number of objects in images, and of figures in videos.
    #[must_use]
    pub fn figure_count(&self) -> usize {
        self.figures.len()
    }

    pub(crate) fn project(&self, id: u64) -> Result<&Project, Refusal> {
        self.projects.get(&id).ok_or_else(|| Refusal::not_found("project", id))
    }

    pub(crate) fn dataset(&self, id: u64) -> Result<&Dataset, Refusal> {
        self.datasets.get(&id).ok_or_else(|| Refusal::not_found("dataset", id))
    }

    pub(crate) fn kind_of(&self, dataset: u64) -> Result<Kind, Refusal> {
        Ok(self.project(self.dataset(dataset)?.project)?.kind)
    }

    /// An image or video with its project.
    pub(crate) fn item_in(&self, kind: Kind, id: u64) -> Result<(&Item, &Project), Refusal> {
        let item = self.items.get(&id).filter(|item| item.kind == kind);
        let item = item.ok_or_else(|| Refusal::not_found(kind.name().trim_end_matches('s'), id))?;
        Ok((item, self.project(self.dataset(item.dataset)?.project)?))
    }

    pub(crate) fn figures_of(&self, item: u64) -> impl Iterator<Item = (u64, &Figure)> {
        let own = self.owned.get(&item).into_iter().flatten();
        own.filter_map(|id| Some((*id, self.figures.get(id)?)))
    }

    /// The names of a dataset and of those around it, as in files: `outer/inner`.
    pub(crate) fn path_of(&self, dataset: u64) -> String {
        let (mut path, mut next) = (String::new(), Some(dataset));
        while let Some(dataset) = next.and_then(|id| self.datasets.get(&id)) {
            path = if path.is_empty() { dataset.name.clone() } else { format!("{}/{path}", dataset.name) };
            next = dataset.parent;
        }
        path
    }
}

impl Project {
    pub(crate) fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            workspace: WORKSPACE,
            kind,
            description: String::new(),
            classes: vec![],
            tags: vec![],
            settings: json!({}),
        }
    }

    pub(crate) fn class(&self, id: u64) -> Option<&Map<String, Value>> {
        self.classes.iter().find(|class| class["id"] == id)
    }

    pub(crate) fn class_named(&self, title: &str) -> Result<&Map<String, Value>, Refusal> {
        let class = self.classes.iter().find(|class| class["title"] == title);
        class.ok_or_else(|| Refusal::bad(format!("the project has no class `{title}`")))
    }

    pub(crate) fn tag(&self, id: u64) -> Option<&Map<String, Value>> {
        self.tags.iter().find(|tag| tag["id"] == id)
    }

    pub(crate) fn tag_named(&self, name: &str) -> Result<&Map<String, Value>, Refusal> {
        let tag = self.tags.iter().find(|tag| tag["name"] == name);
        tag.ok_or_else(|| Refusal::bad(format!("the project has no tag `{name}`")))
    }
}

impl Item {
    pub(crate) fn new(kind: Kind, dataset: u64, hash: String) -> Self {
        Self {
            kind,
            name: String::new(),
            dataset,
            hash,
            mime: "",
            width: 0,
            height: 0,
            frames: 0,
            meta: json!({}),
            description: String::new(),
            tags: vec![],
        }
    }
}

/// The number of a class or tag.
pub(crate) fn number(entry: &Map<String, Value>) -> u64 {
    entry.get("id").and_then(Value::as_u64).unwrap_or_default()
}

/// A text of a class or tag.
pub(crate) fn text<'a>(entry: &'a Map<String, Value>, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}
