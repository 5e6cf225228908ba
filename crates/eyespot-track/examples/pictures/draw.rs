//! Scalable pictures of what a tracker made of a scene.

use std::collections::BTreeMap;
use std::fmt::Write;

use eyespot_core::BBox;

/// Size of a panel in pixels, and what lies around it.
const WIDTH: f32 = 300.0;
const WIDE: f32 = 612.0;
const NARROW: f32 = 190.0;
const HEIGHT: f32 = 150.0;
const GAP: f32 = 12.0;
const TITLE: f32 = 22.0;

/// Colours that people tell apart who see fewer of them (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const NOBODY: &str = "#aaaaaa";

fn colour(id: Option<u32>) -> &'static str {
    id.map_or(NOBODY, |id| COLOURS[(id as usize - 1) % COLOURS.len()])
}

/// A detection or a track in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    pub(crate) frame: usize,
    pub(crate) id: Option<u32>,
    pub(crate) bbox: BBox,
    pub(crate) score: f32,
    /// Of a track: it was not seen in this frame.
    pub(crate) lost: bool,
}

/// One run of a tracker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Story {
    pub(crate) title: String,
    pub(crate) detections: Vec<Mark>,
    pub(crate) tracks: Vec<Mark>,
}

/// How a story is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View {
    /// Time from left to right, place (the horizontal one of the picture) from top to bottom.
    Time,
    /// The boxes of a frame as they lie in the picture.
    Boxes(usize),
}

