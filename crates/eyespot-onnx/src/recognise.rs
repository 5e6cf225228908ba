//! Which head a graph has, told by its outputs.

use eyespot_decode::Activation;

use crate::Kind;
use crate::outputs::{Facts, Output};

/// Strides of most grids.
const STRIDES: [u16; 3] = [8, 16, 32];
const STRIDES_PLUS: [u16; 4] = [8, 16, 32, 64];

/// More rows than this are no selection of the best ones.
const SELECTED: usize = 1000;

/// The head of a graph, or those that it may be where that can't be told; none where it looks like none of them.
pub(crate) fn recognise(facts: &Facts<'_>) -> Result<Kind, Vec<Kind>> {
    let outputs = facts.outputs;
    if let Some(kind) = by_name(outputs) {
        return Ok(kind);
    }
    match outputs {
        [output] => one(facts, output),
        [first, second] => two(facts, first, second),
        [_, _, _] if is_selection(outputs) => Ok(Kind::Detections),
        _ => grids(facts),
    }
}

/// By the names that exporters give their outputs.
fn by_name(outputs: &[Output]) -> Option<Kind> {
    let has = |name: &str| outputs.iter().any(|output| output.name.split(':').next() == Some(name));
    if has("detection_boxes") && has("detection_scores") && has("detection_classes") {
        return Some(Kind::TfDetections);
    }
    if has("det_boxes") && has("det_scores") && has("det_classes") {
        return Some(Kind::Detections);
    }
    (has("simcc_x") && has("simcc_y")).then_some(Kind::Simcc)
}

/// Boxes, and for each a score and a label.
fn is_selection(outputs: &[Output]) -> bool {
    let Some(boxes) = outputs.iter().find(|output| output.last() == 4 && output.dims.len() >= 2) else {
        return false;
    };
    let vectors: Vec<_> = outputs.iter().filter(|output| output.name != boxes.name).collect();
    let one_each = |output: &&Output| output.rows().saturating_mul(output.last()) == boxes.rows();
    vectors.len() == 2 && vectors.iter().all(one_each)
}

fn one(facts: &Facts<'_>, output: &Output) -> Result<Kind, Vec<Kind>> {
    match output.dims[..] {
        [1, 1, _, 7] => Ok(Kind::DetectionOutput),
        [1, 1, keypoints, 3] if keypoints >= 4 => Ok(Kind::Movenet),
        [1, a, b, c] => map(facts, output, [a, b, c]),
        [1, 6, 56] if facts.names.is_none() => Ok(Kind::MovenetMultipose),
        [1, height, width] if output.integer || facts.pictures(height, width) => picture(output),
        [1, a, b] => table(facts, a, b),
        [rows, 7] if rows != 1 => Ok(Kind::Yolov7EndToEnd),
        [rows, 6] if rows != 1 => Ok(Kind::EndToEnd),
        [1, classes] | [classes] => {
            let known = output.activation != Activation::None
                || classes == 1000
                || facts.names == Some(classes)
                || facts.graph.metadata("task") == Some("classify");
            if known { Ok(Kind::Classification) } else { Err(vec![Kind::Classification]) }
        }
        _ => Err(Vec::new()),
    }
}

/// `[1, a, b, c]`: a number, or a number for each class, for each pixel or cell.
fn map(facts: &Facts<'_>, output: &Output, [a, b, c]: [usize; 3]) -> Result<Kind, Vec<Kind>> {
    if a == 1 && facts.pictures(b, c) || c == 1 && facts.pictures(a, b) {
        return picture(output);
    }
    let (columns, rows) = facts.grid(16);
    let is_fastestdet = (b, c) == (rows, columns)
        && (facts.names.is_some_and(|names| a == names + 5) || facts.names.is_none() && a == 85);
    if is_fastestdet {
        return Ok(Kind::Fastestdet);
    }
    let quarter = (b * 4, c * 4) == (facts.input.height.into(), facts.input.width.into());
    if output.is_named("heatmap") && quarter {
        return Ok(Kind::Heatmaps);
    }
    if quarter && a == 17 && facts.names != Some(a) {
        return Err(vec![Kind::Heatmaps, Kind::Semantic]);
    }
    if facts.pictures(b, c) || facts.pictures(a, b) { Ok(Kind::Semantic) } else { Err(Vec::new()) }
}

