//! From the name of a head to the outputs and columns that it reads.

use eyespot_core::ClassId;
use eyespot_decode::{Activation, Background, BoxFormat, KeypointLayout, distances};

use crate::Kind;
use crate::head::{
    Classification, Depth, Distances, FastestDet, Head, Heatmaps, Keypoints, Level, Lies, Map, MoveNet,
    RowScores, Rows, Semantic, SimCc, Table, Yolox,
};
use crate::outputs::{Facts, Output};

/// A head, and how many classes it has where the outputs tell.
pub(crate) type Resolved = (Head, Option<usize>);

/// Bins of a distribution over distances in the published models.
const BINS: usize = 8;

/// The outputs and columns that a head reads.
///
/// # Errors
/// What does not fit, for a person.
pub(crate) fn resolve(kind: Kind, facts: &Facts<'_>) -> Result<Resolved, String> {
    let outputs = Chosen::new(facts)?;
    match kind {
        Kind::Yolox => yolox(facts, &outputs),
        Kind::Yolov5 => yolov5(facts, &outputs),
        Kind::Yolov8 => yolov8(facts, &outputs, Extra::None),
        Kind::Yolov8Seg => yolov8(facts, &outputs, Extra::Masks),
        Kind::Yolov8Pose => yolov8(facts, &outputs, Extra::Keypoints),
        Kind::Yolov8Obb => yolov8(facts, &outputs, Extra::Angle),
        Kind::EndToEnd => end_to_end(facts, &outputs, Extra::None),
        Kind::EndToEndSeg => end_to_end(facts, &outputs, Extra::Masks),
        Kind::EndToEndPose => end_to_end(facts, &outputs, Extra::Keypoints),
        Kind::EndToEndObb => end_to_end(facts, &outputs, Extra::Angle),
        Kind::Yolov7EndToEnd => labelled_rows(facts, &outputs, [1, 6, 5], BoxFormat::Corners, false),
        Kind::DetectionOutput => labelled_rows(facts, &outputs, [3, 2, 1], BoxFormat::Corners, true),
        Kind::Detr => queries(facts, &outputs, kind),
        Kind::RtDetr => queries(facts, &outputs, kind),
        Kind::Ssd => queries(facts, &outputs, kind),
        Kind::Detections | Kind::TfDetections => selection(facts, &outputs, kind),
        Kind::Mmdet => mmdet(facts, &outputs),
        Kind::Nanodet => nanodet(facts, &outputs),
        Kind::NanodetPlus => nanodet_plus(facts, &outputs),
        Kind::Rtmdet => rtmdet(facts, &outputs),
        Kind::Fastestdet => {
            let (output, columns) = outputs.only(Lies::Columns)?;
            let classes = classes(columns.checked_sub(5))?;
            Ok((Head::FastestDet(FastestDet { output, classes }), Some(classes.into())))
        }
        Kind::Movenet => {
            let (output, columns) = outputs.only(Lies::Rows)?;
            let keypoints = facts.outputs.get(output).map_or(0, Output::rows);
            check(columns == 3 && (1..=255).contains(&keypoints), "its rows are no keypoints")?;
            Ok((Head::MoveNet(MoveNet { output, keypoints }), Some(1)))
        }
        Kind::MovenetMultipose => multipose(facts, &outputs),
        Kind::Heatmaps => {
            let (output, keypoints) = outputs.only(Lies::Columns)?;
            let is_map = facts.outputs.get(output).is_some_and(|output| output.dims.len() == 4);
            check(is_map && (1..=255).contains(&keypoints), "it is no map for each keypoint")?;
            Ok((Head::Heatmaps(Heatmaps { output, keypoints }), Some(1)))
        }
        Kind::Simcc => simcc(facts, &outputs),
        Kind::Semantic => semantic(facts, &outputs),
        Kind::Depth => {
            let output = outputs.first()?;
            let is_map = crate::head::size(&output.1.dims).is_some();
            check(is_map, "it is no map of one number for each pixel")?;
            Ok((Head::Depth(Depth { output: output.0 }), Some(crate::head::BANDS.into())))
        }
        Kind::Classification => {
            let (output, port) = outputs.first()?;
            let background = facts.manifest.background.unwrap_or_default();
            let classes = port.rows().saturating_mul(port.last());
            let classes = classes.saturating_sub(usize::from(background != Background::None));
            check(classes > 0, "it has no values")?;
            let activation = activation(facts, port, Activation::Softmax);
            let head = Classification { output, activation, background };
            Ok((Head::Classification(head), Some(classes)))
        }
    }
}

