//! What a server says about its model.

use eyespot_core::{InputSize, Outputs};
use eyespot_supervisely::COCO_KEYPOINTS;
use eyespot_supervisely::format::{ProjectMeta, Shape, Template};
use serde_json::Value;

use crate::RemoteError;
use crate::http::Http;

/// A model elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) outputs: Outputs,
    /// Names of the keypoints, in their order.
    pub(crate) keypoints: Vec<String>,
    pub(crate) skeleton: Vec<(u8, u8)>,
    pub(crate) input: Option<InputSize>,
    pub(crate) conf: f32,
}

impl Description {
    /// Asks for it.
    pub(crate) fn of(http: &Http) -> Result<Self, RemoteError> {
        let info: Value = http.ask("get_deploy_info")?;
        let meta: ProjectMeta = http.ask("get_output_classes_and_tags")?;
        // Serving apps may give a text of YAML here; the defaults are for display only.
        let settings: Value = http.ask("get_custom_inference_settings")?;
        let name = info.get("model_name").and_then(Value::as_str).unwrap_or("remote");
        Ok(Self::new(name, &meta, settings.get("settings").unwrap_or(&Value::Null)))
    }

    fn new(name: &str, meta: &ProjectMeta, settings: &Value) -> Self {
        let shape = |wanted: &Shape| meta.classes.iter().find(|class| class.shape == *wanted);
        let template = shape(&Shape::Graph).map(|class| &class.geometry_config);
        let keypoints = template.map(names).unwrap_or_default();
        let place = |id: &str| {
            keypoints.iter().position(|name| name == id).and_then(|place| u8::try_from(place).ok())
        };
        let edges = template.map(|template| template.edges.as_slice()).unwrap_or_default();
        let side = |index: usize| {
            settings
                .get("img_size")?
                .get(index)?
                .as_u64()
                .and_then(|side| u16::try_from(side).ok())
                .filter(|side| *side > 0)
        };
        let conf = settings.get("conf").and_then(Value::as_f64).filter(|conf| (0.0..=1.0).contains(conf));
        Self {
            name: name.to_owned(),
            labels: meta.classes.iter().map(|class| class.title.clone()).collect(),
            outputs: Outputs {
                masks: shape(&Shape::Bitmap).is_some(),
                angles: shape(&Shape::OrientedBox).is_some(),
                keypoints: u8::try_from(keypoints.len()).unwrap_or(u8::MAX),
            },
            skeleton: edges.iter().filter_map(|edge| Some((place(&edge.src)?, place(&edge.dst)?))).collect(),
            keypoints,
            input: side(0).zip(side(1)).map(|(height, width)| InputSize::new(width, height)),
            conf: conf.map_or(0.25, |conf| conf as f32),
        }
    }
}

/// Names of the nodes of a template. JSON keeps no order: those of COCO have theirs, numbers are counted, and all others are
/// taken by the alphabet.
fn names(template: &Template) -> Vec<String> {
    let mut names: Vec<String> = template.nodes.keys().cloned().collect();
    let coco = |name: &String| COCO_KEYPOINTS.iter().position(|known| known == name);
    if names.iter().all(|name| coco(name).is_some()) {
        names.sort_by_key(coco);
    } else if names.iter().all(|name| name.parse::<u32>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u32>().ok());
    }
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eyespot_supervisely::format::ObjClass;
    use serde_json::json;

    use super::*;

    #[test]
    fn keypoints_keep_their_order_and_their_skeleton() {
        for (names, edges) in [
            (COCO_KEYPOINTS.to_vec(), [(5, 7), (0, 1)]),
            ((0..12).map(|_| "").collect(), [(2, 10), (10, 11)]),
        ] {
            let names: Vec<String> = names
                .iter()
                .enumerate()
                .map(|(number, name)| if name.is_empty() { number.to_string() } else { (*name).to_owned() })
                .collect();
            let class = ObjClass::new("person", Shape::Graph, [0; 3])
                .with_template(Template::new(&names, &edges, [0; 3]));
            let meta = ProjectMeta { classes: vec![class], ..ProjectMeta::default() };
            // As it arrives.
            let meta: ProjectMeta = serde_json::from_str(&serde_json::to_string(&meta).unwrap()).unwrap();
            let description = Description::new("pose", &meta, &json!({"img_size": [192, 256], "conf": 0.5}));
            assert_eq!((description.keypoints, description.skeleton), (names, edges.to_vec()));
            assert_eq!((description.input, description.conf), (Some(InputSize::new(256, 192)), 0.5));
        }
    }

    #[test]
    fn settings_may_be_a_text() {
        let description = Description::new("m", &ProjectMeta::default(), &json!("conf: 0.4"));
        assert_eq!((description.conf, description.input, description.labels.len()), (0.25, None, 0));
    }
}
