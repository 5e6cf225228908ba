//! What must hold for every plan.

use eyespot_core::InputSize;
use eyespot_window::{Tile, Tiles, WindowError};
use proptest::prelude::*;

fn corners(plan: impl Iterator<Item = Tile>) -> Vec<(u16, u16)> {
    plan.map(|tile| (tile.x, tile.y)).collect()
}

#[test]
fn the_last_tiles_move_inward() {
    let plan = Tiles::new(InputSize::new(4, 3)).with_overlap_px(1).plan(InputSize::new(9, 5), None).unwrap();
    assert_eq!(plan.len(), 6);
    assert_eq!(corners(plan), [(0, 0), (3, 0), (5, 0), (0, 2), (3, 2), (5, 2)]);
}

#[test]
fn a_frame_smaller_than_the_window_is_one_tile() {
    let plan = |width, height| Tiles::square(100).plan(InputSize::new(width, height), None).unwrap();
    assert_eq!(plan(64, 48).collect::<Vec<_>>(), [Tile { x: 0, y: 0, width: 64, height: 48 }]);
    let wide: Vec<_> = plan(150, 48).collect();
    assert_eq!(wide[1], Tile { x: 50, y: 0, width: 100, height: 48 });
    assert_eq!(wide.len(), 2);
}

#[test]
fn wrong_sizes_and_overlaps_are_refused() {
    let frame = InputSize::new(64, 48);
    assert_eq!(Tiles::of_model().plan(frame, None), Err(WindowError::NoSize));
    assert_eq!(Tiles::of_model().plan(frame, Some(InputSize::square(32))).unwrap().len(), 4);
    assert_eq!(Tiles::square(0).plan(frame, None), Err(WindowError::Empty));
    assert_eq!(Tiles::square(9).plan(InputSize::new(0, 9), None), Err(WindowError::Empty));
    let error = WindowError::Pixels { overlap: 32, window: 32 };
    assert_eq!(Tiles::new(InputSize::new(40, 32)).with_overlap_px(32).plan(frame, None), Err(error));
    for overlap in [-0.1, 1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(Tiles::square(9).with_overlap(overlap), Err(WindowError::Fraction { .. })));
    }
}

/// The largest frames: starts don't wrap around, the number of tiles fits.
#[test]
fn frames_of_65535_pixels() {
    let frame = InputSize::square(u16::MAX);
    let below_one = 1.0 - f32::EPSILON / 2.0;
    let plan = Tiles::square(u16::MAX - 1).with_overlap(below_one).unwrap().plan(frame, None).unwrap();
    assert_eq!(corners(plan), [(0, 0), (1, 0), (0, 1), (1, 1)]);
    let plan = Tiles::square(40_000).plan(frame, None).unwrap();
    assert_eq!(corners(plan), [(0, 0), (25_535, 0), (0, 25_535), (25_535, 25_535)]);
    assert_eq!(Tiles::square(1).plan(frame, None).unwrap().len(), 65_535 * 65_535);
}

proptest! {
    /// Tiles lie inside, all of one size, start in order, share at least the overlap and leave no gap; the length is
    /// right at every step.
    #[test]
    fn tiles_cover_the_frame(
        (width, height) in (1u16..300, 1u16..300),
        (columns, rows) in (1u16..80, 1u16..80),
        overlap in 0.0f32..1.0,
        pixels: Option<u16>,
    ) {
        let window = InputSize::new(columns, rows);
        let tiles = match pixels {
            Some(pixels) => Tiles::new(window).with_overlap_px(pixels % columns.min(rows)),
            None => Tiles::new(window).with_overlap(overlap).unwrap(),
        };
        let shared = |side: u16| match pixels {
            Some(pixels) => pixels % columns.min(rows),
            None => (f32::from(side) * overlap) as u16,
        };
        let mut plan = tiles.plan(InputSize::new(width, height), None).unwrap();
        let all: Vec<_> = plan.clone().collect();
        for left in (0..=all.len()).rev() {
            prop_assert_eq!(plan.len(), left);
            plan.next();
        }
        let size = (columns.min(width), rows.min(height));
        let mut xs: Vec<_> = all.iter().map(|tile| tile.x).collect();
        let mut ys: Vec<_> = all.iter().map(|tile| tile.y).collect();
        prop_assert!(all.is_sorted_by_key(|tile| (tile.y, tile.x)));
        xs.sort_unstable();
        xs.dedup();
        ys.sort_unstable();
        ys.dedup();
        // Every pair of a column and a row, and nothing twice.
        prop_assert_eq!(all.len(), xs.len() * ys.len());
        prop_assert!(all.iter().all(|tile| (tile.width, tile.height) == size));
        for (starts, side, window, shared) in
            [(&xs, width, size.0, shared(columns)), (&ys, height, size.1, shared(rows))]
        {
            prop_assert_eq!(starts[0], 0);
            prop_assert_eq!(starts[starts.len() - 1] + window, side);
            for pair in starts.windows(2) {
                prop_assert!(pair[1] <= pair[0] + window - shared.min(window - 1));
            }
        }
    }
}