fn check(holds: bool, reason: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason.to_owned()) }
}

fn classes(columns: Option<usize>) -> Result<u16, String> {
    let classes = columns.filter(|&columns| columns > 0).and_then(|columns| u16::try_from(columns).ok());
    classes.ok_or_else(|| "it has no columns for classes".to_owned())
}

/// What makes scores of the values of an output: nothing where the graph has done it.
fn activation(facts: &Facts<'_>, output: &Output, usual: Activation) -> Activation {
    let rest = if output.activation == Activation::None { usual } else { Activation::None };
    facts.manifest.activation.unwrap_or(rest)
}

/// The outputs that a head reads, in its order.
struct Chosen<'a> {
    outputs: Vec<(usize, &'a Output)>,
    /// Did the manifest name them?
    named: bool,
}

impl<'a> Chosen<'a> {
    fn new(facts: &Facts<'a>) -> Result<Self, String> {
        let all = facts.outputs.iter().enumerate();
        let Some(names) = &facts.manifest.outputs else {
            return Ok(Self { outputs: all.collect(), named: false });
        };
        let find = |name: &String| {
            let found = facts.outputs.iter().enumerate().find(|(_, output)| output.name == *name);
            found.ok_or_else(|| format!("the manifest names an output `{name}` that is not there"))
        };
        Ok(Self { outputs: names.iter().map(find).collect::<Result<_, _>>()?, named: true })
    }

    fn first(&self) -> Result<(usize, &'a Output), String> {
        self.outputs.first().copied().ok_or_else(|| "the manifest names no output".to_owned())
    }

    /// The first output and its columns.
    fn only(&self, lies: Lies) -> Result<(usize, usize), String> {
        let (index, output) = self.first()?;
        Ok((index, Table::columns(lies, &output.dims)))
    }

    /// The one at a place of the manifest's list, or else the one that fits.
    fn role(
        &self,
        place: usize,
        fits: impl Fn(&Output) -> bool,
        what: &str,
    ) -> Result<(usize, &'a Output), String> {
        let found = if self.named {
            self.outputs.get(place)
        } else {
            self.outputs.iter().find(|(_, output)| fits(output))
        };
        found.copied().ok_or_else(|| format!("there is no output for {what}"))
    }
}

/// An output as a table whose rows are boxes: there are more of them than columns, unless the number of columns is known.
fn table((output, port): (usize, &Output), columns: Option<usize>) -> Table {
    let (lies, len) = match (&port.dims[..], columns) {
        (&[1, a, b] | &[a, b], Some(columns)) if a == columns && b != columns => (Lies::Columns, a),
        (&[1, a, b] | &[a, b], None) if a < b => (Lies::Columns, a),
        (&[1, a, b] | &[a, b], Some(columns)) if a < b && b != columns => (Lies::Columns, a),
        _ => (Lies::Rows, port.last()),
    };
    Table { output, lies, start: 0, len }
}

fn yolox(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let (output, columns) = outputs.only(Lies::Rows)?;
    let classes = classes(columns.checked_sub(5))?;
    let strides = facts.manifest.strides.clone().unwrap_or_else(|| vec![8, 16, 32]);
    let strides: Option<Vec<u8>> = strides.iter().map(|&stride| stride.try_into().ok()).collect();
    let strides = strides.ok_or("a stride is above 255")?;
    let head = eyespot_decode::yolox::Head::new(facts.input, &strides, classes);
    let (expected, actual) = (head.anchors(), facts.outputs.get(output).map_or(0, Output::rows));
    if expected != actual {
        return Err(format!(
            "grids of the strides {strides:?} have {expected} cells, but it has {actual} rows"
        ));
    }
    Ok((Head::Yolox(Yolox { output, strides, classes }), Some(classes.into())))
}

