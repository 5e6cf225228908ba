//! Polygons against an independent rule, and counters on made-up walks.

#![allow(clippy::unwrap_used)]

use eyespot_core::{BBox, ClassId, Detection, TrackId};
use eyespot_zones::{
    Anchor, Crossing, Direction, Line, LineCounter, Point, Polygon, ZoneConfig, ZoneCounter, ZoneError,
    ZoneEvent,
};
use proptest::prelude::*;

fn object(track: u32, x: f32, y: f32) -> Detection {
    let mut detection = Detection::new(BBox::from_xywh(x - 5.0, y - 20.0, 10.0, 20.0), 0.9, ClassId(0));
    detection.track = TrackId::new(track);
    detection
}

fn square() -> Polygon<4> {
    Polygon::new(&[(100.0, 100.0), (200.0, 100.0), (200.0, 200.0), (100.0, 200.0)]).unwrap()
}

#[test]
fn a_concave_zone() {
    // A letter U.
    let zone = Polygon::<8>::new(&[
        (0.0, 0.0),
        (10.0, 0.0),
        (10.0, 20.0),
        (20.0, 20.0),
        (20.0, 0.0),
        (30.0, 0.0),
        (30.0, 30.0),
        (0.0, 30.0),
    ])
    .unwrap();
    for (x, y, inside) in
        [(5.0, 5.0, true), (15.0, 5.0, false), (15.0, 25.0, true), (25.0, 5.0, true), (-1.0, 5.0, false)]
    {
        assert_eq!(zone.contains(Point::new(x, y)), inside, "{x} {y}");
    }
    assert_eq!(zone.depth(Point::new(15.0, 17.0)), -3.0);
    assert_eq!(zone.depth(Point::new(4.0, 10.0)), 4.0);
    assert_eq!(zone.depth(Point::new(f32::NAN, 10.0)), f32::NEG_INFINITY);
}

#[test]
fn bad_shapes_are_refused() {
    let new = |corners: &[(f32, f32)]| Polygon::<4>::new(corners).unwrap_err();
    assert_eq!(new(&[(0.0, 0.0), (1.0, 1.0)]), ZoneError::TooFewCorners { corners: 2 });
    assert_eq!(new(&[(0.0, 0.0); 5]), ZoneError::TooManyCorners { corners: 5, capacity: 4 });
    assert_eq!(new(&[(0.0, 0.0), (1.0, 1.0), (3.0, 3.0)]), ZoneError::Flat);
    for bad in [f32::NAN, f32::INFINITY, 2e6] {
        assert_eq!(new(&[(0.0, 0.0), (1.0, bad), (3.0, 3.0)]), ZoneError::NotFinite);
        assert_eq!(Line::new((bad, 0.0), (1.0, 1.0)), Err(ZoneError::NotFinite));
    }
    assert_eq!(Line::new((1.0, 1.0), (1.0, 1.0)), Err(ZoneError::Flat));
}

#[test]
fn anchors() {
    let bbox = BBox::new(10.0, 20.0, 30.0, 60.0);
    assert_eq!(Anchor::Bottom.of(&bbox), Point::new(20.0, 60.0));
    assert_eq!(Anchor::Center.of(&bbox), Point::new(20.0, 40.0));
    assert_eq!(Anchor::Top.of(&bbox), Point::new(20.0, 20.0));
}

#[test]
fn a_visit_has_a_dwell_time() {
    let mut zone = ZoneCounter::<4, 4>::new(square(), ZoneConfig::default());
    let mut events = Vec::new();
    for step in 0..30u16 {
        let x = 50.0 + 10.0 * f32::from(step);
        zone.update(u64::from(step) * 1000, &[object(7, x, 150.0)], |event| events.push((step, event)));
        assert_eq!(zone.occupancy(), usize::from((6..16).contains(&step)));
    }
    let track = TrackId::new(7).unwrap();
    // More than 4 pixels inside at x = 110, more than 4 outside at 210.
    assert_eq!(
        events,
        [(6, ZoneEvent::Entered { track }), (16, ZoneEvent::Left { track, dwell_us: 10_000 })]
    );
}

