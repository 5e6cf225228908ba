//! Where a part of a frame, or a resized copy of it, lies in the frame.

use crate::{Angle, BBox, Keypoint, Mask, MaskRect};

/// Pixels of a view to pixels of the whole frame: `frame = origin + scale * view`, for each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    origin: [f32; 2],
    scale: [f32; 2],
}

impl Placement {
    pub(crate) const WHOLE: Self = Self { origin: [0.0; 2], scale: [1.0; 2] };

    /// Of a part that starts `x, y` pixels into this one.
    pub(crate) fn offset(self, x: u16, y: u16) -> Self {
        let [x, y] = self.point(f32::from(x), f32::from(y));
        Self { origin: [x, y], ..self }
    }

    /// Of a copy of which a pixel is so many pixels of this one. Factors that are no sizes change nothing.
    pub(crate) fn scaled(self, x: f32, y: f32) -> Self {
        let factor = |value: f32| if value.is_finite() && value > 0.0 { value } else { 1.0 };
        Self { scale: [self.scale[0] * factor(x), self.scale[1] * factor(y)], ..self }
    }

    pub(crate) const fn point(&self, x: f32, y: f32) -> [f32; 2] {
        [self.origin[0] + self.scale[0] * x, self.origin[1] + self.scale[1] * y]
    }

    pub(crate) fn keypoint(&self, keypoint: &Keypoint) -> Keypoint {
        let [x, y] = self.point(keypoint.x, keypoint.y);
        Keypoint { x, y, score: keypoint.score.clamp(0.0, 1.0) }
    }

    /// A box, and its rotation if it has one. A rotated box under a different scale for each axis is no rectangle any
    /// more: it becomes the one along its own first axis with the lengths of both.
    pub(crate) fn bbox(&self, bbox: BBox, angle: Option<Angle>) -> (BBox, Option<Angle>) {
        let [x1, y1] = self.point(bbox.x1, bbox.y1);
        let [x2, y2] = self.point(bbox.x2, bbox.y2);
        let [sx, sy] = self.scale;
        let Some(rotation) = angle.filter(|_| sx != sy) else { return (BBox::new(x1, y1, x2, y2), angle) };
        let (sin, cos) = libm::sincosf(rotation.radians());
        let (cx, cy) = (0.5 * (x1 + x2), 0.5 * (y1 + y2));
        let half_width = 0.5 * bbox.width() * libm::hypotf(sx * cos, sy * sin);
        let half_height = 0.5 * bbox.height() * libm::hypotf(sx * sin, sy * cos);
        let turned = Angle::from_radians(libm::atan2f(sy * sin, sx * cos));
        (BBox::new(cx - half_width, cy - half_height, cx + half_width, cy + half_height), turned)
    }

    /// The rectangle of a mask; `None` where it would leave the range of coordinates.
    pub(crate) fn rect(&self, rect: MaskRect) -> Option<MaskRect> {
        let axis = |start: u16, len: u16, axis: usize| {
            let place = |value: u32| self.origin[axis] + self.scale[axis] * value as f32;
            let first = libm::floorf(place(u32::from(start)));
            let last = libm::ceilf(place(u32::from(start) + u32::from(len)));
            let fits = len > 0 && first >= 0.0 && last <= f32::from(u16::MAX);
            fits.then_some((first as u16, (last - first) as u16))
        };
        let (x, width) = axis(rect.x, rect.width, 0)?;
        let (y, height) = axis(rect.y, rect.height, 1)?;
        Some(MaskRect { x, y, width, height })
    }

    /// Does a pixel of the view take exactly one of the frame?
    pub(crate) fn keeps_size(&self) -> bool {
        self.scale == [1.0; 2]
    }

