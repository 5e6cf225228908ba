//! MOT scores against TrackEval.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop them")]

mod common;

use std::collections::BTreeMap;

use eyespot_core::{BBox, ClassId, Detection, TrackId};
use eyespot_eval::Error;
use eyespot_eval::mot::{self, Row, Scores, Sequence};
use serde_json::Value;

/// Compares all scores that `expected` has; `scale` is what 1.0 is there.
#[track_caller]
fn assert_scores(scores: &Scores, expected: &Value, scale: f64, what: &str) {
    let json = serde_json::to_value(scores).unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        let value = json[name].as_f64().unwrap();
        let value = if json[name].is_f64() { value * scale } else { value };
        let expected = expected.as_f64().unwrap();
        assert!(
            (value - expected).abs() < 1e-9 * scale,
            "{what}, {name}: {value}, but TrackEval has {expected}"
        );
    }
}

#[test]
fn made_up_sequences_score_as_in_trackeval() {
    let golden = common::golden("mot_synthetic.json");
    let mut all = Vec::new();
    for case in golden["sequences"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let truth = Sequence::parse("gt.txt", case["truth"].as_str().unwrap()).unwrap();
        let tracks = Sequence::parse("tracks.txt", case["tracks"].as_str().unwrap()).unwrap();
        let scores = mot::evaluate(&truth, &tracks).unwrap();
        assert_scores(&scores, &case["scores"], 1.0, name);
        all.push(scores);
    }
    assert!(all.len() > 4);
    assert_scores(&mot::combine(&all), &golden["combined"], 1.0, "combined");
}

#[test]
fn real_trackers_score_as_in_trackeval() {
    let Some(data) = common::data() else { return };
    let folder = data.join("mot");
    let expected = common::json(folder.join("peers/scores.json"));
    let groups = common::json(folder.join("peers/dev_groups.json"));
    let mut compared = 0;
    for (tracker, sequences) in expected.as_object().unwrap() {
        let mut by_name = BTreeMap::new();
        for (sequence, expected) in sequences.as_object().unwrap() {
            let path = folder.join("peers").join(tracker).join(format!("{sequence}.txt"));
            if !path.exists() {
                continue;
            }
            let truth = Sequence::read(folder.join(sequence).join("gt/gt.txt")).unwrap();
            let scores = mot::evaluate(&truth, &Sequence::read(path).unwrap()).unwrap();
            assert_scores(&scores, expected, 100.0, &format!("{tracker} on {sequence}"));
            by_name.insert(sequence.as_str(), scores);
            compared += 1;
        }
        let group: Vec<&Scores> = by_name
            .iter()
            .filter(|one| one.0.ends_with("-val") && one.0.starts_with("MOT17"))
            .map(|one| one.1)
            .collect();
        if group.len() == 3 {
            let expected = &groups[tracker]["dev MOT17val"];
            assert_scores(
                &mot::combine(group.iter().copied()),
                expected,
                100.0,
                &format!("{tracker} on MOT17 val"),
            );
            compared += 1;
        }
    }
    assert!(compared >= 24, "{compared}");
}

/// A pedestrian, a non-motorized vehicle, a static person and a pedestrian that is not considered, all tracked.
#[test]
fn distractors_and_what_is_not_considered_do_not_count() {
    let truth = "1,1,0,0,5,5,1,1,1\n1,2,100,0,5,5,0,6,1\n1,3,200,0,5,5,0,7,1\n1,4,300,0,5,5,0,1,1\n";
    let truth = Sequence::parse("gt.txt", truth).unwrap();
    let tracks = "1,1,0,0,5,5\n1,2,100,0,5,5\n1,3,200,0,5,5\n1,4,300,0,5,5\n";
    let tracks = Sequence::parse("tracks.txt", tracks).unwrap();
    let false_ones = |distractors| mot::evaluate_with(&truth, &tracks, distractors).unwrap().clear.fp;
    assert_eq!(false_ones(mot::MOT17_DISTRACTORS), 2);
    assert_eq!(false_ones(mot::MOT20_DISTRACTORS), 1);
    assert_eq!(false_ones(&[]), 3);
    let scores = mot::evaluate(&truth, &tracks).unwrap();
    assert_eq!((scores.counts.truth_boxes, scores.counts.track_boxes, scores.clear.tp), (1, 3, 1));
}