/// Rows of boxes with a column for each class.
fn class_rows(facts: &Facts<'_>, boxes: Table, scores: RowScores) -> Rows {
    Rows {
        boxes,
        format: facts.manifest.format.unwrap_or(BoxFormat::CenterSize),
        normalized: facts.manifest.normalized.unwrap_or(false),
        scores,
        masks: None,
        keypoints: None,
        angle: None,
        suppress: true,
    }
}

fn yolov5(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let table = table(outputs.first()?, facts.names.map(|names| names + 5));
    let count = classes(table.len.checked_sub(5))?;
    let scores = RowScores::Classes {
        values: table.part(5, count.into()),
        objectness: Some(table.part(4, 1)),
        activation: facts.manifest.activation.unwrap_or_default(),
        background: Background::None,
    };
    Ok((Head::Rows(class_rows(facts, table.part(0, 4), scores)), Some(count.into())))
}

/// What a row holds beside a box and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    None,
    Masks,
    Keypoints,
    Angle,
}

/// The output of prototypes and their number.
fn prototypes(outputs: &Chosen<'_>) -> Result<(usize, usize), String> {
    let fits = |output: &Output| matches!(output.dims[..], [1, _, _, _]);
    let (index, output) = outputs.role(1, fits, "the prototypes of masks, [1, count, height, width]")?;
    match output.dims[..] {
        [1, count, height, width] if count * height * width > 0 => Ok((index, count)),
        _ => Err("the prototypes of masks are not [1, count, height, width]".to_owned()),
    }
}

/// Values of a keypoint: of the manifest, of the exporter's note `[17, 3]`, or what divides the columns.
fn keypoints(facts: &Facts<'_>, values: Table) -> Result<Keypoints, String> {
    let noted = facts
        .graph
        .metadata("kpt_shape")
        .and_then(|shape| shape.trim_matches(['[', ']', '(', ')']).split(',').nth(1)?.trim().parse().ok());
    let usual = if values.len.is_multiple_of(3) { 3 } else { 2 };
    let each: usize = facts.manifest.keypoint_values.or(noted).unwrap_or(usual);
    let fits = (2..=3).contains(&each) && values.len > 0 && values.len.is_multiple_of(each);
    check(fits && values.len / each <= 255, "its columns are no whole number of keypoints")?;
    let layout = KeypointLayout { values: each, ..KeypointLayout::PIXELS };
    Ok(Keypoints { values, layout, normalized: facts.manifest.normalized.unwrap_or(false) })
}

/// Gives rows what they hold from a column on.
fn extend(
    rows: &mut Rows,
    extra: Extra,
    table: Table,
    facts: &Facts<'_>,
    outputs: &Chosen<'_>,
) -> Result<(), String> {
    match extra {
        Extra::None => {}
        Extra::Masks => rows.masks = Some((table, prototypes(outputs)?.0)),
        Extra::Keypoints => rows.keypoints = Some(keypoints(facts, table)?),
        Extra::Angle => rows.angle = Some(table),
    }
    Ok(())
}

fn yolov8(facts: &Facts<'_>, outputs: &Chosen<'_>, extra: Extra) -> Result<Resolved, String> {
    let more = match extra {
        Extra::None | Extra::Keypoints => 0,
        Extra::Masks => prototypes(outputs)?.1,
        Extra::Angle => 1,
    };
    let known = facts.names.filter(|_| extra != Extra::Keypoints);
    let table = table(boxes_of(outputs, extra)?, known.map(|names| names + 4 + more));
    let count = match extra {
        // One class unless there are names for more: then the rest of the columns are keypoints.
        Extra::Keypoints => facts.names.unwrap_or(1),
        _ => classes(table.len.checked_sub(4 + more))?.into(),
    };
    check(count > 0, "there are no names of classes")?;
    check(table.len > 4 + count || extra == Extra::None, "it has too few columns")?;
    let scores = RowScores::Classes {
        values: table.part(4, count),
        objectness: None,
        activation: facts.manifest.activation.unwrap_or_default(),
        background: facts.manifest.background.unwrap_or_default(),
    };
    let mut rows = class_rows(facts, table.part(0, 4), scores);
    let start = 4 + count;
    extend(&mut rows, extra, table.part(start, table.len.saturating_sub(start)), facts, outputs)?;
    Ok((Head::Rows(rows), Some(count)))
}

