//! The classes and tags of a project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::geometry::point;
use super::{FormatError, Point, ProjectType, Shape, ValueType};

/// `meta.json`: the classes and tags that the annotations of a project use.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProjectMeta {
    /// Classes of objects.
    #[serde(default)]
    pub classes: Vec<ObjClass>,
    /// Tags of images, videos and objects.
    #[serde(default)]
    pub tags: Vec<TagMeta>,
    /// What the project holds.
    #[serde(rename = "projectType", default, skip_serializing_if = "Option::is_none")]
    pub project_type: Option<ProjectType>,
    /// Everything else, such as `projectSettings`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A class of objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjClass {
    /// Its name.
    pub title: String,
    /// The shape of its objects.
    pub shape: Shape,
    /// Its colour.
    pub color: Color,
    /// The keypoints of a graph; empty for other shapes.
    #[serde(default)]
    pub geometry_config: Template,
    /// The platform's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Everything else, such as `description` and `hotkey`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The keypoints of a class of graphs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Template {
    /// The keypoints by their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, TemplateNode>,
    /// Which of them are connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A keypoint of a template.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TemplateNode {
    /// Its name.
    #[serde(default)]
    pub label: String,
    /// Where the labelling tool draws it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loc: Option<Place>,
    /// Everything else, such as `color`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where the labelling tool draws a keypoint, `x, y`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Place(#[serde(with = "point")] pub Point);

/// A connection of two keypoints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Edge {
    /// Id of one node.
    pub src: String,
    /// Id of the other.
    pub dst: String,
    /// Everything else, such as `color`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A tag that images, videos or objects may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagMeta {
    /// Its name.
    pub name: String,
    /// What values it has.
    pub value_type: ValueType,
    /// Its colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The values of a `oneof_string`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// `all`, `imagesOnly` or `objectsOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applicable_type: Option<String>,
    /// The only classes whose objects may have it; empty for all.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The platform's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Everything else, such as `hotkey` and `target_type`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Red, green, blue; written `#RRGGBB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color(pub [u8; 3]);

impl TryFrom<String> for Color {
    type Error = FormatError;
    fn try_from(text: String) -> Result<Self, FormatError> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let channel = |at: usize| u8::from_str_radix(digits?.get(at..at + 2)?, 16).ok();
        match (channel(0), channel(2), channel(4)) {
            (Some(r), Some(g), Some(b)) => Ok(Self([r, g, b])),
            _ => Err(FormatError::Color { text }),
        }
    }
}

impl From<Color> for String {
    fn from(Color([r, g, b]): Color) -> Self {
        format!("#{r:02X}{g:02X}{b:02X}")
    }
}

impl ProjectMeta {
    /// The class of that name.
    #[must_use]
    pub fn class(&self, title: &str) -> Option<&ObjClass> {
        self.classes.iter().find(|class| class.title == title)
    }

    /// The tag of that name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&TagMeta> {
        self.tags.iter().find(|tag| tag.name == name)
    }
}

impl ObjClass {
    /// A class.
    #[must_use]
    pub fn new(title: impl Into<String>, shape: Shape, color: [u8; 3]) -> Self {
        Self {
            title: title.into(),
            shape,
            color: Color(color),
            geometry_config: Template::default(),
            id: None,
            extra: Map::new(),
        }
    }

    /// With a template of keypoints.
    #[must_use]
    pub fn with_template(mut self, template: Template) -> Self {
        self.geometry_config = template;
        self
    }
}

impl TagMeta {
    /// A tag for anything.
    #[must_use]
    pub fn new(name: impl Into<String>, value_type: ValueType, color: [u8; 3]) -> Self {
        Self {
            name: name.into(),
            value_type,
            color: Some(Color(color)),
            values: None,
            applicable_type: Some("all".to_owned()),
            classes: Vec::new(),
            id: None,
            extra: Map::new(),
        }
    }

    /// The tag that holds the score of a prediction.
    #[must_use]
    pub fn confidence() -> Self {
        Self::new(super::Tag::CONFIDENCE, ValueType::AnyNumber, [0x8a, 0x0f, 0x36])
    }
}

impl Template {
    /// A template of named keypoints on a circle, connected by their indices. The names are the ids.
    #[must_use]
    pub fn new(names: &[impl AsRef<str>], edges: &[(u8, u8)], color: [u8; 3]) -> Self {
        let color = Value::from(String::from(Color(color)));
        let colored = || Map::from_iter([("color".to_owned(), color.clone())]);
        let place = |index: usize| {
            let turn = std::f64::consts::TAU * index as f64 / names.len() as f64;
            Place([(100.0 + 80.0 * turn.sin()).round(), (100.0 - 80.0 * turn.cos()).round()])
        };
        let node = |(index, name): (usize, &_)| {
            let label = AsRef::<str>::as_ref(name).to_owned();
            (label.clone(), TemplateNode { label, loc: Some(place(index)), extra: colored() })
        };
        let name = |index: u8| names.get(usize::from(index)).map(|name| name.as_ref().to_owned());
        let edge = |&(src, dst): &(u8, u8)| Some(Edge { src: name(src)?, dst: name(dst)?, extra: colored() });
        Self {
            nodes: names.iter().enumerate().map(node).collect(),
            edges: edges.iter().filter_map(edge).collect(),
            extra: Map::new(),
        }
    }

    /// The id of the node with this label.
    #[must_use]
    pub fn id_of(&self, label: &str) -> Option<&str> {
        let found = self.nodes.iter().find(|(_, node)| node.label == label);
        found
            .map(|(id, _)| id.as_str())
            .or_else(|| self.nodes.get_key_value(label).map(|(id, _)| id.as_str()))
    }
}
