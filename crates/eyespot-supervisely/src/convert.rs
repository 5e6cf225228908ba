//! What a model found, as annotations.

use std::collections::{BTreeMap, HashMap};

use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Keypoint, PredictionsRef, TrackId};
use eyespot_media::color_of;
use eyespot_runtime::{Model, Prediction};
use serde_json::{Map, Value};

use crate::format::{
    Annotation, BitMask, Bitmap, Figure, Geometry, Graph, ImageSize, Node, ObjClass, Object, OrientedBox,
    ProjectMeta, Rectangle, Shape, TagMeta, Template, VideoAnnotation, VideoFrame, VideoObject, key_of,
};

/// Names of the 17 keypoints of COCO, in their order.
pub const COCO_KEYPOINTS: [&str; 17] = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
];

/// Keypoints with a lower score are marked as hidden.
const VISIBLE: f32 = 0.3;

/// Turns the results of a model into annotations and metas.
///
/// A detection with a mask becomes a `bitmap`, one with keypoints a `graph`, a rotated one an `oriented_bbox`, every
/// other one a `rectangle`; each has its score in the tag `confidence` and is marked as made by a model. Edges are
/// rounded to the nearest pixel; what lies outside the frame is cut off.
///
/// ```
/// use eyespot_core::{BBox, ClassId, Detection, Predictions, PredictionsStorage as _};
/// use eyespot_supervisely::{Converter, format::Geometry};
///
/// let mut results = Predictions::<4>::new();
/// results.view_mut().push(Detection::new(BBox::new(10.2, 20.0, 30.0, 39.9), 0.87, ClassId(0)));
/// let annotation = Converter::new(&["car"]).annotation(640, 480, results.view());
/// let Geometry::Rectangle(car) = &annotation.objects[0].geometry else { unreachable!() };
/// assert_eq!((car.left, car.top, car.right, car.bottom), (10.0, 20.0, 29.0, 39.0));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Converter {
    labels: Vec<String>,
    keypoints: Vec<String>,
    skeleton: Vec<(u8, u8)>,
    shape: Option<Shape>,
    tracked_only: bool,
}

impl Converter {
    /// For a model with these class names.
    #[must_use]
    pub fn new(labels: &[impl AsRef<str>]) -> Self {
        let labels = labels.iter().map(|label| label.as_ref().trim().to_owned()).collect();
        Self { labels, ..Self::default() }
    }

    /// For a model: its class names, outputs and skeleton.
    #[must_use]
    pub fn of_model(model: &Model) -> Self {
        let outputs = model.outputs();
        let shape = match outputs {
            _ if outputs.masks => Shape::Bitmap,
            _ if outputs.keypoints > 0 => Shape::Graph,
            _ if outputs.angles => Shape::OrientedBox,
            _ => Shape::Rectangle,
        };
        let names = keypoint_names(usize::from(outputs.keypoints));
        let converter = Self { shape: Some(shape), ..Self::new(model.labels()) };
        converter.with_keypoints(&names, model.skeleton())
    }

    /// With names for keypoints, in their order, and the pairs that are connected. Without, 17 keypoints have the names
    /// of COCO, and any other number of them have numbers from 0.
    #[must_use]
    pub fn with_keypoints(mut self, names: &[impl AsRef<str>], skeleton: &[(u8, u8)]) -> Self {
        self.keypoints = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self.skeleton = skeleton.to_vec();
        self
    }

    /// Leave out what is no confirmed track.
    #[must_use]
    pub const fn tracked_only(mut self, tracked_only: bool) -> Self {
        self.tracked_only = tracked_only;
        self
    }

    /// Name of a class; `class 7` where the model has no name for it.
    #[must_use]
    pub fn label(&self, class: ClassId) -> String {
        let label = self.labels.get(class.index()).filter(|label| !label.is_empty());
        label.cloned().unwrap_or_else(|| format!("class {}", class.0))
    }