#[test]
fn a_sequence_round_trips_through_a_file() {
    let plain =
        Row { frame: 3, id: 8, bbox: [0.1, -2.5, 30.0, 4e-7], score: 0.3, class: None, visibility: None };
    let rows = [
        plain,
        Row { class: Some(7), visibility: Some(0.125), score: 0.0, id: 9, ..plain },
        Row { frame: 1, class: Some(1), ..plain },
        Row { frame: 2, visibility: Some(1.0), ..plain },
        Row { frame: 2, id: -1, ..plain },
    ];
    let sequence = Sequence::from_rows(rows);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tracks.txt");
    sequence.write(&path).unwrap();
    assert_eq!(Sequence::read(&path).unwrap(), sequence);
    assert_eq!(sequence.last_frame(), 3);
    assert_eq!(sequence.frame(2).len(), 2);
    assert_eq!(sequence.frame(3), &rows[..2]);
    assert!(sequence.frame(4).is_empty());
}

#[test]
fn a_tracked_detection_becomes_a_short_line() {
    let mut detection = Detection::new(BBox::new(889.7, 422.6, 1027.4, 943.0), 0.94, ClassId(0));
    assert_eq!(Row::from_detection(1, &detection), None);
    detection.track = TrackId::new(12);
    let row = Row::from_detection(5, &detection).unwrap();
    assert_eq!(row.to_string(), "5,12,889.7,422.6,137.7,520.4,0.94,-1,-1,-1");
}

#[test]
fn errors_name_the_place() {
    let text = Sequence::parse("a/tracks.txt", "1,1,0,0,5,5\n1,2,zero,0,5,5\n").unwrap_err().to_string();
    assert_eq!(text, "a/tracks.txt:2: x is \"zero\", which is not a finite number");
    let detections = Sequence::parse("det.txt", "1,-1,0,0,5,5\n1,-1,9,0,5,5\n").unwrap();
    assert!(matches!(mot::evaluate(&Sequence::default(), &detections), Err(Error::NoId { frame: 1 })));
    let row = Row { frame: 2, id: 8, bbox: [0.0; 4], score: 1.0, class: None, visibility: None };
    let twice = Sequence::from_rows([row, row]);
    assert!(matches!(mot::evaluate(&twice, &detections), Err(Error::NoId { frame: 1 })));
    assert!(matches!(mot::evaluate(&twice, &twice), Err(Error::DuplicateId { frame: 2, id: 8 })));
    let missing = Sequence::read("no/such/file.txt").unwrap_err();
    assert_eq!(eyespot_core::Error::kind(&missing), eyespot_core::ErrorKind::NotFound);
}

#[test]
fn the_table_lines_up() {
    let truth = Sequence::parse("gt.txt", "1,1,0,0,5,5,1,1,1\n2,1,0,0,5,5,1,1,1\n").unwrap();
    let tracks = Sequence::parse("tracks.txt", "1,1,0,0,5,5\n2,1,0,0,5,5\n2,2,9,9,5,5\n").unwrap();
    let scores = mot::evaluate(&truth, &tracks).unwrap();
    let table = mot::Table(&[("A", &scores), ("COMBINED", &mot::combine([&scores, &scores]))]).to_string();
    let widths: Vec<usize> = table.lines().map(str::len).collect();
    assert_eq!(widths.len(), 3);
    assert!(widths.iter().all(|&width| width == widths[0]), "{table}");
    assert!(table.lines().nth(1).unwrap().starts_with("A         81.65  66.67 100.00 100.00"), "{table}");
}
