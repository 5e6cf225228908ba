//! A scene for each option that shows what it does.

use std::f32::consts::PI;

use eyespot_core::{Affine, ClassId};
use eyespot_track::{BotSortConfig, BoxFilter, ClassPolicy, Clock, ConfigError};

use crate::draw::{Story, View};
use crate::scene::{Scene, Seen, person, sized, wobble};

/// The file, how it is shown, and the runs beside one another.
type Picture = (&'static str, View, Vec<Story>);

/// The tracker with each of these options on one scene.
fn compare(
    name: &'static str,
    view: View,
    scene: &Scene,
    configs: &[(&str, BotSortConfig)],
) -> Result<Picture, ConfigError> {
    let run = |(title, config): &(&str, BotSortConfig)| scene.run(title, *config);
    Ok((name, view, configs.iter().map(run).collect::<Result<_, _>>()?))
}

/// All pictures.
pub(crate) fn all() -> Result<Vec<Picture>, ConfigError> {
    let mut pictures = vec![overview()?, ("frame", View::Boxes(0), frame().steps(base())?.into())];
    pictures.extend(scores()?);
    pictures.extend(matching()?);
    pictures.extend(appearance()?);
    pictures.extend(memory()?);
    pictures.extend(filter()?);
    pictures.extend(reports()?);
    Ok(pictures)
}

fn base() -> BotSortConfig {
    BotSortConfig::default()
}

fn walk(frame: usize) -> f32 {
    20.0 + 2.0 * frame as f32
}

/// A busy street: people who pass, one who is hidden half-way, a newcomer, and a false alarm.
fn overview() -> Result<Picture, ConfigError> {
    let scene = Scene::new(70, |t| {
        let time = t as f32;
        let mut seen = vec![person(20.0 + 3.0 * time, 0.92), person(210.0 - 1.5 * time + wobble(t), 0.85)];
        // Behind the first two from time to time.
        let hidden = (28..38).contains(&t);
        if !hidden {
            let score = if (22..44).contains(&t) { 0.35 } else { 0.8 };
            seen.push(sized(120.0 + 0.2 * time, 24.0, 62.0, score));
        }
        if t > 40 {
            seen.push(sized(40.0 + 2.0 * wobble(t), 20.0, 46.0, 0.75));
        }
        if t == 12 {
            seen.push(person(250.0, 0.7));
        }
        seen
    });
    compare("overview", View::Time, &scene, &[("BoT-SORT", base())])
}

/// A street with somebody in full view, one who is half hidden, one who is gone, and a newcomer.
fn frame() -> Scene {
    Scene::new(12, |t| {
        let time = t as f32;
        let mut seen = vec![person(20.0 + 2.0 * time, 0.9)];
        seen.push(sized(80.0, 24.0, 62.0, if t < 10 { 0.8 } else { 0.3 }));
        if t < 10 {
            seen.push(sized(90.0 + 3.0 * time, 20.0, 54.0, 0.85));
        } else {
            seen.push(sized(168.0 - 2.0 * (time - 10.0), 22.0, 58.0, 0.8));
        }
        seen
    })
}

fn scores() -> Result<Vec<Picture>, ConfigError> {
    let faint = Scene::new(40, |t| vec![person(walk(t), 0.9), person(140.0 - t as f32, 0.5)]);
    let dips = Scene::new(40, |t| vec![person(walk(t), if (12..28).contains(&t) { 0.25 } else { 0.9 })]);
    let clutter = Scene::new(40, |t| {
        let mut seen = vec![person(walk(t), 0.9)];
        if (10..22).contains(&t) {
            seen.push(person(130.0 + wobble(t), 0.62));
        }
        seen
    });
    // A weak box where the person is expected, and the right one a little aside.
    let ghost = Scene::new(40, |t| {
        let x = 20.0 + 3.0 * t as f32;
        let mut seen = vec![sized(if t < 14 { x } else { x + 6.0 }, 40.0, 80.0, 0.95)];
        if t >= 14 {
            seen.push(sized(x - 1.0, 40.0, 80.0, 0.62));
        }
        seen
    });
    let low = BotSortConfig { new_track_thresh: 0.45, ..base() };
    let fused = BotSortConfig { new_track_iou: 0.3, ..base() };
    Ok(vec![
        compare(
            "track_high_thresh",
            View::Time,
            &faint,
            &[
                ("track_high_thresh = 0.6", low),
                ("track_high_thresh = 0.4", BotSortConfig { track_high_thresh: 0.4, ..low }),
            ],
        )?,
        compare(
            "track_low_thresh",
            View::Time,
            &dips,
            &[
                ("track_low_thresh = 0.1", base()),
                ("track_low_thresh = 0.3", BotSortConfig { track_low_thresh: 0.3, ..base() }),
            ],
        )?,
        compare(
            "new_track_thresh",
            View::Time,
            &clutter,
            &[
                ("new_track_thresh = 0.65", base()),
                ("new_track_thresh = 0.6", BotSortConfig { new_track_thresh: 0.6, ..base() }),
            ],
        )?,
        compare(
            "fuse_score",
            View::Time,
            &ghost,
            &[
                ("fuse_score = true", fused),
                ("fuse_score = false", BotSortConfig { fuse_score: false, ..fused }),
            ],
        )?,
    ])
}

/// Two people of these heights and scores who meet and turn back.
fn turn_back(heights: [f32; 2], scores: [f32; 2], distance: f32) -> Scene {
    Scene::new(40, |t| {
        let away = distance + 3.0 * (t as f32 - 20.0).abs();
        vec![
            sized(100.0 - away, 24.0, heights[0], scores[0]),
            sized(100.0 + away, 24.0, heights[1], scores[1]),
        ]
    })
}

fn matching() -> Result<Vec<Picture>, ConfigError> {
    let jump = Scene::new(40, |t| vec![person(walk(t) + if t < 18 { 0.0 } else { 13.0 }, 0.9)]);
    let shaky = Scene::new(40, |t| {
        let hidden = (12..28).contains(&t);
        vec![person(walk(t) + if hidden { 5.0 * wobble(t) } else { 0.0 }, if hidden { 0.3 } else { 0.9 })]
    });
    let fast = Scene::new(24, |t| {
        let mut seen = vec![person(250.0, 0.9)];
        if t >= 4 {
            seen.push(person(9.0 * t as f32, 0.9));
        }
        seen
    });
    let covered = Scene::new(36, |t| match t {
        14 | 15 => vec![],
        16..26 => vec![person(walk(t), 0.35)],
        _ => vec![person(walk(t), 0.9)],
    });
    let behind =
        Scene::new(36, |t| if (14..24).contains(&t) { vec![] } else { vec![person(4.0 * t as f32, 0.9)] });
    let twice = Scene::new(36, |t| {
        let mut seen = vec![person(walk(t), 0.9)];
        if t >= 10 {
            seen.push(person(walk(t) + 5.0, 0.75));
        }
        seen
    });
    let classes = Scene::new(36, |t| {
        let (mut detection, look) = person(walk(t), 0.9);
        detection.class = ClassId(u16::from((12..24).contains(&t)));
        vec![(detection, look)]
    });
    let tiny = Scene::new(30, |t| vec![sized(4.0 * t as f32, 4.0, 7.0, 0.9)]);
    let small = BotSortConfig { match_thresh: 0.95, unconfirmed_match_thresh: 0.95, ..base() };
    Ok(vec![
        compare(
            "match_thresh",
            View::Time,
            &jump,
            &[
                ("match_thresh = 0.9", base()),
                ("match_thresh = 0.6", BotSortConfig { match_thresh: 0.6, ..base() }),
            ],
        )?,
        compare(
            "second_match_thresh",
            View::Time,
            &shaky,
            &[
                ("second_match_thresh = 0.5", base()),
                ("second_match_thresh = 0.15", BotSortConfig { second_match_thresh: 0.15, ..base() }),
            ],
        )?,
        compare(
            "unconfirmed_match_thresh",
            View::Time,
            &fast,
            &[
                ("unconfirmed_match_thresh = 0.7", base()),
                ("unconfirmed_match_thresh = 0.5", BotSortConfig { unconfirmed_match_thresh: 0.5, ..base() }),
            ],
        )?,
        compare(
            "height_iou",
            View::Time,
            &turn_back([62.0, 80.0], [0.9; 2], 1.0),
            &[
                ("height_iou = true", base()),
                ("height_iou = false", BotSortConfig { height_iou: false, ..base() }),
            ],
        )?,
        compare(
            "score_change_weight",
            View::Time,
            &turn_back([60.0; 2], [0.95, 0.65], 2.0),
            &[
                ("score_change_weight = 0.6", BotSortConfig { score_change_weight: 0.6, ..base() }),
                ("score_change_weight = 0", BotSortConfig { score_change_weight: 0.0, ..base() }),
            ],
        )?,
        compare(
            "match_last_seen",
            View::Time,
            &behind,
            &[
                ("match_last_seen = false", base()),
                ("match_last_seen = true", BotSortConfig { match_last_seen: true, ..base() }),
            ],
        )?,
        compare(
            "second_match_lost",
            View::Time,
            &covered,
            &[
                ("second_match_lost = 3", BotSortConfig { second_match_lost: 3, ..base() }),
                ("second_match_lost = 0", BotSortConfig { second_match_lost: 0, ..base() }),
            ],
        )?,
        compare(
            "new_track_iou",
            View::Time,
            &twice,
            &[
                ("new_track_iou = 0.5", base()),
                ("new_track_iou = 1", BotSortConfig { new_track_iou: 1.0, ..base() }),
            ],
        )?,
        compare(
            "class_policy",
            View::Time,
            &classes,
            &[
                ("class_policy = Vote", base()),
                ("class_policy = Gated", BotSortConfig { class_policy: ClassPolicy::Gated, ..base() }),
                ("class_policy = Isolated", BotSortConfig { class_policy: ClassPolicy::Isolated, ..base() }),
            ],
        )?,
        compare(
            "inclusive_pixels",
            View::Time,
            &tiny,
            &[
                ("inclusive_pixels = false", small),
                ("inclusive_pixels = true", BotSortConfig { inclusive_pixels: true, ..small }),
            ],
        )?,
    ])
}

/// Two people so far apart who change places while nobody looks; the cosine of two views of one is `same`.
fn swap(distance: f32, same: f32) -> Scene {
    let looks = |t: usize| {
        let (own, new) = if t < 20 { (1.0, 0.0) } else { (same, (1.0 - same * same).sqrt()) };
        [[own, 0.0, new, 0.0], [0.0, own, 0.0, new]]
    };
    Scene::new(40, |t| {
        if (16..20).contains(&t) {
            return vec![];
        }
        let side = if t < 16 { 1.0 } else { -1.0 } * distance / 2.0;
        let [a, b] = looks(t);
        let at = |x: f32, look| -> Seen { (person(x, 0.75).0, Some(look)) };
        vec![at(100.0 - side + 0.2 * wobble(t), a), at(100.0 + side + 0.2 * wobble(t + 50), b)]
    })
}

fn appearance() -> Result<Vec<Picture>, ConfigError> {
    Ok(vec![
        compare(
            "with_reid",
            View::Time,
            &swap(6.0, 0.98),
            &[
                ("with_reid = true", base()),
                ("with_reid = false", BotSortConfig { with_reid: false, ..base() }),
            ],
        )?,
        compare(
            "proximity_thresh",
            View::Time,
            &swap(12.0, 0.98),
            &[
                ("proximity_thresh = 0.9", BotSortConfig { proximity_thresh: 0.9, ..base() }),
                ("proximity_thresh = 0.5", base()),
            ],
        )?,
        compare(
            "appearance_thresh",
            View::Time,
            &swap(6.0, 0.6),
            &[
                ("appearance_thresh = 0.25", base()),
                ("appearance_thresh = 0.1", BotSortConfig { appearance_thresh: 0.1, ..base() }),
            ],
        )?,
    ])
}

fn memory() -> Result<Vec<Picture>, ConfigError> {
    let hides = Scene::new(50, |t| if (14..34).contains(&t) { vec![] } else { vec![person(walk(t), 0.9)] });
    // From frame 12 on the camera only delivers every sixth picture, and numbers them as if it was every one.
    let mut dropped = Scene::default();
    for place in 0..22 {
        let time = if place < 12 { place } else { 12 + 6 * (place - 12) };
        dropped.times.push(time);
        dropped.frames.push(vec![person(20.0 + 3.0 * time as f32, 0.9), person(190.0 - time as f32, 0.9)]);
    }
    // A jump breaks the track; then the person slows down, and the old track catches up.
    let meets = Scene::new(56, |t| {
        let after = t.saturating_sub(16) as f32;
        vec![person(if t < 16 { walk(t) } else { walk(16) + 14.0 + 0.8 * after }, 0.9)]
    });
    Ok(vec![
        compare(
            "track_buffer",
            View::Time,
            &hides,
            &[
                ("track_buffer = 30", base()),
                ("track_buffer = 10", BotSortConfig { track_buffer: 10, ..base() }),
            ],
        )?,
        compare(
            "fps",
            View::Time,
            &hides,
            &[("fps = 30", base()), ("fps = 15", BotSortConfig { fps: 15.0, ..base() })],
        )?,
        compare(
            "clock",
            View::Time,
            &dropped,
            &[
                ("clock = Timestamp", BotSortConfig { clock: Clock::Timestamp, ..base() }),
                ("clock = Index", base()),
            ],
        )?,
        compare(
            "duplicate_iou",
            View::Time,
            &meets,
            &[
                ("duplicate_iou = 0.85", BotSortConfig { match_thresh: 0.6, ..base() }),
                ("duplicate_iou = 1", BotSortConfig { duplicate_iou: 1.0, match_thresh: 0.6, ..base() }),
            ],
        )?,
    ])
}

fn filter() -> Result<Vec<Picture>, ConfigError> {
    let turns = Scene::new(40, |t| {
        let x = if t < 16 { 3.0 * t as f32 } else { 48.0 - 3.0 * (t as f32 - 16.0) };
        if t < 22 { vec![person(60.0 + x, 0.9)] } else { vec![] }
    });
    // A person whose legs vanish behind a wall, and then the rest.
    let sinks = Scene::new(22, |t| {
        let height = 80.0 - 5.0 * (t as f32 - 8.0).max(0.0);
        let (mut detection, look) = sized(60.0 + 3.0 * t as f32, 30.0, 80.0, 0.9);
        detection.bbox.y2 = detection.bbox.y1 + height;
        let ground = sized(190.0, 30.0, 80.0, 0.9);
        if t < 16 { vec![(detection, look), ground] } else { vec![ground] }
    });
    // The camera turns by 70 degrees while the person is hidden.
    let step = 70.0 * PI / 180.0 / 14.0;
    let turned = Scene {
        motions: (0..20)
            .map(|t| {
                let angle: f32 = if t < 6 { 0.0 } else { step };
                let (sin, cos) = angle.sin_cos();
                Affine::from_rows(
                    [cos, -sin, 100.0 - 100.0 * cos + 75.0 * sin],
                    [sin, cos, 75.0 - 100.0 * sin - 75.0 * cos],
                )
            })
            .collect(),
        ..Scene::new(20, |t| if t < 6 { vec![person(100.0, 0.9)] } else { vec![] })
    };
    let pan = |known: bool| {
        let shift = |t: usize| if (10..24).contains(&t) { 16.0 } else { 0.0 };
        let offset = |t: usize| (0..=t).map(shift).sum::<f32>();
        let scene =
            Scene::new(36, |t| [0.0, 60.0].map(|x| person(x + 0.5 * t as f32 + offset(t), 0.9)).to_vec());
        let motions = (0..36).map(|t| Affine::from_rows([1.0, 0.0, shift(t)], [0.0, 1.0, 0.0]));
        Scene { motions: if known { motions.collect() } else { Vec::new() }, ..scene }
    };
    let followed =
        [pan(true).run("camera motion followed", base())?, pan(false).run("cmc_method = none", base())?];
    Ok(vec![
        compare(
            "std_weight_position",
            View::Time,
            &turns,
            &[
                ("std_weight_position = 1/20", base()),
                ("std_weight_position = 1/200", BotSortConfig { std_weight_position: 1.0 / 200.0, ..base() }),
            ],
        )?,
        compare(
            "std_weight_velocity",
            View::Time,
            &turns,
            &[
                ("std_weight_velocity = 1/250", base()),
                ("std_weight_velocity = 1/20", BotSortConfig { std_weight_velocity: 1.0 / 20.0, ..base() }),
            ],
        )?,
        compare(
            "box_filter",
            View::Boxes(18),
            &sinks,
            &[
                ("box_filter = Sides", base()),
                ("box_filter = Aspect", BotSortConfig { box_filter: BoxFilter::Aspect, ..base() }),
            ],
        )?,
        compare(
            "original_oddities",
            View::Boxes(19),
            &turned,
            &[
                ("original_oddities = false", base()),
                ("original_oddities = true", BotSortConfig { original_oddities: true, ..base() }),
            ],
        )?,
        ("cmc_method", View::Time, followed.into()),
    ])
}

fn reports() -> Result<Vec<Picture>, ConfigError> {
    let flash = Scene::new(20, |t| {
        let mut seen = vec![person(walk(t), 0.9)];
        if t >= 6 {
            seen.push(person(160.0 - 2.0 * t as f32, 0.9));
        }
        if t == 12 {
            seen.push(person(170.0, 0.8));
        }
        seen
    });
    let sizes = Scene::new(3, |_| {
        vec![sized(30.0, 8.0, 18.0, 0.9), sized(70.0, 26.0, 70.0, 0.9), sized(150.0, 90.0, 45.0, 0.9)]
    });
    Ok(vec![
        compare(
            "report_unconfirmed",
            View::Time,
            &flash,
            &[
                ("report_unconfirmed = false", base()),
                ("report_unconfirmed = true", BotSortConfig { report_unconfirmed: true, ..base() }),
            ],
        )?,
        compare(
            "min_box_area",
            View::Boxes(2),
            &sizes,
            &[
                ("min_box_area = 0", base()),
                ("min_box_area = 400", BotSortConfig { min_box_area: 400.0, ..base() }),
            ],
        )?,
        compare(
            "aspect_ratio_thresh",
            View::Boxes(2),
            &sizes,
            &[
                ("aspect_ratio_thresh = inf", base()),
                ("aspect_ratio_thresh = 1.6", BotSortConfig { aspect_ratio_thresh: 1.6, ..base() }),
            ],
        )?,
    ])
}