#[test]
fn who_vanishes_inside_has_left() {
    let config = ZoneConfig { patience_us: 5000, ..ZoneConfig::default() };
    let mut zone = ZoneCounter::<4, 4>::new(square(), config);
    let mut events = Vec::new();
    for step in 0..20u64 {
        let seen = [object(7, 150.0, 150.0)];
        // A gap within the patience, then gone for good.
        let seen = if step == 4 || step > 9 { &seen[..0] } else { &seen[..] };
        zone.update(step * 1000, seen, |event| events.push((step, event)));
    }
    let track = TrackId::new(7).unwrap();
    assert_eq!(events, [(0, ZoneEvent::Entered { track }), (15, ZoneEvent::Left { track, dwell_us: 9000 })]);
    assert_eq!(zone.dwell_us(track), None);
}

#[test]
fn more_tracks_than_slots() {
    let mut zone = ZoneCounter::<4, 2>::new(square(), ZoneConfig::default());
    let three = [1, 2, 3].map(|track| object(track, 150.0, 150.0));
    zone.update(0, &three, |_| {});
    assert_eq!((zone.occupancy(), zone.counts().no_room), (2, 1));
    // A track that is still seen keeps its slot; one that is not makes room, and has left.
    let mut left = Vec::new();
    zone.update(1000, &[three[1], three[2]], |event| left.push(event));
    let [first, _, third] = [1, 2, 3].map(|track| TrackId::new(track).unwrap());
    assert_eq!(left, [ZoneEvent::Left { track: first, dwell_us: 0 }, ZoneEvent::Entered { track: third }]);
    let mut untracked = three[0];
    untracked.track = None;
    zone.update(2000, &[untracked], |_| panic!("nothing can be said about it"));
    assert_eq!(zone.counts().untracked, 1);
}

#[test]
fn lines_have_ends_and_directions() {
    // Up the screen: the right side is on the right.
    let line = Line::new((100.0, 200.0), (100.0, 100.0)).unwrap();
    assert!(line.side(Point::new(150.0, 0.0)) > 0.0);
    let walk = |from: (f32, f32), to: (f32, f32)| {
        let mut counter = LineCounter::<4>::new(line, ZoneConfig::default());
        let mut crossings = Vec::new();
        for step in 0..=20u8 {
            let share = f32::from(step) / 20.0;
            let (x, y) = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            counter.update(u64::from(step) * 1000, &[object(9, x, y)], |crossing| crossings.push(crossing));
        }
        assert_eq!((counter.counts().to_right + counter.counts().to_left) as usize, crossings.len());
        crossings
    };
    let track = TrackId::new(9).unwrap();
    assert_eq!(walk((50.0, 150.0), (150.0, 150.0)), [Crossing { track, direction: Direction::ToRight }]);
    assert_eq!(walk((150.0, 110.0), (50.0, 190.0)), [Crossing { track, direction: Direction::ToLeft }]);
    // Past an end; along it; from the line itself.
    assert_eq!(walk((50.0, 250.0), (150.0, 250.0)), []);
    assert_eq!(walk((50.0, 0.0), (50.0, 300.0)), []);
    assert_eq!(walk((100.0, 150.0), (150.0, 150.0)), []);
}

/// Inside by the winding of the corners around the point, for polygons that do not cross themselves.
fn winds(corners: &[(f32, f32)], point: (f32, f32)) -> bool {
    let angle = |(x, y): (f32, f32)| f64::from(y - point.1).atan2(f64::from(x - point.0));
    let mut sum = 0.0;
    for (index, &corner) in corners.iter().enumerate() {
        let mut turn = angle(corners[(index + 1) % corners.len()]) - angle(corner);
        if turn > std::f64::consts::PI {
            turn -= std::f64::consts::TAU;
        } else if turn < -std::f64::consts::PI {
            turn += std::f64::consts::TAU;
        }
        sum += turn;
    }
    sum.abs() > std::f64::consts::PI
}