/// A column of panels beside one another.
pub(crate) fn picture(view: View, stories: &[Story]) -> String {
    let panel = match stories.len() {
        1 => WIDE,
        2 | 3 => WIDTH,
        _ => NARROW,
    };
    let width = stories.len() as f32 * (panel + GAP) + GAP;
    let height = TITLE + HEIGHT + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    // All panels of a picture have the same scale.
    let marks = || stories.iter().flat_map(|story| story.detections.iter().chain(&story.tracks));
    for (index, story) in stories.iter().enumerate() {
        let left = GAP + index as f32 * (panel + GAP);
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"15\" font-weight=\"bold\" fill=\"#222\">{}</text>\n<rect x=\"{left}\" \
             y=\"{TITLE}\" width=\"{panel}\" height=\"{HEIGHT}\" rx=\"4\" fill=\"#fafafa\" stroke=\"#ddd\"/>",
            story.title
        );
        match view {
            View::Time => over_time(&mut svg, left, story, &Scale::of_time(panel, marks())),
            View::Boxes(frame) => {
                let scale = Scale::of_boxes(panel, marks().filter(|mark| mark.frame == frame));
                boxes(&mut svg, left, story, frame, &scale);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// From the numbers of a scene to places in a panel.
struct Scale {
    origin: (f32, f32),
    factor: (f32, f32),
    /// What is left over on both sides.
    margin: (f32, f32),
}

impl Scale {
    fn new(panel: f32, low: (f32, f32), high: (f32, f32), keep_shape: bool) -> Self {
        let room = (panel - 34.0, HEIGHT - 28.0);
        let mut factor = (room.0 / (high.0 - low.0).max(1e-3), room.1 / (high.1 - low.1).max(1e-3));
        if keep_shape {
            factor = (factor.0.min(factor.1), factor.0.min(factor.1));
        }
        let spare = (room.0 - factor.0 * (high.0 - low.0), room.1 - factor.1 * (high.1 - low.1));
        Self { origin: low, factor, margin: (17.0 + spare.0 / 2.0, 14.0 + spare.1 / 2.0) }
    }

    fn of_time<'a>(panel: f32, marks: impl Iterator<Item = &'a Mark>) -> Self {
        let (mut low, mut high) = ((0.0, f32::MAX), (1.0f32, f32::MIN));
        for mark in marks {
            let place = mark.bbox.center().0;
            high.0 = high.0.max(mark.frame as f32);
            (low.1, high.1) = (f32::min(low.1, place), high.1.max(place));
        }
        Self::new(panel, low, high, false)
    }

    fn of_boxes<'a>(panel: f32, marks: impl Iterator<Item = &'a Mark>) -> Self {
        let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
        for BBox { x1, y1, x2, y2 } in marks.map(|mark| mark.bbox) {
            low = (low.0.min(x1.min(x2)), low.1.min(y1.min(y2)));
            high = (high.0.max(x2.max(x1)), high.1.max(y2.max(y1)));
        }
        Self::new(panel, low, high, true)
    }

    fn place(&self, left: f32, x: f32, y: f32) -> (f32, f32) {
        let x = left + self.margin.0 + self.factor.0 * (x - self.origin.0);
        (x, TITLE + self.margin.1 + self.factor.1 * (y - self.origin.1))
    }
}

fn over_time(svg: &mut String, left: f32, story: &Story, scale: &Scale) {
    let place = |mark: &Mark| scale.place(left, mark.frame as f32, mark.bbox.center().0);
    // What the tracks know: a line where they are seen, dashes where they are only foreseen.
    let mut lines: BTreeMap<(u32, bool), String> = BTreeMap::new();
    let mut before: BTreeMap<u32, &Mark> = BTreeMap::new();
    for mark in &story.tracks {
        let Some(id) = mark.id else { continue };
        if let Some(latest) = before.insert(id, mark)
            && latest.frame + 1 == mark.frame
        {
            let ((a, b), (c, d)) = (place(latest), place(mark));
            let _ = write!(lines.entry((id, mark.lost)).or_default(), "M{a:.1} {b:.1}L{c:.1} {d:.1}");
        }
    }
    for ((id, lost), path) in lines {
        let dashes = if lost { " stroke-dasharray=\"2 2\"" } else { "" };
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-opacity=\".6\"{dashes}/>",
            colour(Some(id))
        );
    }
    let mut dots: BTreeMap<(Option<u32>, u32), String> = BTreeMap::new();
    for mark in &story.detections {
        let (x, y) = place(mark);
        // A score in sixths, so that a few widths do.
        let size = 1 + (mark.score * 6.0) as u32;
        let _ = write!(dots.entry((mark.id, size)).or_default(), "M{x:.1} {y:.1}h0");
    }
    for ((id, size), path) in dots {
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" stroke=\"{}\" stroke-width=\"{size}\" stroke-linecap=\"round\"/>",
            colour(id)
        );
    }
    let mut named = BTreeMap::new();
    for mark in &story.detections {
        if let Some(id) = mark.id {
            named.entry(id).or_insert(mark);
        }
    }
    for (id, mark) in named {
        let (x, y) = place(mark);
        label(svg, x, y - 6.0, Some(id));
    }
}

fn boxes(svg: &mut String, left: f32, story: &Story, frame: usize, scale: &Scale) {
    let lost = story.tracks.iter().filter(|mark| mark.lost);
    for mark in story.detections.iter().chain(lost).filter(|mark| mark.frame == frame) {
        let BBox { x1, y1, x2, y2 } = mark.bbox;
        let ((a, b), (c, d)) = (scale.place(left, x1, y1), scale.place(left, x2, y2));
        let dashes = if mark.lost { " stroke-dasharray=\"4 3\"" } else { "" };
        let width = if mark.lost { 1.5 } else { 0.8 + 2.4 * mark.score };
        let _ = writeln!(
            svg,
            "<path d=\"M{a:.1} {b:.1}H{c:.1}V{d:.1}H{a:.1}Z\" fill=\"{0}\" fill-opacity=\".08\" stroke=\"{0}\" \
             stroke-width=\"{width:.1}\"{dashes}/>",
            colour(mark.id)
        );
        label(svg, (a + c) / 2.0 - 3.0, b.min(d) + 14.0, mark.id);
    }
}

fn label(svg: &mut String, x: f32, y: f32, id: Option<u32>) {
    let Some(id) = id else { return };
    let y = y.max(TITLE + 10.0);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{}\" font-weight=\"bold\">{id}</text>",
        colour(Some(id))
    );
}
