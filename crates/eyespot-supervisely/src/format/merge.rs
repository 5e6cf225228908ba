//! The meta of results into the meta of a project, which is never narrowed.

use std::collections::HashMap;

use super::{Annotation, Geometry, ObjClass, ProjectMeta, Shape, Tag, TagMeta, ValueType, VideoAnnotation};

/// What a class gets behind its name where the project has one of that name with another shape.
pub const SUFFIX: &str = "_nn";

/// A class or tag finds no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the project has both `{name}` and `{name}{suffix}` of another kind: give another suffix, or rename one of them"
)]
pub struct MergeError {
    /// Name of the class or tag.
    pub name: String,
    /// The suffix.
    pub suffix: String,
}

impl eyespot_core::Error for MergeError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        eyespot_core::ErrorKind::InvalidInput
    }
}

/// Under which names the classes, tags and keypoints of results go in a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    classes: HashMap<(String, Shape), Class>,
    tags: HashMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Class {
    title: String,
    /// Ids of keypoints whose template has others.
    nodes: HashMap<String, String>,
}

impl ProjectMeta {
    /// Takes in all classes and tags that results need.
    ///
    /// A class that is there with the same shape, or for any shape, is used; one that isn't there is added; where it has
    /// another shape (or keypoints that lack some of ours), the class goes under its name and `suffix`, and then by the
    /// same rules. Likewise tags with another kind of value. Nothing that is there is taken away or made
    /// narrower. Spaces around names are cut. On an error nothing is changed.
    ///
    /// # Errors
    /// [`MergeError`] where the name with the suffix is taken as well.
    pub fn merge(&mut self, results: &Self, suffix: &str) -> Result<Names, MergeError> {
        let mut merged = self.clone();
        let mut names = Names::default();
        for class in &results.classes {
            let placed = merged.place_class(class, suffix)?;
            names.classes.insert((class.title.clone(), class.shape.clone()), placed);
        }
        for tag in &results.tags {
            let placed = merged.place_tag(tag, suffix, &names)?;
            names.tags.insert(tag.name.clone(), placed);
        }
        *self = merged;
        Ok(names)
    }

    fn place_class(&mut self, class: &ObjClass, suffix: &str) -> Result<Class, MergeError> {
        let title = class.title.trim();
        for title in [title.to_owned(), format!("{title}{suffix}")] {
            match self.classes.iter().find(|known| known.title.trim() == title) {
                None => {
                    self.classes.push(ObjClass { title: title.clone(), id: None, ..class.clone() });
                    return Ok(Class { title, nodes: HashMap::new() });
                }
                Some(known) => {
                    if let Some(nodes) = fits(known, class) {
                        return Ok(Class { title: known.title.clone(), nodes });
                    }
                }
            }
        }
        Err(MergeError { name: title.to_owned(), suffix: suffix.to_owned() })
    }

    fn place_tag(&mut self, tag: &TagMeta, suffix: &str, names: &Names) -> Result<String, MergeError> {
        let name = tag.name.trim();
        for name in [name.to_owned(), format!("{name}{suffix}")] {
            let Some(known) = self.tags.iter_mut().find(|known| known.name.trim() == name) else {
                self.tags.push(TagMeta { name: name.clone(), id: None, ..tag.clone() });
                return Ok(name);
            };
            let everywhere = |tag: &TagMeta| tag.applicable_type.as_deref().is_none_or(|kind| kind == "all");
            let wide = everywhere(known) || known.applicable_type == tag.applicable_type;
            if known.value_type != tag.value_type || !wide {
                continue;
            }
            if let (ValueType::OneOfString, Some(values), Some(new)) =
                (&tag.value_type, &mut known.values, &tag.values)
            {
                let new: Vec<_> = new.iter().filter(|value| !values.contains(value)).cloned().collect();
                values.extend(new);
            }
            if !known.classes.is_empty() {
                let titles = names.classes.values().map(|class| &class.title);
                let new: Vec<_> = titles.filter(|title| !known.classes.contains(title)).cloned().collect();
                known.classes.extend(new);
                known.classes.sort_unstable();
                known.classes.dedup();
            }
            return Ok(known.name.clone());
        }
        Err(MergeError { name: name.to_owned(), suffix: suffix.to_owned() })
    }
}

/// Can objects of `class` be objects of `known`? Then the ids of keypoints that differ.
fn fits(known: &ObjClass, class: &ObjClass) -> Option<HashMap<String, String>> {
    if known.shape == Shape::Any {
        return Some(HashMap::new());
    }
    if known.shape != class.shape {
        return None;
    }
    let mut nodes = HashMap::new();
    for (id, node) in &class.geometry_config.nodes {
        let label = if node.label.is_empty() { id } else { &node.label };
        let there = known.geometry_config.id_of(label)?;
        if there != id {
            nodes.insert(id.clone(), there.to_owned());
        }
    }
    Some(nodes)
}

impl Names {
    /// The class's name in the project.
    #[must_use]
    pub fn class<'a>(&'a self, title: &'a str, shape: &Shape) -> &'a str {
        self.classes.get(&(title.to_owned(), shape.clone())).map_or(title, |class| &class.title)
    }

    /// The tag's name in the project.
    #[must_use]
    pub fn tag<'a>(&'a self, name: &'a str) -> &'a str {
        self.tags.get(name).map_or(name, String::as_str)
    }

    /// Renames the classes, tags and keypoints of an annotation.
    pub fn apply(&self, annotation: &mut Annotation) {
        annotation.tags.iter_mut().for_each(|tag| self.tag(&tag.name).to_owned().clone_into(&mut tag.name));
        for object in &mut annotation.objects {
            object.tags.iter_mut().for_each(|tag| self.tag(&tag.name).to_owned().clone_into(&mut tag.name));
            self.rename(&mut object.class_title, &mut object.geometry);
        }
    }

    /// Renames the classes, tags and keypoints of a video's annotation. The class of an object goes by the shape of its
    /// figures.
    pub fn apply_to_video(&self, annotation: &mut VideoAnnotation) {
        let tag = |tag: &mut Tag| self.tag(&tag.name).to_owned().clone_into(&mut tag.name);
        annotation.tags.iter_mut().for_each(|known| tag(&mut known.tag));
        let titles: HashMap<String, String> = annotation
            .objects
            .iter()
            .map(|object| (object.key.clone(), object.class_title.clone()))
            .collect();
        let mut renamed = HashMap::new();
        for figure in annotation.frames.iter_mut().flat_map(|frame| &mut frame.figures) {
            let Some(mut title) = titles.get(&figure.object_key).cloned() else { continue };
            self.rename(&mut title, &mut figure.geometry);
            renamed.insert(figure.object_key.clone(), title);
        }
        for object in &mut annotation.objects {
            object.tags.iter_mut().for_each(|known| tag(&mut known.tag));
            if let Some(title) = renamed.remove(&object.key) {
                object.class_title = title;
            }
        }
    }

    /// Renames a class and the keypoints of its geometry.
    pub fn rename(&self, title: &mut String, geometry: &mut Geometry) {
        let Some(class) = self.classes.get(&(title.clone(), geometry.shape())) else { return };
        title.clone_from(&class.title);
        if let Geometry::Graph(graph) = geometry
            && !class.nodes.is_empty()
        {
            let nodes = std::mem::take(&mut graph.nodes).into_iter();
            graph.nodes =
                nodes.map(|(id, node)| (class.nodes.get(&id).cloned().unwrap_or(id), node)).collect();
        }
    }
}
