//! Predictions on an image.

use std::fmt::Write as _;

use eyespot_core::{BBox, Detection, Keypoint, MaskView, PredictionsRef};

use crate::canvas::{Canvas, Rgb};
use crate::color::{color_of, text_color};
use crate::text::Letters;

/// What gives an object its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorBy {
    /// Its class.
    #[default]
    Class,
    /// Its track, so that one can be followed by eye; its class where it has none.
    Track,
}

/// How predictions are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawOptions {
    /// One colour for all; `None` for a colour by [`color_by`](Self::color_by).
    pub color: Option<Rgb>,
    /// Width of lines in pixels; `None` for one that suits the size of the image.
    pub thickness: Option<u16>,
    /// Opacity of filled shapes, `0..=1`. 0.5 by default.
    pub opacity: f32,
    /// Write class, score and track above each object. Off by default.
    pub draw_tags: bool,
    /// Fill boxes, not only outline them. On by default. A box with a mask that is drawn is not filled.
    pub fill_rectangles: bool,
    /// Draw masks. On by default.
    pub draw_masks: bool,
    /// Draw keypoints and the lines between them. On by default.
    pub draw_keypoints: bool,
    /// What gives an object its colour.
    pub color_by: ColorBy,
    /// Keypoints with a lower score are left out. 0.3 by default.
    pub keypoint_conf: f32,
}

impl Default for DrawOptions {
    fn default() -> Self {
        Self {
            color: None,
            thickness: None,
            opacity: 0.5,
            draw_tags: false,
            fill_rectangles: true,
            draw_masks: true,
            draw_keypoints: true,
            color_by: ColorBy::Class,
            keypoint_conf: 0.3,
        }
    }
}

impl DrawOptions {
    pub(crate) fn color_for(&self, detection: &Detection) -> Rgb {
        self.color.unwrap_or_else(|| match (self.color_by, detection.track) {
            (ColorBy::Track, Some(track)) => color_of(track.get()),
            _ => color_of(u32::from(detection.class.0)),
        })
    }

    pub(crate) fn line_width(&self, canvas: &Canvas) -> i32 {
        let suited = (i32::from(canvas.width()) + i32::from(canvas.height()) + 350) / 700;
        self.thickness.map_or(suited, i32::from).max(1)
    }
}

/// Draws predictions: first all filled shapes, then lines, then keypoints, then labels, so that none hides another's
/// label. `labels` are the class names, `skeleton` the pairs of keypoints to connect (both in `ModelSpec`).
pub fn draw(
    canvas: &mut Canvas,
    predictions: PredictionsRef<'_>,
    labels: &[impl AsRef<str>],
    skeleton: &[(u8, u8)],
    options: &DrawOptions,
) {
    let thickness = options.line_width(canvas);
    let alpha = (options.opacity.clamp(0.0, 1.0) * 256.0) as u16;
    let detections = predictions.detections();
    for detection in detections {
        let color = options.color_for(detection);
        match (predictions.mask(detection).filter(|_| options.draw_masks), corners(detection)) {
            (Some(mask), _) => fill_mask(canvas, &mask, color, alpha),
            (None, _) if !options.fill_rectangles => {}
            (None, Some(corners)) => canvas.fill_polygon(&corners, color, alpha),
            (None, None) => canvas.fill_rect(pixels(&detection.bbox), color, alpha),
        }
    }
    for detection in detections {
        let color = options.color_for(detection);
        match corners(detection) {
            Some(corners) => {
                for (&from, &to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
                    canvas.line(from, to, thickness as f32, color);
                }
            }
            None => canvas.outline_rect(pixels(&detection.bbox), thickness, color),
        }
    }
    for detection in detections.iter().filter(|_| options.draw_keypoints) {
        let keypoints = predictions.keypoints_of(detection);
        draw_keypoints(canvas, keypoints, skeleton, options, options.color_for(detection), thickness as f32);
    }
    if options.draw_tags {
        let letters = Letters::for_image(canvas.width(), canvas.height());
        let mut tag = String::new();
        for detection in detections {
            write_tag(&mut tag, detection, labels);
            draw_tag(canvas, letters, &tag, &around(detection), thickness, options.color_for(detection));
        }
    }
}