/// The output of boxes: with prototypes of masks beside it, the one of three dimensions.
fn boxes_of<'a>(outputs: &Chosen<'a>, extra: Extra) -> Result<(usize, &'a Output), String> {
    match extra {
        Extra::Masks => outputs.role(0, |output| output.dims.len() == 3, "boxes with coefficients of masks"),
        _ => outputs.first(),
    }
}

fn end_to_end(facts: &Facts<'_>, outputs: &Chosen<'_>, extra: Extra) -> Result<Resolved, String> {
    let (output, port) = boxes_of(outputs, extra)?;
    let table = Table { output, lies: Lies::Rows, start: 0, len: port.last() };
    let expected = match extra {
        Extra::None => 6..=6,
        Extra::Angle => 7..=7,
        Extra::Masks | Extra::Keypoints => 7..=usize::MAX,
    };
    check(expected.contains(&table.len), "its rows do not have the columns of this head")?;
    let scores = RowScores::Labelled {
        scores: table.part(4, 1),
        labels: table.part(5, 1),
        first: facts.manifest.first_label.unwrap_or(0),
    };
    let usual = if extra == Extra::Angle { BoxFormat::CenterSize } else { BoxFormat::Corners };
    let mut rows = Rows {
        format: facts.manifest.format.unwrap_or(usual),
        suppress: false,
        ..class_rows(facts, table.part(0, 4), scores)
    };
    extend(&mut rows, extra, table.part(6, table.len - 6), facts, outputs)?;
    Ok((Head::Rows(rows), None))
}

/// Rows whose box, score and label begin at these columns.
fn labelled_rows(
    facts: &Facts<'_>,
    outputs: &Chosen<'_>,
    [corner, score, label]: [usize; 3],
    format: BoxFormat,
    normalized: bool,
) -> Result<Resolved, String> {
    let (output, columns) = outputs.only(Lies::Rows)?;
    check(columns == 7, "its rows do not have 7 columns")?;
    let table = Table { output, lies: Lies::Rows, start: 0, len: columns };
    let first = facts.manifest.first_label.unwrap_or(0);
    let scores = RowScores::Labelled { scores: table.part(score, 1), labels: table.part(label, 1), first };
    let rows = Rows {
        format: facts.manifest.format.unwrap_or(format),
        normalized: facts.manifest.normalized.unwrap_or(normalized),
        suppress: false,
        ..class_rows(facts, table.part(corner, 4), scores)
    };
    Ok((Head::Rows(rows), None))
}