    /// The meta of everything that the model may find: one class per label, and the tag `confidence`.
    #[must_use]
    pub fn meta(&self) -> ProjectMeta {
        let shape = self.shape.clone().unwrap_or(Shape::Rectangle);
        let mut meta = ProjectMeta { tags: vec![TagMeta::confidence()], ..ProjectMeta::default() };
        for index in 0..self.labels.len() {
            let class = ClassId(u16::try_from(index).unwrap_or(u16::MAX));
            let new = self.class(class, shape.clone(), self.keypoints.len());
            // Labels may repeat; classes may not.
            if meta.class(&new.title).is_none() {
                meta.classes.push(new);
            }
        }
        meta
    }

    /// The meta of these results alone: a class for each class and shape among them, and the tag `confidence`.
    #[must_use]
    pub fn meta_of(&self, predictions: PredictionsRef<'_>) -> ProjectMeta {
        let mut meta = ProjectMeta { tags: vec![TagMeta::confidence()], ..ProjectMeta::default() };
        for detection in predictions.detections() {
            let keypoints = predictions.keypoints_of(detection).len();
            let class = self.class(detection.class, shape_of(detection), keypoints);
            let known = |known: &&ObjClass| known.title == class.title && known.shape == class.shape;
            if meta.classes.iter().find(known).is_none() {
                meta.classes.push(class);
            }
        }
        meta
    }

    fn class(&self, class: ClassId, shape: Shape, keypoints: usize) -> ObjClass {
        let color = color_of(u32::from(class.0));
        let template = match shape {
            Shape::Graph => Template::new(&self.names(keypoints), &self.skeleton, color),
            _ => Template::default(),
        };
        ObjClass::new(self.label(class), shape, color).with_template(template)
    }

    fn names(&self, count: usize) -> Vec<String> {
        let numbered = keypoint_names(count);
        let named = self.keypoints.iter().map(Some).chain(std::iter::repeat(None));
        numbered.into_iter().zip(named).map(|(number, name)| name.cloned().unwrap_or(number)).collect()
    }

    /// The annotation of a frame of this size. Where a tracker ran, `custom_big_data` is the list of the track ids, one
    /// per object, `null` for what is no confirmed track.
    #[must_use]
    pub fn annotation(&self, width: u16, height: u16, predictions: PredictionsRef<'_>) -> Annotation {
        let mut annotation = Annotation::new(u32::from(width), u32::from(height));
        let mut tracks = Vec::new();
        for detection in self.kept(predictions) {
            let Some(geometry) = self.geometry(predictions, detection, annotation.size) else { continue };
            let object = Object::predicted(self.label(detection.class), geometry, detection.score);
            annotation.objects.push(object);
            tracks.push(detection.track.map(TrackId::get));
        }
        if tracks.iter().any(Option::is_some) {
            annotation.custom_big_data = tracks.into();
        }
        annotation
    }

    fn kept<'a>(&self, predictions: PredictionsRef<'a>) -> impl Iterator<Item = &'a Detection> + use<'a> {
        let tracked_only = self.tracked_only;
        predictions.detections().iter().filter(move |detection| !tracked_only || detection.track.is_some())
    }

    /// Where a detection is; `None` where it lies wholly outside the frame.
    fn geometry(
        &self,
        predictions: PredictionsRef<'_>,
        detection: &Detection,
        size: ImageSize,
    ) -> Option<Geometry> {
        if let Some(mask) = predictions.mask(detection) {
            let mask = BitMask::from(&mask).cropped(size.width, size.height)?;
            return Bitmap::encode(&mask).ok().map(Geometry::Bitmap);
        }
        let keypoints = predictions.keypoints_of(detection);
        if !keypoints.is_empty() {
            let names = self.names(keypoints.len()).into_iter();
            let nodes = names.zip(keypoints).map(|(name, keypoint)| (name, node(keypoint, size))).collect();
            return Some(Geometry::Graph(Graph { nodes }));
        }
        match detection.angle {
            Some(angle) => {
                let angle = f64::from(angle.radians());
                // A rotated box may reach over the border; cutting it would turn it into another one.
                Some(Geometry::OrientedBox(OrientedBox { rectangle: pixels(&detection.bbox), angle }))
            }
            None => within(&detection.bbox, size).map(Geometry::Rectangle),
        }
    }
}

