//! A project on disk through a model into another one.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorType, Frame, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_runtime::{Model, Settings};
use eyespot_supervisely::format::{Annotation, ProjectMeta, ProjectType, Rectangle};
use eyespot_supervisely::project::{Project, ProjectWriter};
use eyespot_supervisely::{Converter, ToAnnotation as _};

/// Finds one box, as wide as the first pixel is bright.
struct Level;

impl ErrorType for Level {
    type Error = Infallible;
}

impl Predictor for Level {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("level", None, &["other", "level"])
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        _: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        let level = f32::from(frame.image.rgb(0, 0)[0]);
        out.push(Detection::new(BBox::new(0.0, 0.0, level, 8.0), 0.75, ClassId(1)));
        Ok(())
    }
}

#[test]
fn each_prediction_finds_its_place_in_the_project_again() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let mut writer = ProjectWriter::open(&source, ProjectType::Images).unwrap();
    let empty = Annotation::new(64, 48);
    let day = vec!["day".to_owned()];
    let noon = vec!["day".to_owned(), "noon".to_owned()];
    for (dataset, level) in [(&day, 10), (&noon, 20), (&noon, 30)] {
        let image = platform_emulator::png(64, 48, level);
        let name = format!("{}.png", level % 20);
        writer.add_image(dataset, &name, &image, &empty, &ProjectMeta::default()).unwrap();
    }

    let model = Model::from_predictor(Level);
    let project = Project::open(&source).unwrap();
    let mut results = ProjectWriter::open(&target, ProjectType::Images).unwrap();
    let meta = Converter::of_model(&model).meta();
    for prediction in model.predict(project.files(), &Settings::default()).unwrap() {
        let prediction = prediction.unwrap();
        let item = prediction.path().and_then(|path| project.item(path)).unwrap();
        let image = std::fs::read(&item.file).unwrap();
        results.add_image(&item.dataset, &item.name, &image, &prediction.annotation(), &meta).unwrap();
    }

    let found = Project::open(&target).unwrap().items.into_iter().map(|item| {
        let annotation = item.read_annotation().unwrap().unwrap();
        assert_eq!(
            (annotation.objects[0].class_title.as_str(), annotation.objects[0].score()),
            ("level", Some(0.75))
        );
        let Some(Rectangle { right, .. }) = annotation.objects[0].geometry.bounds() else { unreachable!() };
        (item.dataset.join("/"), item.name, right)
    });
    let expected = [("day", "10.png", 9.0), ("day/noon", "0.png", 19.0), ("day/noon", "10.png", 29.0)];
    let expected = expected.map(|(dataset, name, right)| (dataset.to_owned(), name.to_owned(), right));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}