/// The corners of an oriented box in order; `None` for an upright one.
fn corners(detection: &Detection) -> Option<[(f32, f32); 4]> {
    let (sin, cos) = detection.angle?.radians().sin_cos();
    let (cx, cy) = detection.bbox.center();
    let (half_w, half_h) = (detection.bbox.width() / 2.0, detection.bbox.height() / 2.0);
    Some([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(x, y)| {
        let (x, y) = (x * half_w, y * half_h);
        (cx + x * cos - y * sin, cy + x * sin + y * cos)
    }))
}

/// The upright box around a detection.
fn around(detection: &Detection) -> BBox {
    let Some(corners) = corners(detection) else { return detection.bbox };
    corners.iter().fold(
        BBox::new(f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY),
        |around, &(x, y)| BBox::new(around.x1.min(x), around.y1.min(y), around.x2.max(x), around.y2.max(y)),
    )
}

/// A box in whole pixels, bounded so that sums with it do not overflow.
fn pixels(bbox: &BBox) -> [i32; 4] {
    bbox.xyxy().map(|edge| edge.round().clamp(-1e8, 1e8) as i32)
}

fn fill_mask(canvas: &mut Canvas, mask: &MaskView<'_>, color: Rgb, alpha: u16) {
    let row_bytes = usize::from(mask.width()).div_ceil(8);
    let width = i32::from(mask.width());
    for (y, row) in (i32::from(mask.y())..).zip(mask.bits().chunks_exact(row_bytes)) {
        let left = i32::from(mask.x());
        let set = |x: i32| row.get(x as usize / 8).is_some_and(|byte| byte << (x % 8) & 0x80 != 0);
        let mut x = 0;
        while x < width {
            let start = x;
            while x < width && set(x) {
                x += 1;
            }
            if x > start {
                canvas.blend_span(y, left + start, left + x, color, alpha);
            } else {
                x += 1;
            }
        }
    }
}

fn draw_keypoints(
    canvas: &mut Canvas,
    keypoints: &[Keypoint],
    skeleton: &[(u8, u8)],
    options: &DrawOptions,
    color: Rgb,
    thickness: f32,
) {
    let seen = |index: usize| keypoints.get(index).filter(|keypoint| keypoint.score >= options.keypoint_conf);
    for &(from, to) in skeleton {
        if let (Some(from), Some(to)) = (seen(from.into()), seen(to.into())) {
            canvas.line((from.x, from.y), (to.x, to.y), thickness, color);
        }
    }
    for index in 0..keypoints.len() {
        if let Some(keypoint) = seen(index) {
            let at = (keypoint.x, keypoint.y);
            canvas.line(at, at, thickness * 3.0 + 2.0, text_color(color));
            canvas.line(at, at, thickness * 3.0, color);
        }
    }
}

/// `person 0.87 #12`.
fn write_tag(tag: &mut String, detection: &Detection, labels: &[impl AsRef<str>]) {
    tag.clear();
    // Writing into a string does not fail.
    let _ = match labels.get(detection.class.index()) {
        Some(label) => write!(tag, "{} {:.2}", label.as_ref(), detection.score),
        None => write!(tag, "class {} {:.2}", detection.class.0, detection.score),
    };
    if let Some(track) = detection.track {
        let _ = write!(tag, " #{}", track.get());
    }
}

/// A label on a plate of the object's colour: above the box, or within it at the upper edge of the image.
pub(crate) fn draw_tag(
    canvas: &mut Canvas,
    letters: Letters,
    tag: &str,
    bbox: &BBox,
    thickness: i32,
    color: Rgb,
) {
    let [left, top, ..] = pixels(bbox);
    let pad = letters.height() / 8;
    let (width, height) = (letters.width(tag).saturating_add(2 * pad), letters.height());
    let edge = left - thickness / 2;
    let x = edge.min(i32::from(canvas.width()).saturating_sub(width)).max(0);
    let above = top - thickness / 2 - height;
    let y = if above >= 0 { above } else { top.max(0) };
    canvas.fill_rect([x, y, x.saturating_add(width), y.saturating_add(height)], color, 256);
    letters.draw(canvas, tag, x + pad, y, text_color(color));
}
