//! Tables, COCO, web server, terminal.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use eyespot_core::{
    BBox, FrameInfo, Keypoint, MaskRect, PredictionsBuf, PredictionsStorage, Record, Sink, SourceId,
};

use super::detection;
use crate::{Annotator, CocoSink, CsvSink, DrawOptions, MotSink, TerminalView, WebhookOptions, WebhookSink};

pub(super) fn results() -> PredictionsBuf {
    let mut results = PredictionsBuf::new(4, 64, 4);
    let mut view = results.view_mut();
    let first = view.push(detection(BBox::new(1.0, 2.0, 5.0, 8.0), 0.5, 0, 3, None)).unwrap();
    view.push(detection(BBox::new(0.0, 0.0, 4.0, 2.5), 0.25, 7, 0, None)).unwrap();
    view.set_mask(first, MaskRect { x: 1, y: 2, width: 2, height: 2 }, &[0xc0, 0xc0]);
    view.set_keypoints(first, &[Keypoint { x: 2.0, y: 3.0, score: 0.5 }]);
    results
}

pub(super) fn write(sink: &mut impl Sink, name: &str, index: u64, source: u16, results: &PredictionsBuf) {
    let info =
        FrameInfo { index, timestamp_us: index * 500_000, source: SourceId(source), width: 8, height: 10 };
    sink.write(&Record { info, name: Some(name), image: None, predictions: results.view() }).unwrap();
}

#[test]
fn tables_have_a_row_per_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let mut csv = CsvSink::create(&path, &["person, \"old\""]).unwrap();
    write(&mut csv, "a.mp4", 1, 0, &results());
    csv.flush().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "frame,time,source,class_id,class,score,x1,y1,x2,y2,track_id\r\n\
         1,0.5,a.mp4,0,\"person, \"\"old\"\"\",0.5,1,2,5,8,3\r\n\
         1,0.5,a.mp4,7,,0.25,0,0,4,2.5,\r\n"
    );

    let mut mot = MotSink::create(folder.path().join("mot")).unwrap();
    write(&mut mot, "videos/a.mp4", 0, 0, &results());
    write(&mut mot, "MOT17-02/img1/000001.jpg", 0, 1, &results());
    write(&mut mot, "other/a.mkv", 4, 2, &results());
    write(&mut mot, "videos/a.mp4", 1, 0, &results());
    mot.flush().unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join("mot").join(name)).unwrap();
    let rows = |frame: u64| {
        format!(
            "{frame},3,1.00,2.00,4.00,6.00,0.5000,-1,-1,-1\n{frame},-1,0.00,0.00,4.00,2.50,0.2500,-1,-1,-1\n"
        )
    };
    assert_eq!(read("a.txt"), rows(1) + &rows(2));
    assert_eq!(read("MOT17-02.txt"), rows(1));
    assert_eq!(read("a-2.txt"), rows(5));
}

#[test]
fn coco_results_are_a_whole_list_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    let mut sink = CocoSink::create(&path, &[90]).unwrap();
    let read = || serde_json::from_slice::<Vec<serde_json::Value>>(&fs::read(&path).unwrap()).unwrap();
    assert!(read().is_empty());
    for (written, name) in (1..).zip(["images/000000000002.jpg", "a.jpg", "b.jpg", "clip.mp4", "clip.mp4"]) {
        write(&mut sink, name, written, 0, &results());
        assert_eq!(read().len() as u64, 2 * written);
    }
    let all = read();
    let ids: Vec<_> = all.iter().step_by(2).map(|entry| entry["image_id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2, 1, 3, 4, 5]);
    assert_eq!(all[0]["bbox"], serde_json::json!([1.0, 2.0, 4.0, 6.0]));
    assert_eq!((&all[0]["category_id"], &all[1]["category_id"]), (&90.into(), &8.into()));
    // Ones in columns 1 and 2, rows 2 and 3 of 10: runs 12, 2, 8, 2, 56.
    assert_eq!(all[0]["segmentation"], serde_json::json!({"size": [10, 8], "counts": "<280`1"}));
    assert_eq!(all[0]["keypoints"], serde_json::json!([2.0, 3.0, 0.5]));
    assert!(all[1].get("segmentation").is_none());
}

#[test]
fn a_webhook_tries_again_and_counts_what_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (bodies, received) = channel();
    thread::spawn(move || {
        for status in ["503 Busy", "200 OK", "200 OK", "400 No"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() >= length.parse().unwrap() {
                    assert!(
                        head.contains("application/x-ndjson") && head.contains("token: secret"),
                        "{head}"
                    );
                    bodies.send(body.lines().count()).unwrap();
                    break;
                }
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let options = WebhookOptions {
        batch: 2,
        interval: Duration::from_secs(60),
        backoff: Duration::from_millis(10),
        headers: vec![("token".into(), "secret".into())],
        ..WebhookOptions::default()
    };
    let mut sink = WebhookSink::new(&url, &["person"], options).unwrap();
    for index in 0..3 {
        write(&mut sink, "a.mp4", index, 0, &results());
    }
    sink.flush().unwrap();
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(sink.lost(), 0);
    write(&mut sink, "a.mp4", 3, 0, &results());
    assert!(sink.flush().unwrap_err().to_string().contains("400"));
    assert_eq!(sink.lost(), 1);

    // Nobody is there: the queue is bounded, and the rest is counted.
    let options =
        WebhookOptions { queue: 3, backoff: Duration::from_secs(60), batch: 1, ..WebhookOptions::default() };
    let mut sink = WebhookSink::new("http://127.0.0.1:1/", &["person"], options).unwrap();
    for index in 0..10 {
        write(&mut sink, "a.mp4", index, 0, &results());
    }
    assert!((6..=7).contains(&sink.lost()), "{}", sink.lost());
}

#[test]
fn a_terminal_gets_whole_frames() {
    let mut bytes = Vec::new();
    let annotator = Annotator::new(&["person"], DrawOptions::default());
    let mut view = TerminalView::with_writer(&mut bytes, (20, 6), annotator);
    write(&mut view, "a.mp4", 0, 0, &results());
    write(&mut view, "a.mp4", 1, 0, &results());
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches("\x1b[2J").count(), 1);
    assert_eq!(text.matches("\x1b[?2026l").count(), 2);
    // 8 by 10 pixels in 20 columns and 5 rows: 8 columns.
    assert_eq!(text.matches('\u{2580}').count(), 2 * 8 * 5);
    assert!(text.contains("frame 1, 2 objects"));
}
