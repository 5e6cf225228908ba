//! COCO average precision against pycocotools.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop them")]

mod common;

use eyespot_core::{BBox, ClassId, Detection};
use eyespot_eval::Error;
use eyespot_eval::coco::{self, Dataset, Metrics, Params, Results};
use serde_json::Value;

#[track_caller]
fn assert_metrics(metrics: &Metrics, expected: &[Option<f64>], what: &str) {
    for (at, (value, expected)) in metrics.values().iter().zip(expected).enumerate() {
        let equal = match (value, expected) {
            (Some(value), Some(expected)) => (value - expected).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        };
        assert!(equal, "{what}, figure {at}: {value:?}, but pycocotools has {expected:?}");
    }
}

#[test]
fn a_real_model_scores_as_in_pycocotools() {
    let Some(data) = common::data() else { return };
    let dataset = Dataset::read(data.join("coco/instances.json")).unwrap();
    let results = Results::read(data.join("golden/yolox_nano_coco_results.json")).unwrap();
    let summary = coco::evaluate(&dataset, &results, &Params::default()).unwrap();
    // pycocotools 2.0.11.
    let expected = [
        0.30713135118719886,
        0.48233845489672394,
        0.3256683458636672,
        0.11373860139519108,
        0.32536831817817596,
        0.5266277995132638,
        0.2798231670812819,
        0.4109411850106405,
        0.43916300191420843,
        0.1691960210939324,
        0.4525626743626744,
        0.6742414174972315,
    ];
    assert_metrics(&summary.metrics, &expected.map(Some), "all");
    assert_eq!((summary.images, summary.left_out, summary.classes.len()), (80, 0, 80));
    let table = "
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.307
 Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.482
 Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.326
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.114
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.325
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.527
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.280
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.411
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.439
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.169
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.453
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.674
";
    assert_eq!(format!("\n{summary}"), table);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["AP"].as_f64(), summary.metrics.ap);
    assert_eq!(json["classes"][0]["name"], "person");
}

/// Crowds, ties of scores and overlaps, empty images, categories without objects, few detections per image, other
/// thresholds, all categories as one.
#[test]
fn made_up_data_scores_as_in_pycocotools() {
    let golden = common::golden("coco_synthetic.json");
    let dataset: Dataset = serde_json::from_value(golden["dataset"].clone()).unwrap();
    let results: Results = serde_json::from_value(golden["results"].clone()).unwrap();
    let figures = |values: &Value| serde_json::from_value::<Vec<Option<f64>>>(values.clone()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let mut params = Params::default();
        if !case["iou_thresholds"].is_null() {
            params.iou_thresholds = serde_json::from_value(case["iou_thresholds"].clone()).unwrap();
        }
        params.max_detections = serde_json::from_value(case["max_detections"].clone()).unwrap();
        params.class_agnostic = case["class_agnostic"] == true;
        let summary = coco::evaluate(&dataset, &results, &params).unwrap();
        assert_metrics(&summary.metrics, &figures(&case["metrics"]), "all");
        let classes = case["classes"].as_array().unwrap();
        assert_eq!(summary.classes.len(), classes.len());
        for (class, expected) in summary.classes.iter().zip(classes) {
            assert_metrics(&class.metrics, &figures(expected), &class.name);
        }
        assert!(summary.left_out > 0);
    }
}