    /// Writes a mask whose pixels in `rect` of the view are set where `set` says so (column and row from the corner of
    /// `rect`) as it looks in `target` of the frame, the nearest pixel for each. `out` has the bytes of `target`.
    pub(crate) fn mask(
        &self,
        rect: MaskRect,
        mut set: impl FnMut(u16, u16) -> bool,
        target: MaskRect,
        out: &mut [u8],
    ) {
        out.fill(0);
        let source = |pixel: u16, start: u16, axis: usize, from: u16, len: u16| {
            if self.keeps_size() {
                return (pixel < len).then_some(pixel);
            }
            let center = f32::from(start) + f32::from(pixel) + 0.5;
            let at = (center - self.origin[axis]) / self.scale[axis] - f32::from(from);
            (0.0..f32::from(len)).contains(&at).then_some(at as u16)
        };
        let row_bytes = Mask::bytes(target.width, 1).max(1);
        for (row, out) in (0..target.height).zip(out.chunks_exact_mut(row_bytes)) {
            let Some(y) = source(row, target.y, 1, rect.y, rect.height) else { continue };
            for (byte, start) in out.iter_mut().zip((0..target.width).step_by(8)) {
                for bit in 0..(target.width - start).min(8) {
                    let Some(x) = source(start + bit, target.x, 0, rect.x, rect.width) else { continue };
                    *byte |= u8::from(set(x, y)) << (7 - bit);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Angle, BBox, ClassId, Detection, Keypoint, MaskRect, Predictions, PredictionsStorage as _};

    const RECT: MaskRect = MaskRect { x: 2, y: 1, width: 3, height: 2 };
    /// `#.#` over `.##`.
    const BITS: [u8; 2] = [0b1010_0000, 0b0110_0000];

    #[test]
    fn results_of_a_resized_copy_land_in_the_frame() {
        let mut results = Predictions::<2, 64, 2>::new();
        let mut view = results.view_mut();
        // A copy at half the width and a third of the height, and a tile of it.
        let mut copy = view.scaled(2.0, 3.0);
        let mut tile = copy.offset(10, 20);
        let index = tile.push(Detection::new(BBox::new(1.0, 2.0, 3.0, 4.0), 0.5, ClassId(0))).unwrap();
        assert!(tile.set_mask(index, RECT, &BITS));
        assert!(tile.set_keypoints(index, &[Keypoint { x: 1.5, y: 2.0, score: 0.7 }]));
        let results = results.view();
        assert_eq!(results.boxes().next(), Some(BBox::new(22.0, 66.0, 26.0, 72.0)));
        let keypoint = results.keypoints().next().unwrap()[0];
        assert_eq!(keypoint, Keypoint { x: 23.0, y: 66.0, score: 0.7 });
        let mask = results.masks().next().flatten().unwrap();
        assert_eq!((mask.x(), mask.y(), mask.width(), mask.height()), (24, 63, 6, 6));
        assert_eq!(mask.area(), 4 * 2 * 3);
        for (x, y, set) in
            [(24, 63, true), (25, 65, true), (26, 63, false), (28, 63, true), (24, 66, false), (26, 66, true)]
        {
            assert_eq!(mask.contains(x, y), set, "{x}, {y}");
        }
    }

    #[test]
    fn masks_of_an_enlarged_copy_shrink() {
        let mut results = Predictions::<1, 64>::new();
        let mut view = results.view_mut();
        let mut copy = view.scaled(0.5, 0.5);
        copy.push(Detection::new(BBox::new(0.0, 0.0, 16.0, 16.0), 0.5, ClassId(0)));
        let rect = MaskRect { x: 3, y: 4, width: 12, height: 8 };
        assert!(copy.set_mask(0, rect, &[0xff; 16]));
        let mask = results.view().masks().next().flatten().unwrap();
        // Columns 3..15 of the copy cover the pixels 1.5..7.5: those whose centres lie inside are set.
        assert_eq!((mask.x(), mask.y(), mask.width(), mask.height()), (1, 2, 7, 4));
        assert_eq!(mask.area(), 6 * 4);
        assert!(mask.contains(1, 2) && mask.contains(6, 5) && !mask.contains(7, 5));
    }

    #[test]
    fn rotated_boxes_keep_their_axis() {
        let mut results = Predictions::<1>::new();
        let quarter = core::f32::consts::FRAC_PI_2;
        let upright = Detection {
            angle: Angle::from_radians(quarter),
            ..Detection::new(BBox::new(0.0, 0.0, 10.0, 4.0), 0.5, ClassId(0))
        };
        results.view_mut().scaled(2.0, 3.0).push(upright);
        let placed = results.view().detections()[0];
        // Its long side stands upright: 10 pixels times 3, about the centre (5, 2) times (2, 3).
        let expected = BBox::new(10.0 - 15.0, 6.0 - 4.0, 10.0 + 15.0, 6.0 + 4.0);
        for (a, b) in placed.bbox.xyxy().into_iter().zip(expected.xyxy()) {
            assert!((a - b).abs() < 1e-2, "{placed:?}");
        }
        assert!((placed.angle.unwrap().radians() - quarter).abs() < 1e-3);
    }

    #[test]
    fn what_leaves_the_range_of_numbers_is_refused() {
        let mut results = Predictions::<1>::new();
        let mut view = results.view_mut();
        let far = Detection::new(BBox::new(0.0, 0.0, 1e30, 1.0), 0.5, ClassId(0));
        assert_eq!(view.scaled(1e20, 1.0).push(far), None);
        assert_eq!(view.losses().invalid, 1);
        assert_eq!(view.scaled(f32::NAN, -1.0).push(far), Some(0));
    }
}