/// An output of boxes and one with a column for each class.
fn queries(facts: &Facts<'_>, outputs: &Chosen<'_>, kind: Kind) -> Result<Resolved, String> {
    // Four classes look like boxes: then the names tell.
    let fours = outputs.outputs.iter().filter(|(_, output)| output.last() == 4).count();
    let is_box = |output: &Output| output.last() == 4 && (fours == 1 || output.is_named("box"));
    let is_score = |output: &Output| output.dims.len() <= 3 && !is_box(output);
    let (at, scores) = outputs.role(0, is_score, "class scores, [1, n, classes]")?;
    let (boxes, port) = outputs.role(1, is_box, "boxes, [1, n, 4]")?;
    check(port.last() == 4, "its boxes do not have 4 columns")?;
    let (usual, format, background) = match kind {
        Kind::Detr => (Activation::Softmax, BoxFormat::CenterSize, Background::Last),
        Kind::Ssd => (Activation::Softmax, BoxFormat::Corners, Background::First),
        _ => (Activation::Sigmoid, BoxFormat::CenterSize, Background::None),
    };
    let background = facts.manifest.background.unwrap_or(background);
    let columns = scores.last();
    let count = columns.saturating_sub(usize::from(background != Background::None));
    check(count > 0, "its scores have no column for a class")?;
    let values = Table { output: at, lies: Lies::Rows, start: 0, len: columns };
    let scores = RowScores::Classes {
        values,
        objectness: None,
        activation: activation(facts, scores, usual),
        background,
    };
    let rows = Rows {
        format: facts.manifest.format.unwrap_or(format),
        normalized: facts.manifest.normalized.unwrap_or(true),
        suppress: kind == Kind::Ssd,
        ..class_rows(facts, Table { output: boxes, lies: Lies::Rows, start: 0, len: 4 }, scores)
    };
    Ok((Head::Rows(rows), Some(count)))
}

/// Boxes, scores and labels in outputs of their own.
fn selection(facts: &Facts<'_>, outputs: &Chosen<'_>, kind: Kind) -> Result<Resolved, String> {
    let tf = kind == Kind::TfDetections;
    let starts = |output: &Output, name: &str| output.name.split(':').next() == Some(name);
    let is_boxes = |output: &Output| {
        if tf { starts(output, "detection_boxes") } else { output.last() == 4 && output.dims.len() >= 2 }
    };
    let (boxes, port) = outputs.role(0, is_boxes, "boxes, [n, 4]")?;
    check(port.last() == 4, "its boxes do not have 4 columns")?;
    let is_label = |output: &Output| {
        if tf {
            starts(output, "detection_classes")
        } else {
            output.is_named("label") || output.is_named("class")
        }
    };
    let one_each = |output: &Output| output.rows().saturating_mul(output.last()) == port.rows();
    let whole = |output: &Output| output.integer && output.name != port.name && one_each(output);
    let (labels, label_port) = outputs
        .role(2, is_label, "labels, [n]")
        .or_else(|missing| outputs.role(2, whole, "labels, [n]").map_err(|_| missing))?;
    let is_score = |output: &Output| {
        let candidate = output.name != port.name && output.name != label_port.name && !output.integer;
        if tf { starts(output, "detection_scores") } else { candidate }
    };
    let (scores, _) = outputs.role(1, is_score, "scores, [n]")?;
    let first = facts.manifest.first_label.unwrap_or(u16::from(tf));
    let format = if tf { BoxFormat::CornersYx } else { BoxFormat::Corners };
    let labelled =
        RowScores::Labelled { scores: Table::vector(scores), labels: Table::vector(labels), first };
    let rows = Rows {
        format: facts.manifest.format.unwrap_or(format),
        normalized: facts.manifest.normalized.unwrap_or(tf),
        suppress: false,
        ..class_rows(facts, Table { output: boxes, lies: Lies::Rows, start: 0, len: 4 }, labelled)
    };
    Ok((Head::Rows(rows), None))
}

fn mmdet(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let (boxes, port) =
        outputs.role(0, |output| output.last() == 5 && !output.integer, "boxes, [1, n, 5]")?;
    check(port.last() == 5, "its boxes do not have 5 columns")?;
    let (labels, _) = outputs.role(1, |output| output.name != port.name, "labels, [1, n]")?;
    let table = Table { output: boxes, lies: Lies::Rows, start: 0, len: 5 };
    let first = facts.manifest.first_label.unwrap_or(0);
    let scores = RowScores::Labelled { scores: table.part(4, 1), labels: Table::vector(labels), first };
    let rows = Rows {
        format: facts.manifest.format.unwrap_or(BoxFormat::Corners),
        suppress: false,
        ..class_rows(facts, table.part(0, 4), scores)
    };
    Ok((Head::Rows(rows), None))
}

/// A stride and its two outputs.
type Pair<'a> = (u16, [(usize, &'a Output); 2]);

