//! Annotations as predictions.

use std::collections::HashMap;

use eyespot_core::{Angle, BBox, ClassId, Detection, Keypoint, MaskRect, PredictOptions, PredictionsMut};
use eyespot_supervisely::format::{Annotation, BitMask, Geometry, Graph, Object, Rectangle};

/// Class names of a model, and those of its keypoints.
#[derive(Debug, Default)]
pub(crate) struct Names {
    classes: HashMap<String, ClassId>,
    keypoints: Vec<String>,
}

impl Names {
    pub(crate) fn new(labels: &[impl AsRef<str>], keypoints: &[String]) -> Self {
        let numbered = labels.iter().zip(0..=u16::MAX);
        let classes = numbered.map(|(label, class)| (label.as_ref().to_owned(), ClassId(class))).collect();
        Self { classes, keypoints: keypoints.to_vec() }
    }

    /// Adds the objects of an annotation to `out`; gives how many are of classes that nobody here knows.
    pub(crate) fn read(
        &self,
        annotation: &Annotation,
        options: &PredictOptions<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> u64 {
        let mut unknown = 0;
        for object in &annotation.objects {
            let Some(&class) = self.classes.get(&object.class_title) else {
                unknown += 1;
                continue;
            };
            let score = object.score().map_or(1.0, |score| score as f32);
            // A server that does not know the settings has not looked at them.
            if score >= options.conf_or(0.0) && options.classes().keeps(class) {
                self.push(object, class, score, out);
            }
        }
        unknown
    }

    fn push(&self, object: &Object, class: ClassId, score: f32, out: &mut PredictionsMut<'_>) {
        let mask = match &object.geometry {
            Geometry::Bitmap(bitmap) => bitmap.decode().ok(),
            _ => None,
        };
        let bounds = match &object.geometry {
            // What is turned is turned about the middle of this one.
            Geometry::OrientedBox(oriented) => Some(oriented.rectangle),
            geometry => geometry.bounds(),
        };
        let Some(bounds) = bounds else {
            out.count_invalid(1);
            return;
        };
        let mut detection = Detection::new(edges(&bounds), score, class);
        if let Geometry::OrientedBox(oriented) = &object.geometry {
            detection.angle = Angle::from_radians(oriented.angle as f32);
        }
        let Some(index) = out.push(detection) else { return };
        if let Some((mask, rect)) = mask.as_ref().and_then(|mask| Some((mask, rect_of(mask)?))) {
            let [x, y] = mask.origin;
            out.set_mask_with(index, rect, |column, row| {
                mask.contains(x + i64::from(column), y + i64::from(row))
            });
        }
        if let Geometry::Graph(graph) = &object.geometry {
            let keypoints: Vec<Keypoint> = self.keypoints.iter().map(|name| keypoint(graph, name)).collect();
            out.set_keypoints(index, &keypoints);
        }
    }
}

/// The edges of pixels: a rectangle names the first and the last one that it covers.
fn edges(rectangle: &Rectangle) -> BBox {
    let Rectangle { left, top, right, bottom } = *rectangle;
    BBox::new(left as f32, top as f32, right as f32 + 1.0, bottom as f32 + 1.0)
}

/// Where a mask lies; `None` where that is outside of any frame.
fn rect_of(mask: &BitMask) -> Option<MaskRect> {
    let [x, y] = mask.origin;
    Some(MaskRect {
        x: u16::try_from(x).ok()?,
        y: u16::try_from(y).ok()?,
        width: u16::try_from(mask.width()).ok()?,
        height: u16::try_from(mask.height()).ok()?,
    })
}

/// The middle of the pixel of a node. The protocol has no scores of nodes: a hidden one gets 0, every other one 1.
fn keypoint(graph: &Graph, name: &str) -> Keypoint {
    graph.nodes.get(name).map_or_else(Keypoint::default, |node| Keypoint {
        x: node.loc[0] as f32 + 0.5,
        y: node.loc[1] as f32 + 0.5,
        score: if node.disabled { 0.0 } else { 1.0 },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eyespot_core::{ClassSet, PredictionsBuf, PredictionsStorage as _};
    use eyespot_supervisely::Converter;

    use super::*;

    /// What a model found, told and read again.
    fn there_and_back(
        found: &PredictionsBuf,
        labels: &[&str],
        options: &PredictOptions<'_>,
    ) -> (PredictionsBuf, u64) {
        let told = Converter::new(&["car", "cell", "person", "ship"]).with_keypoints(&["a", "b"], &[]);
        let annotation = told.annotation(64, 48, found.view());
        let annotation = serde_json::from_str(&serde_json::to_string(&annotation).unwrap()).unwrap();
        let mut read = PredictionsBuf::new(8, 256, 8);
        let names = Names::new(labels, &["a".to_owned(), "b".to_owned()]);
        let unknown = names.read(&annotation, options, &mut read.view_mut());
        (read, unknown)
    }

    fn found() -> PredictionsBuf {
        let mut found = PredictionsBuf::new(8, 256, 8);
        let mut out = found.view_mut();
        let object = |class| Detection::new(BBox::new(5.0, 3.0, 18.0, 23.0), 0.875, ClassId(class));
        out.push(object(0));
        let index = out.push(object(1)).unwrap();
        let rect = MaskRect { x: 5, y: 3, width: 13, height: 20 };
        out.set_mask_with(index, rect, |x, y| (x + y) % 3 != 0 || x == 0 || y == 0 || x == 12 || y == 19);
        let index = out.push(object(2)).unwrap();
        out.set_keypoints(
            index,
            &[Keypoint { x: 6.5, y: 7.5, score: 0.9 }, Keypoint { x: 9.5, y: 20.5, score: 0.1 }],
        );
        let mut ship = object(3);
        ship.angle = Angle::from_radians(0.5);
        out.push(ship);
        found
    }

    #[test]
    fn every_kind_of_object_survives_the_way() {
        let found = found();
        let (read, unknown) =
            there_and_back(&found, &["car", "cell", "person", "ship"], &PredictOptions::new());
        assert_eq!((unknown, read.view().losses().is_none()), (0, true));
        let (before, after) = (found.view(), read.view());
        assert_eq!(after.len(), 4);
        for (before, after) in before.detections().iter().zip(after.detections()) {
            assert_eq!((before.class, before.score, before.angle), (after.class, after.score, after.angle));
        }
        let boxes = |of: eyespot_core::PredictionsRef<'_>| [0, 1, 3].map(|index| of.detections()[index].bbox);
        assert_eq!(boxes(before), boxes(after));
        let mask =
            |of: eyespot_core::PredictionsRef<'_>| of.mask(&of.detections()[1]).unwrap().bits().to_vec();
        assert_eq!(mask(before), mask(after));
        let keypoints = after.keypoints_of(&after.detections()[2]);
        assert_eq!(
            keypoints.iter().map(|k| (k.x, k.y, k.score)).collect::<Vec<_>>(),
            [(6.5, 7.5, 1.0), (9.5, 20.5, 0.0)]
        );
    }

    #[test]
    fn settings_hold_whoever_was_asked() {
        let found = found();
        let (read, unknown) = there_and_back(&found, &["ship", "car"], &PredictOptions::new());
        let classes: Vec<u16> = read.view().class_idxs().map(|class| class.0).collect();
        assert_eq!((classes, unknown), (vec![1, 0], 2));
        let mut ships = ClassSet::<1>::new();
        ships.insert(ClassId(0)).unwrap();
        let options = PredictOptions::new().with_classes(ships.as_filter());
        assert_eq!(there_and_back(&found, &["ship", "car"], &options).0.view().len(), 1);
        let options = PredictOptions::new().with_conf(0.9).unwrap();
        assert_eq!(there_and_back(&found, &["ship", "car"], &options).0.view().len(), 0);
    }
}