#[test]
fn the_mosaic_is_read_and_its_own_boxes_are_found() {
    let Some(data) = common::data() else { return };
    let dataset = Dataset::read(data.join("highres/mosaic_coco_5120x3200.json")).unwrap();
    let ids = dataset.category_ids();
    let truths: Vec<(BBox, ClassId)> = dataset
        .annotations
        .iter()
        .filter(|annotation| annotation.iscrowd == 0)
        .map(|annotation| {
            let [x, y, width, height] = annotation.bbox.map(|v| v as f32);
            let class = ids.binary_search(&annotation.category_id).unwrap();
            (BBox::from_xywh(x, y, width, height), ClassId(class as u16))
        })
        .collect();
    let found: Vec<Detection> =
        truths.iter().map(|&(bbox, class)| Detection::new(bbox, 0.9, class)).collect();
    // More than the 100 per category that COCO allows.
    assert!(found.len() > 100);
    let perfect = coco::ap50(&truths, &found).unwrap().unwrap();
    assert!((perfect - 1.0).abs() < 1e-9, "{perfect}");

    let mut results = Results::default();
    results.push(&dataset, 1, &found).unwrap();
    let params = Params { max_detections: [1, 10, 1000], ..Params::default() };
    let summary = coco::evaluate(&dataset, &results, &params).unwrap();
    assert!((summary.metrics.ap50.unwrap() - 1.0).abs() < 1e-9);
    assert!((summary.metrics.ar100.unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn ap50_of_one_image() {
    let boxes = [0.0, 100.0, 200.0, 300.0].map(|x| BBox::from_xywh(x, 0.0, 50.0, 50.0));
    let truths = boxes.map(|bbox| (bbox, ClassId(3)));
    assert_eq!(coco::ap50(&[], &[]).unwrap(), None);
    assert_eq!(coco::ap50(&truths, &[]).unwrap(), Some(0.0));
    // A hit, a miss and a hit find two of four: precision 1 up to a recall of 0.25 (26 of 101 levels) and 2/3 up to
    // 0.5 (25 more).
    let found = [
        Detection::new(boxes[0], 0.9, ClassId(3)),
        Detection::new(boxes[1].translated(40.0, 0.0), 0.8, ClassId(3)),
        Detection::new(boxes[2], 0.7, ClassId(3)),
        // Another class is nothing to find and plays no part.
        Detection::new(boxes[3], 0.6, ClassId(0)),
    ];
    let expected = (26.0 + 25.0 * 2.0 / 3.0) / 101.0;
    assert!((coco::ap50(&truths, &found).unwrap().unwrap() - expected).abs() < 1e-9);
}

#[test]
fn results_round_trip_through_a_file() {
    let mut dataset = Dataset::with_classes(["person"]);
    let image = dataset.push_image([(BBox::new(1.0, 2.0, 30.0, 40.0), ClassId(0))]).unwrap();
    let mut results = Results::default();
    results
        .push(&dataset, image, &[Detection::new(BBox::new(1.5, 2.0, 30.0, 41.25), 0.75, ClassId(0))])
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    results.write(&path).unwrap();
    assert_eq!(Results::read(&path).unwrap(), results);
}

#[test]
fn errors_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.json");
    let said = |error: Error| error.to_string();

    assert!(said(Dataset::read(&path).unwrap_err()).starts_with("cannot read"));
    std::fs::write(&path, "[{\"image_id\": 1,\n \"score\": 2}]").unwrap();
    let text = said(Results::read(&path).unwrap_err());
    assert!(
        text.contains("bad.json is not a COCO result file: missing field `category_id` at line 2"),
        "{text}"
    );
    std::fs::write(&path, r#"{"images": [{"id": 4}, {"id": 4}], "annotations": [], "categories": []}"#)
        .unwrap();
    assert!(matches!(Dataset::read(&path), Err(Error::DuplicateImage { image: 4 })));

    let mut dataset = Dataset::with_classes(["person"]);
    let bbox = BBox::new(0.0, 0.0, 1.0, 1.0);
    assert!(matches!(
        dataset.push_image([(bbox, ClassId(1))]),
        Err(Error::UnknownClass { class: 1, categories: 1 })
    ));
    let image = dataset.push_image([(bbox, ClassId(0))]).unwrap();
    let evaluate = |image, score, params: &Params| {
        let mut results = Results::default();
        results.push(&dataset, image, &[Detection::new(bbox, score, ClassId(0))]).unwrap();
        coco::evaluate(&dataset, &results, params)
    };
    let params = Params::default();
    assert!(matches!(evaluate(image + 1, 0.5, &params), Err(Error::UnknownImage { .. })));
    assert!(matches!(evaluate(image, f32::NAN, &params), Err(Error::NonFinite { .. })));
    for iou_thresholds in [vec![], vec![0.5, f64::NAN], vec![0.9, 0.5]] {
        let params = Params { iou_thresholds, ..Params::default() };
        assert!(matches!(evaluate(image, 0.5, &params), Err(Error::Params(_))));
    }
}