/// For each stride the two outputs with a row for each cell: scores and distances.
fn pairs<'a>(
    outputs: &Chosen<'a>,
    facts: &Facts<'_>,
    cells: impl Fn(&Output) -> usize,
) -> Result<Vec<Pair<'a>>, String> {
    let usual: &[u16] = if outputs.outputs.len() == 8 { &[8, 16, 32, 64] } else { &[8, 16, 32] };
    let strides = facts.manifest.strides.as_deref().unwrap_or(usual);
    let pair = |&stride: &u16| {
        let (columns, rows) = facts.grid(stride);
        let of_stride: Vec<_> =
            outputs.outputs.iter().copied().filter(|(_, output)| cells(output) == columns * rows).collect();
        match of_stride[..] {
            [first, second] => Ok((stride, [first, second])),
            _ => Err(format!(
                "there are {} outputs with {} cells, of stride {stride}, where 2 are expected",
                of_stride.len(),
                columns * rows
            )),
        }
    };
    strides.iter().map(pair).collect()
}

fn nanodet(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let mut levels = Vec::new();
    let mut count = 0;
    let mut usual = Activation::Sigmoid;
    for (stride, [first, second]) in pairs(outputs, facts, Output::rows)? {
        // Scores went through a sigmoid, or have a column for each known class; else the wider output are scores.
        let is_scores = |output: &Output| {
            let named = facts.names.unwrap_or(80) == output.last();
            (output.activation != Activation::None, named, output.last())
        };
        let (scores, edges) =
            if is_scores(first.1) >= is_scores(second.1) { (first, second) } else { (second, first) };
        check(
            edges.1.last().is_multiple_of(4) && edges.1.last() > 0,
            "distances need 4 columns or a multiple",
        )?;
        count = classes(Some(scores.1.last()))?.into();
        usual = activation(facts, scores.1, usual);
        let table =
            |(output, port): (usize, &Output)| Table { output, lies: Lies::Rows, start: 0, len: port.last() };
        levels.push(Level { stride, scores: table(scores), distances: table(edges), shared: false });
    }
    let head = Distances { levels, unit: distances::Unit::Strides, offset: 0.5, activation: usual };
    Ok((Head::Distances(head), Some(count)))
}

fn nanodet_plus(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let (output, columns) = outputs.only(Lies::Rows)?;
    let count = match facts.names {
        Some(names) if names > 0 && names < columns => names,
        _ => classes(columns.checked_sub(4 * BINS))?.into(),
    };
    check((columns - count).is_multiple_of(4) && columns > count, "distances need 4 columns or a multiple")?;
    let table = Table { output, lies: Lies::Rows, start: 0, len: columns };
    let strides = facts.manifest.strides.as_deref().unwrap_or(&[8, 16, 32, 64]);
    let rows = facts.outputs.get(output).map_or(0, Output::rows);
    let cells = facts.cells(strides);
    if cells != rows {
        return Err(format!("grids of the strides {strides:?} have {cells} cells, but it has {rows} rows"));
    }
    let level = |&stride: &u16| Level {
        stride,
        scores: table.part(0, count),
        distances: table.part(count, columns - count),
        shared: true,
    };
    let levels = strides.iter().map(level).collect();
    let activation = outputs.first().map(|(_, port)| activation(facts, port, Activation::Sigmoid))?;
    let head = Distances { levels, unit: distances::Unit::Strides, offset: 0.0, activation };
    Ok((Head::Distances(head), Some(count)))
}

fn rtmdet(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let cells = |output: &Output| match output.dims[..] {
        [1, _, height, width] => height * width,
        _ => 0,
    };
    let channels = |output: &Output| output.dims.get(1).copied().unwrap_or(0);
    let mut levels = Vec::new();
    let mut count = 0;
    let mut usual = Activation::Sigmoid;
    for (stride, [first, second]) in pairs(outputs, facts, cells)? {
        let (scores, edges) = if channels(second.1) == 4 && !second.1.is_named("cls") {
            (first, second)
        } else {
            (second, first)
        };
        check(channels(edges.1) == 4, "distances need 4 channels")?;
        count = classes(Some(channels(scores.1)))?.into();
        usual = activation(facts, scores.1, usual);
        let table = |(output, port): (usize, &Output)| Table {
            output,
            lies: Lies::Columns,
            start: 0,
            len: channels(port),
        };
        levels.push(Level { stride, scores: table(scores), distances: table(edges), shared: false });
    }
    let head = Distances { levels, unit: distances::Unit::Pixels, offset: 0.0, activation: usual };
    Ok((Head::Distances(head), Some(count)))
}