const fn shape_of(detection: &Detection) -> Shape {
    if detection.has_mask() {
        Shape::Bitmap
    } else if detection.has_keypoints() {
        Shape::Graph
    } else if detection.angle.is_some() {
        Shape::OrientedBox
    } else {
        Shape::Rectangle
    }
}

fn keypoint_names(count: usize) -> Vec<String> {
    if count == COCO_KEYPOINTS.len() {
        COCO_KEYPOINTS.map(str::to_owned).to_vec()
    } else {
        (0..count).map(|index| index.to_string()).collect()
    }
}

/// The pixels of a box whose edges are rounded; at least one.
fn pixels(bbox: &BBox) -> Rectangle {
    let [x1, y1, x2, y2] = bbox.xyxy().map(|edge| f64::from(edge).round());
    Rectangle { left: x1, top: y1, right: (x2 - 1.0).max(x1), bottom: (y2 - 1.0).max(y1) }
}

/// The pixels of a box in a frame; `None` where there are none.
fn within(bbox: &BBox, size: ImageSize) -> Option<Rectangle> {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let outside = f64::from(bbox.x2) <= 0.0
        || f64::from(bbox.y2) <= 0.0
        || f64::from(bbox.x1) >= width
        || f64::from(bbox.y1) >= height;
    if outside || width < 1.0 || height < 1.0 {
        return None;
    }
    let all = pixels(bbox);
    Some(Rectangle {
        left: all.left.clamp(0.0, width - 1.0),
        top: all.top.clamp(0.0, height - 1.0),
        right: all.right.clamp(0.0, width - 1.0),
        bottom: all.bottom.clamp(0.0, height - 1.0),
    })
}

/// The pixel of a keypoint, moved into the frame: a skeleton stays whole.
fn node(keypoint: &Keypoint, size: ImageSize) -> Node {
    let place = |at: f32, len: u32| f64::from(at).floor().clamp(0.0, f64::from(len.max(1) - 1));
    Node {
        loc: [place(keypoint.x, size.width), place(keypoint.y, size.height)],
        disabled: keypoint.score < VISIBLE,
        extra: Map::new(),
    }
}

/// The annotation of a prediction.
pub trait ToAnnotation {
    /// The objects, as [`Converter::annotation`] gives them.
    fn annotation(&self) -> Annotation;
}

impl ToAnnotation for Prediction {
    fn annotation(&self) -> Annotation {
        converter_of(self).annotation(self.info().width, self.info().height, self.results())
    }
}

/// The names that a prediction knows, at the places of their classes.
pub(crate) fn converter_of(prediction: &Prediction) -> Converter {
    let mut labels = Vec::new();
    for (class, name) in prediction.class_idxs().zip(prediction.classes()) {
        if labels.len() <= class.index() {
            labels.resize(class.index() + 1, String::new());
        }
        if let Some(label) = labels.get_mut(class.index()) {
            name.clone_into(label);
        }
    }
    Converter::new(&labels)
}

/// Collects the results of a video's frames: one object per track, with its figures.
///
/// What is no confirmed track becomes one object per class, or is left out with [`Converter::tracked_only`]. A track
/// that changed its class gets the one with the greatest sum of scores; each figure keeps its own shape, and where a
/// track has several of them, it becomes an object per shape.
#[derive(Debug, Clone)]
pub struct VideoBuilder {
    converter: Converter,
    name: String,
    size: ImageSize,
    frames: BTreeMap<u64, Vec<Found>>,
    votes: HashMap<u32, BTreeMap<ClassId, f64>>,
}

/// A detection of a frame.
#[derive(Debug, Clone)]
struct Found {
    track: Option<u32>,
    class: ClassId,
    geometry: Geometry,
}