proptest! {
    /// Star-shaped polygons with radii at random, seen from points at random.
    #[test]
    fn inside_is_what_the_border_winds_around(
        radii in prop::collection::vec(10.0f32..200.0, 3..12),
        points in prop::collection::vec((-250.0f32..250.0, -250.0f32..250.0), 30),
    ) {
        let corners: Vec<(f32, f32)> = radii
            .iter()
            .enumerate()
            .map(|(index, radius)| {
                let angle = index as f32 / radii.len() as f32 * std::f32::consts::TAU;
                (radius * angle.cos(), radius * angle.sin())
            })
            .collect();
        let polygon = Polygon::<12>::new(&corners).unwrap();
        for (x, y) in points {
            let depth = polygon.depth(Point::new(x, y));
            // On the border itself either answer is right.
            if depth.abs() > 1e-3 {
                prop_assert_eq!(depth > 0.0, winds(&corners, (x, y)));
                prop_assert_eq!(polygon.contains(Point::new(x, y)), depth > 0.0);
            }
        }
    }

    /// Boxes that jitter by less than the margin never count twice.
    #[test]
    fn jitter_counts_once(
        start in 60.0f32..90.0,
        noise in prop::collection::vec(-3.9f32..3.9, 120),
    ) {
        let mut zone = ZoneCounter::<4, 2>::new(square(), ZoneConfig::default());
        let mut line = LineCounter::<2>::new(Line::new((100.0, 200.0), (100.0, 100.0)).unwrap(), ZoneConfig::default());
        for (step, noise) in noise.iter().enumerate() {
            // Slowly to the border, a long stop on it, then on.
            let x = match step {
                0..40 => start + (100.0 - start) * step as f32 / 40.0,
                40..80 => 100.0,
                _ => 100.0 + (step - 80) as f32,
            };
            let seen = [object(1, x + noise, 150.0)];
            zone.update(step as u64 * 1000, &seen, |_| {});
            line.update(step as u64 * 1000, &seen, |_| {});
        }
        prop_assert_eq!((zone.counts().entered, zone.counts().left), (1, 0));
        prop_assert_eq!((line.counts().to_right, line.counts().to_left), (1, 0));
    }

    /// Whoever enters leaves or is still inside, whatever the tracks do and however few slots there are.
    #[test]
    fn the_books_balance(
        steps in prop::collection::vec(
            prop::collection::vec((1u32..7, 50.0f32..250.0, 50.0f32..250.0), 0..5), 1..60),
    ) {
        let config = ZoneConfig { patience_us: 3000, ..ZoneConfig::default() };
        let mut zone = ZoneCounter::<4, 3>::new(square(), config);
        let mut inside = std::collections::BTreeSet::new();
        for (step, seen) in steps.iter().enumerate() {
            let seen: Vec<_> = seen.iter().map(|&(track, x, y)| object(track, x, y)).collect();
            zone.update(step as u64 * 1000, &seen, |event| match event {
                ZoneEvent::Entered { track } => assert!(inside.insert(track)),
                ZoneEvent::Left { track, .. } => assert!(inside.remove(&track)),
            });
            prop_assert_eq!(zone.occupancy(), inside.len());
            prop_assert_eq!((zone.counts().entered - zone.counts().left) as usize, inside.len());
        }
    }

    /// On a line across the whole scene, crossings one way less those the other way are the change of side.
    #[test]
    fn crossings_add_up(walk in prop::collection::vec((0.0f32..400.0, 0.0f32..400.0), 2..80)) {
        let line = Line::new((200.0, 1000.0), (200.0, -1000.0)).unwrap();
        let mut counter = LineCounter::<2>::new(line, ZoneConfig::default());
        for (step, &(x, y)) in walk.iter().enumerate() {
            counter.update(step as u64 * 1000, &[object(1, x, y)], |_| {});
        }
        let clear: Vec<bool> = walk.iter().filter(|(x, _)| (x - 200.0).abs() > 4.0).map(|(x, _)| *x > 200.0).collect();
        let change = match (clear.first(), clear.last()) {
            (Some(false), Some(true)) => 1,
            (Some(true), Some(false)) => -1,
            _ => 0,
        };
        prop_assert_eq!(i64::from(counter.counts().to_right) - i64::from(counter.counts().to_left), change);
    }

    #[test]
    fn no_number_does_harm(x: f32, y: f32, x2: f32, y2: f32, time: u64) {
        let mut zone = ZoneCounter::<4, 2>::new(square(), ZoneConfig::default());
        let mut line = LineCounter::<2>::new(Line::new((100.0, 200.0), (100.0, 100.0)).unwrap(), ZoneConfig::default());
        for time in [time, 0, u64::MAX] {
            let mut object = object(1, 0.0, 0.0);
            object.bbox = BBox::new(x, y, x2, y2);
            zone.update(time, &[object], |_| {});
            line.update(time, &[object], |_| {});
        }
    }
}