/// One number for each pixel.
fn picture(output: &Output) -> Result<Kind, Vec<Kind>> {
    let is_depth = ["depth", "disp"].iter().any(|name| output.is_named(name));
    match output.activation {
        _ if output.integer => Ok(Kind::Semantic),
        _ if is_depth => Ok(Kind::Depth),
        Activation::Sigmoid | Activation::Softmax => Ok(Kind::Semantic),
        // MiDaS and its kind give no channel; a mask of one class has one.
        Activation::None if output.dims.len() == 3 => Ok(Kind::Depth),
        Activation::None => Err(vec![Kind::Depth, Kind::Semantic]),
    }
}

/// `[1, a, b]`: boxes, either way round. There are always more boxes than values of a box.
fn table(facts: &Facts<'_>, a: usize, b: usize) -> Result<Kind, Vec<Kind>> {
    let task = facts.graph.metadata("task");
    if a < b {
        return by_task(task, a, facts);
    }
    let (cells, columns) = (facts.cells(&STRIDES), b);
    let selected = a <= SELECTED && a != cells;
    let classes = |other: usize| match facts.names {
        Some(names) => columns == names + other,
        None => columns == 80 + other,
    };
    match (task, columns) {
        (Some("pose"), 7..) if selected => return Ok(Kind::EndToEndPose),
        (Some("obb"), 7) if selected => return Ok(Kind::EndToEndObb),
        (_, 6) if selected => return Ok(Kind::EndToEnd),
        (_, 0..=4) => return Err(Vec::new()),
        _ => {}
    }
    // Only a head that decodes its boxes needs an exponential.
    let raw = a == cells && !facts.graph.has("Exp");
    if a == facts.cells(&STRIDES_PLUS) && classes(32) {
        Ok(Kind::NanodetPlus)
    } else if classes(4) {
        Ok(Kind::Yolov8)
    } else if raw && (classes(5) || facts.names.is_none() && columns > 5) {
        Ok(Kind::Yolox)
    } else if classes(5) || a == 3 * cells && facts.names.is_none() && columns > 5 {
        Ok(Kind::Yolov5)
    } else if selected && facts.names == Some(1) && columns > 6 && (columns - 6).is_multiple_of(3) {
        Ok(Kind::EndToEndPose)
    } else if selected {
        Err(vec![Kind::EndToEndPose, Kind::EndToEndObb, Kind::Yolov5, Kind::Yolov8])
    } else {
        Err(vec![Kind::Yolov5, Kind::Yolov8, Kind::Yolox])
    }
}

/// `[1, columns, n]`: the newer YOLOs.
fn by_task(task: Option<&str>, columns: usize, facts: &Facts<'_>) -> Result<Kind, Vec<Kind>> {
    match (task, facts.names) {
        _ if columns < 5 => Err(Vec::new()),
        (Some("detect"), _) => Ok(Kind::Yolov8),
        (Some("pose"), _) => Ok(Kind::Yolov8Pose),
        (Some("obb"), _) => Ok(Kind::Yolov8Obb),
        (_, Some(names)) if columns == names + 4 => Ok(Kind::Yolov8),
        (_, Some(names)) if columns == names + 5 => Ok(Kind::Yolov8Obb),
        (_, Some(names)) if columns > names + 5 && (columns - names - 4).is_multiple_of(3) => {
            Ok(Kind::Yolov8Pose)
        }
        (_, None) if columns == 84 => Ok(Kind::Yolov8),
        _ => Err(vec![Kind::Yolov8, Kind::Yolov8Pose, Kind::Yolov8Obb, Kind::Yolov5]),
    }
}

