//! Zones and lines on a picture.

use eyespot_core::BBox;
use eyespot_zones::Point;

use super::Zones;
use crate::canvas::{Canvas, Rgb};
use crate::draw::{DrawOptions, draw_tag};
use crate::text::Letters;

/// No class and no track has it.
const COLOR: Rgb = [255; 3];

impl Zones {
    /// Draws zones and lines with their counts: how many are inside a zone and came in so far, how many crossed a line
    /// to its right and to its left. The short stroke shows the right side of a line.
    pub fn draw(&self, canvas: &mut Canvas, options: &DrawOptions) {
        let thickness = options.line_width(canvas);
        let letters = Letters::for_image(canvas.width(), canvas.height());
        let color = options.color.unwrap_or(COLOR);
        // Weaker than objects: what is in a zone must stay visible.
        let alpha = (options.opacity.clamp(0.0, 1.0) * 64.0) as u16;
        let pair = |point: &Point| (point.x, point.y);
        for zone in self.zones() {
            let corners: Vec<_> = zone.corners().iter().map(pair).collect();
            canvas.fill_polygon(&corners, color, alpha);
            for (&from, &to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
                canvas.line(from, to, thickness as f32, color);
            }
            let text =
                format!("{} {} in, {} came", zone.name(), zone.inside().count(), zone.counts().entered);
            let top = corners.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            draw_tag(canvas, letters, &text, &BBox::new(top.0, top.1, top.0, top.1), thickness, color);
        }
        for line in self.lines() {
            let (start, end) = line.ends();
            canvas.line(pair(&start), pair(&end), thickness as f32, color);
            let (middle, along) =
                (((start.x + end.x) / 2.0, (start.y + end.y) / 2.0), (end.x - start.x, end.y - start.y));
            let stroke = letters.height() as f32 / along.0.hypot(along.1);
            let right = (middle.0 - along.1 * stroke, middle.1 + along.0 * stroke);
            canvas.line(middle, right, thickness as f32, color);
            let counts = line.counts();
            let text = format!("{} {} right, {} left", line.name(), counts.to_right, counts.to_left);
            draw_tag(canvas, letters, &text, &BBox::new(end.x, end.y, end.x, end.y), thickness, color);
        }
    }
}