impl VideoBuilder {
    /// For a video of this name: the keys of its objects and figures follow from it.
    #[must_use]
    pub fn new(converter: Converter, name: impl Into<String>) -> Self {
        Self {
            converter,
            name: name.into(),
            size: ImageSize::default(),
            frames: BTreeMap::new(),
            votes: HashMap::new(),
        }
    }

    /// Adds the results of a frame. Those of a frame that was added before replace them.
    pub fn push(&mut self, info: &FrameInfo, predictions: PredictionsRef<'_>) {
        self.size = ImageSize { height: u32::from(info.height), width: u32::from(info.width) };
        let mut found = Vec::new();
        for detection in self.converter.kept(predictions) {
            let Some(geometry) = self.converter.geometry(predictions, detection, self.size) else { continue };
            let track = detection.track.map(TrackId::get);
            if let Some(track) = track {
                let votes = self.votes.entry(track).or_default();
                *votes.entry(detection.class).or_default() += f64::from(detection.score);
            }
            found.push(Found { track, class: detection.class, geometry });
        }
        self.frames.insert(info.index, found);
    }

    /// Number of frames with results so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Are there no results?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The annotation and the meta that it needs. `frames_count` is the length of the video; `None` takes all up to the
    /// last frame with results.
    #[must_use]
    pub fn finish(self, frames_count: Option<u64>) -> (VideoAnnotation, ProjectMeta) {
        let seen = self.frames.last_key_value().map_or(0, |(&last, _)| last + 1);
        let mut annotation = VideoAnnotation {
            size: self.size,
            frames_count: frames_count.unwrap_or(seen).max(seen),
            key: key_of(&[&self.name]),
            ..VideoAnnotation::default()
        };
        let mut meta = ProjectMeta::default();
        let mut objects: BTreeMap<(Option<u32>, ClassId, Shape), String> = BTreeMap::new();
        for (index, found) in self.frames {
            let mut figures = Vec::new();
            for (number, Found { track, class, geometry }) in found.into_iter().enumerate() {
                let class = track.and_then(|track| voted(self.votes.get(&track)?)).unwrap_or(class);
                let shape = geometry.shape();
                let object_key = objects.entry((track, class, shape.clone())).or_insert_with(|| {
                    let owner = track.map_or_else(|| format!("class {}", class.0), |track| track.to_string());
                    let key = key_of(&[&self.name, "object", &owner, &class.0.to_string(), shape.as_str()]);
                    let class_title = self.converter.label(class);
                    let object = VideoObject { key: key.clone(), class_title, ..VideoObject::default() };
                    annotation.objects.push(object);
                    let keypoints =
                        if let Geometry::Graph(graph) = &geometry { graph.nodes.len() } else { 0 };
                    let class = self.converter.class(class, shape, keypoints);
                    if !meta
                        .classes
                        .iter()
                        .any(|known| known.title == class.title && known.shape == class.shape)
                    {
                        meta.classes.push(class);
                    }
                    key
                });
                figures.push(Figure {
                    key: key_of(&[&self.name, "figure", &index.to_string(), &number.to_string()]),
                    object_key: object_key.clone(),
                    geometry,
                    nn_created: true,
                    nn_updated: true,
                    track_id: track.map(|track| track.to_string()),
                    id: None,
                    object_id: None,
                    geometry_extra: Map::new(),
                    extra: Map::new(),
                });
            }
            if !figures.is_empty() {
                annotation.frames.push(VideoFrame { index, figures, extra: Map::new() });
            }
        }
        (annotation, meta)
    }
}

/// The class with the greatest sum of scores; the first of equal ones.
fn voted(votes: &BTreeMap<ClassId, f64>) -> Option<ClassId> {
    votes.iter().rev().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(&class, _)| class)
}

/// The track ids of an annotation that [`Converter::annotation`] made, one per object.
#[must_use]
pub fn track_ids(annotation: &Annotation) -> Vec<Option<u32>> {
    let ids = annotation.custom_big_data.as_array().filter(|ids| ids.len() == annotation.objects.len());
    let id = |index: usize| ids?.get(index).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    (0..annotation.objects.len()).map(id).collect()
}