/// Rows of keypoints `y, x, score`, then `top, left, bottom, right, score`, all in parts of the image.
fn multipose(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let (output, columns) = outputs.only(Lies::Rows)?;
    let values = columns.saturating_sub(5);
    check(
        values > 0 && values.is_multiple_of(3) && values / 3 <= 255,
        "its rows are no keypoints and a box",
    )?;
    let table = Table { output, lies: Lies::Rows, start: 0, len: columns };
    let scores = RowScores::Classes {
        values: table.part(values + 4, 1),
        objectness: None,
        activation: Activation::None,
        background: Background::None,
    };
    let rows = Rows {
        format: BoxFormat::CornersYx,
        normalized: true,
        keypoints: Some(Keypoints {
            values: table.part(0, values),
            layout: KeypointLayout { yx: true, ..KeypointLayout::PIXELS },
            normalized: true,
        }),
        suppress: false,
        ..class_rows(facts, table.part(values, 4), scores)
    };
    Ok((Head::Rows(rows), Some(1)))
}

fn simcc(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let width = usize::from(facts.input.width);
    let height = usize::from(facts.input.height);
    let [first, second] = outputs.outputs[..] else {
        return Err("it needs an output for each axis".to_owned());
    };
    // Where the input is square the sizes don't tell, but the names or the order do.
    let fits = first.1.last() * height == second.1.last() * width;
    let turned = second.1.is_named("simcc_x") || !fits && !first.1.is_named("simcc_x");
    let (x, y) = if turned { (second, first) } else { (first, second) };
    let keypoints = x.1.rows();
    check((1..=255).contains(&keypoints) && y.1.rows() == keypoints, "its axes differ in their keypoints")?;
    check(
        x.1.last() * height == y.1.last() * width && x.1.last() > 0,
        "its axes differ in their resolution",
    )?;
    let table =
        |(output, port): (usize, &Output)| Table { output, lies: Lies::Rows, start: 0, len: port.last() };
    let split = x.1.last() as f32 / f32::from(facts.input.width);
    Ok((Head::SimCc(SimCc { x: table(x), y: table(y), keypoints, split }), Some(1)))
}

fn semantic(facts: &Facts<'_>, outputs: &Chosen<'_>) -> Result<Resolved, String> {
    let (output, port) = outputs.first()?;
    let background = match facts.manifest.background {
        Some(Background::First) => Some(ClassId(0)),
        _ => None,
    };
    let of = |map, background| Head::Semantic(Semantic { output, map, background });
    if crate::head::size(&port.dims).is_some() {
        if port.integer {
            return Ok((of(Map::Labels, background), None));
        }
        let map = Map::Binary(activation(facts, port, Activation::Sigmoid));
        // The rest of the image is no class.
        return Ok((of(map, Some(ClassId(1))), Some(1)));
    }
    let &[1, a, b, c] = &port.dims[..] else {
        return Err("it is no map, [1, classes, height, width]".to_owned());
    };
    let activation = activation(facts, port, Activation::Softmax);
    let (map, count) = if facts.pictures(b, c) {
        (Map::Scores(activation), a)
    } else if facts.pictures(a, b) {
        (Map::ScoresLast(activation), c)
    } else {
        return Err("it has not the shape of the image".to_owned());
    };
    let count: usize = classes(Some(count))?.into();
    if let Some(Background::Last) = facts.manifest.background {
        return Ok((of(map, Some(ClassId((count - 1) as u16))), Some(count)));
    }
    Ok((of(map, background), Some(count)))
}
