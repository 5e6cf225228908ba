//! What zones and lines count, say and draw.

use eyespot_core::{BBox, FrameInfo, PredictionsBuf, PredictionsStorage, Record, Sink, SourceId};
use serde_json::json;

use super::detection;
use crate::{Annotator, DrawOptions, JsonLines, PlaceError, Zones};

/// A yard from column 100 to 200, and a line up column 150.
fn zones() -> Zones {
    let mut zones = Zones::default();
    zones.add_zone("yard", &[(100.0, 0.0), (200.0, 0.0), (200.0, 100.0), (100.0, 100.0)]).unwrap();
    zones.add_line("gate", (150.0, 100.0), (150.0, 0.0)).unwrap();
    zones
}

/// Track 7 walks from column 50 to 250, ten pixels in a tenth of a second.
fn walk(source: u16, mut each: impl FnMut(&Record<'_>)) {
    for step in 0..=20_u16 {
        let mut results = PredictionsBuf::new(4, 0, 0);
        let left = 40.0 + 10.0 * f32::from(step);
        let bbox = BBox::from_xywh(left, 30.0, 20.0, 40.0);
        results.view_mut().push(detection(bbox, 0.9, 0, 7, None)).unwrap();
        let info = FrameInfo {
            index: step.into(),
            timestamp_us: u64::from(step) * 100_000,
            source: SourceId(source),
            width: 320,
            height: 100,
        };
        each(&Record { info, name: None, image: None, predictions: results.view() });
    }
}

#[test]
fn each_input_starts_anew_and_the_total_adds_up() {
    let mut zones = zones();
    for source in 0..3 {
        walk(source, |record| zones.update(&record.info, record.predictions));
        let (zone, line) = (&zones.zones()[0], &zones.lines()[0]);
        assert_eq!((zone.counts().entered, line.counts().to_right), (1, 1));
        let all = u32::from(source) + 1;
        assert_eq!((zone.total().entered, zone.total().left), (all, all));
        assert_eq!((line.total().to_right, line.total().to_left), (all, 0));
        // Inside from column 110, left at column 210.
        assert_eq!(zone.mean_stay_us(), Some(1_000_000));
    }
}

#[test]
fn lines_of_json_tell_who_is_where() {
    let mut lines = JsonLines::new(Vec::new(), &["person"]).with_zones(zones());
    walk(0, |record| lines.write(record).unwrap());
    let text = String::from_utf8(lines.into_inner().unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Column 110, 160, 210.
    let inside = json!({"name": "yard", "inside": [{"track_id": 7, "seconds": 0.0}], "entered": [7], "left": [],
        "entered_total": 1, "left_total": 0});
    assert_eq!(lines[6]["zones"], json!([inside]));
    assert_eq!(
        lines[11]["lines"],
        json!([{"name": "gate", "to_right": [7], "to_left": [], "to_right_total": 1, "to_left_total": 0}])
    );
    assert_eq!(lines[12]["lines"][0]["to_right"], json!([]));
    let left = json!({"name": "yard", "inside": [], "entered": [], "left": [{"track_id": 7, "seconds": 1.0}],
        "entered_total": 1, "left_total": 1});
    assert_eq!(lines[16]["zones"], json!([left]));
    // Without zones a line has none of it.
    let mut plain = JsonLines::new(Vec::new(), &["person"]);
    walk(0, |record| plain.write(record).unwrap());
    assert!(!String::from_utf8(plain.into_inner().unwrap()).unwrap().contains("zones"));
}

#[test]
fn zones_are_drawn_with_their_counts() {
    let options = DrawOptions { opacity: 1.0, thickness: Some(2), ..DrawOptions::default() };
    let mut with = Annotator::new(&["person"], options).with_zones(zones());
    let mut without = Annotator::new(&["person"], options);
    let mut pictures = Vec::new();
    walk(0, |record| {
        let with = with.annotate(record).clone();
        let at = |x: usize, y: usize| with.pixels()[y * 320 + x];
        // A quarter of white inside, white along border and line, nothing outside.
        assert_eq!((at(190, 90), at(310, 90)), ([63; 3], [0; 3]));
        assert_eq!((at(100, 85), at(150, 95)), ([255; 3], [255; 3]));
        assert!(&with != without.annotate(record));
        pictures.push(with);
    });
    // The plate of the zone above its first corner, whose text changes with the counts.
    let plate = |picture: &crate::Canvas| picture.pixels()[..320 * 16].to_vec();
    assert!(plate(&pictures[0]) != plate(&pictures[8]));
}

#[test]
fn wrong_shapes_and_names_are_refused() {
    let mut zones = zones();
    assert_eq!(
        zones.add_line("yard", (0.0, 0.0), (1.0, 1.0)),
        Err(PlaceError::Taken { name: "yard".into() })
    );
    let error = zones.add_zone("lawn", &[(0.0, 0.0), (1.0, 1.0)]).unwrap_err();
    assert!(error.to_string().contains("lawn") && error.to_string().contains("3 corners"), "{error}");
    let error = zones.add_line("edge", (1.0, 1.0), (1.0, 1.0)).unwrap_err();
    assert!(error.to_string().contains("edge"), "{error}");
}