fn two(facts: &Facts<'_>, first: &Output, second: &Output) -> Result<Kind, Vec<Kind>> {
    let (large, small) = if first.dims.len() > second.dims.len() { (first, second) } else { (second, first) };
    if let ([1, masks, height, width], [1, a, b]) = (&large.dims[..], &small.dims[..])
        && facts.pictures(*height, *width)
    {
        return match (*a < *b, b.checked_sub(*masks)) {
            (true, _) if *a > masks + 4 => Ok(Kind::Yolov8Seg),
            (false, Some(6)) => Ok(Kind::EndToEndSeg),
            (false, Some(5..)) => Ok(Kind::Yolov8Seg),
            _ => Err(Vec::new()),
        };
    }
    let (boxes, other) = if has_boxes(first) && !(has_boxes(second) && second.is_named("box")) {
        (first, second)
    } else {
        (second, first)
    };
    match (boxes.last(), &boxes.dims[..]) {
        (5, [1, _, _]) if other.integer => Ok(Kind::Mmdet),
        (4, [.., rows, 4]) if other.rows() == *rows && !other.integer && other.dims.len() == 3 => {
            boxes_and_scores(facts, *rows, other)
        }
        _ => simcc(facts, first, second),
    }
}

fn has_boxes(output: &Output) -> bool {
    !output.integer && matches!(output.last(), 4 | 5)
}

/// `[1, rows, 4]` and `[1, rows, columns]`.
fn boxes_and_scores(facts: &Facts<'_>, rows: usize, scores: &Output) -> Result<Kind, Vec<Kind>> {
    let columns = scores.last();
    match (scores.activation, facts.names) {
        (Activation::Softmax, _) if rows > SELECTED => Ok(Kind::Ssd),
        (Activation::Softmax, _) => Ok(Kind::Detr),
        (Activation::Sigmoid, _) if rows <= SELECTED => Ok(Kind::RtDetr),
        (Activation::None, Some(names)) if columns == names => Ok(Kind::RtDetr),
        (Activation::None, Some(names)) if columns == names + 1 => Ok(Kind::Detr),
        // COCO, with gaps in its numbers and something for nothing; COCO and Objects365.
        (Activation::None, None) if columns == 92 => Ok(Kind::Detr),
        (Activation::None, None) if matches!(columns, 80 | 365 | 366) => Ok(Kind::RtDetr),
        _ => Err(vec![Kind::Detr, Kind::RtDetr, Kind::Ssd]),
    }
}

/// `[1, keypoints, width * split]` and `[1, keypoints, height * split]`.
fn simcc(facts: &Facts<'_>, x: &Output, y: &Output) -> Result<Kind, Vec<Kind>> {
    let ([1, many, columns], [1, as_many, lines]) = (&x.dims[..], &y.dims[..]) else {
        return grids(facts);
    };
    let (width, height) = (usize::from(facts.input.width), usize::from(facts.input.height));
    let fits = many == as_many && columns * height == lines * width && *columns >= width;
    if fits { Ok(Kind::Simcc) } else { grids(facts) }
}

/// Two outputs for each of several grids.
fn grids(facts: &Facts<'_>) -> Result<Kind, Vec<Kind>> {
    let outputs = facts.outputs;
    let strides: &[u16] = match outputs.len() {
        6 => &STRIDES,
        8 => &STRIDES_PLUS,
        _ => return Err(Vec::new()),
    };
    let both = |cells: &dyn Fn(&Output) -> usize| {
        strides.iter().all(|&stride| {
            let (columns, rows) = facts.grid(stride);
            outputs.iter().filter(|output| cells(output) == columns * rows).count() == 2
        })
    };
    let is_map = |output: &Output| output.dims.len() == 4;
    if outputs.iter().all(is_map) && both(&|output| output.dims[2..].iter().product()) {
        let edges = outputs.iter().filter(|output| output.dims.get(1) == Some(&4)).count();
        return if edges == strides.len() { Ok(Kind::Rtmdet) } else { Err(vec![Kind::Rtmdet]) };
    }
    if !outputs.iter().any(is_map) && both(&Output::rows) { Ok(Kind::Nanodet) } else { Err(Vec::new()) }
}
