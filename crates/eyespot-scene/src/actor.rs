//! Who takes part and where each one is at a moment: a function of the moment alone.

use crate::SceneConfig;
use crate::figure::{Figure, Kind};
use crate::math::{Rng, sin_turns, smooth};

/// Ground lines as fractions of the height.
pub(crate) const WALL: f32 = 0.24;
pub(crate) const GRASS: f32 = 0.40;
pub(crate) const FAR_KERB: f32 = 0.56;
pub(crate) const NEAR_KERB: f32 = 0.86;

const CLOTHES: [[u8; 3]; 8] = [
    [206, 62, 56],
    [58, 98, 176],
    [240, 190, 62],
    [236, 236, 230],
    [120, 62, 140],
    [40, 42, 54],
    [234, 122, 52],
    [38, 132, 122],
];
const TROUSERS: [[u8; 3]; 4] = [[44, 52, 84], [60, 56, 54], [110, 88, 66], [34, 36, 40]];
const PAINT: [[u8; 3]; 6] =
    [[196, 44, 44], [40, 90, 170], [238, 238, 236], [236, 184, 40], [36, 40, 46], [70, 150, 110]];
const BALLS: [[u8; 3]; 4] = [[232, 72, 60], [64, 120, 216], [250, 206, 52], [226, 90, 170]];
const LEAVES: [[u8; 3]; 3] = [[66, 122, 62], [88, 136, 58], [54, 106, 74]];

/// A moving object at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) id: u32,
    pub(crate) figure: Figure,
}

/// The object of a slot at a frame; `None` while it waits outside.
///
/// Each slot runs in laps: on stage, then a pause. Every lap is another object with its own look, lane and speed.
pub(crate) fn actor(config: &SceneConfig, slot: u8, frame: u64) -> Option<Actor> {
    let kind = kind(slot);
    let (width, height) = (f32::from(config.width), f32::from(config.height));
    let (aspect, fps) = (width / height, f32::from(config.fps));
    let mut rng = Rng::new(config.seed, u32::from(slot), 0);
    let round = Round::of(config, kind, slot, aspect, &mut rng);
    let stage_frames = (round.stage_seconds * fps).max(2.0);
    // The length of a lap must not depend on the lap, or finding a lap would need all the earlier ones.
    let lap_frames = (stage_frames * round.stages) as u64;
    let shifted = frame.saturating_add((round.shift * lap_frames as f32) as u64);
    let (lap, into) = (shifted / lap_frames, shifted % lap_frames);
    let time = into as f32 / fps;
    let lap = lap as u32;
    let progress = into as f32 / stage_frames;
    if progress >= 1.0 {
        return None;
    }

    let mut rng = Rng::new(config.seed, u32::from(slot), lap.wrapping_add(1));
    let rightwards = round.rightwards.unwrap_or(rng.bits() & 1 == 0);
    let stops = rng.unit() < 0.3;
    let lane = rng.unit();
    let sway = rng.unit();
    // Slots walk through the tables side by side, so that few objects look alike at the same time.
    let look = config.seed.wrapping_add(u32::from(slot)).wrapping_add(lap.wrapping_mul(3)) as usize;
    let (mut color, mut second) = (CLOTHES[look % CLOTHES.len()], rng.pick(&TROUSERS));
    let (ground, size, lift, phase) = match kind {
        Kind::Person => {
            // The far pavement, the near one or the grass; nearer is larger.
            let (ground, size) = match (lane * 8.0) as u32 {
                0..=3 => (FAR_KERB - 0.09 + 0.07 * sway, 0.22),
                4..=6 => (NEAR_KERB + 0.07 + 0.05 * sway, 0.33),
                _ => (GRASS - 0.06 + 0.04 * sway, 0.18),
            };
            (ground + 0.006 * sin_turns(0.17 * time + sway), size, 0.0, time * 0.95)
        }
        Kind::Car => {
            (color, second) = (PAINT[look % PAINT.len()], color);
            if rightwards { (NEAR_KERB - 0.045, 0.52, 0.0, 0.0) } else { (FAR_KERB + 0.10, 0.44, 0.0, 0.0) }
        }
        _ => {
            (color, second) = (BALLS[look / 5 % BALLS.len()], [250, 248, 240]);
            let hop = sin_turns(0.4 * time + sway).abs();
            (GRASS - 0.045 + 0.03 * sway, 0.095, 0.16 * hop * height, 0.5 * time)
        }
    };
    let size = size * height;
    let along = match kind {
        // Walk to the middle, stand for a while, walk on.
        Kind::Person if stops => 0.5 * (smooth(progress / 0.42) + smooth((progress - 0.56) / 0.44)),
        Kind::Person => progress + 0.015 * sin_turns(2.0 * progress),
        _ => progress,
    };
    // A person who stands holds still; the gait runs along with the way.
    let phase = if kind == Kind::Person { along * (aspect * height / size) * 1.7 } else { phase };
    let reach = width + 1.3 * size;
    let x = -0.65 * size + reach * if rightwards { along } else { 1.0 - along };
    let facing = if rightwards { 1.0 } else { -1.0 };
    let id = lap
        .wrapping_mul(u32::from(config.objects.max(1)))
        .wrapping_add(u32::from(slot))
        .wrapping_add(1)
        .max(1);
    let figure = Figure { kind, foot: (x, ground * height), size, facing, phase, lift, color, second };
    Some(Actor { id, figure })
}

const fn kind(slot: u8) -> Kind {
    match slot % 5 {
        0 | 2 => Kind::Person,
        1 | 4 => Kind::Car,
        _ => Kind::Ball,
    }
}

/// The rhythm of a slot, the same in every lap.
struct Round {
    /// Time on stage.
    stage_seconds: f32,
    /// Length of a lap in times on stage; what is above 1 is the pause.
    stages: f32,
    /// How far into a lap the slot is at frame 0, in laps.
    shift: f32,
    /// Fixed for cars, which keep to their lane.
    rightwards: Option<bool>,
}

impl Round {
    fn of(config: &SceneConfig, kind: Kind, slot: u8, aspect: f32, rng: &mut Rng) -> Self {
        let free = |stage_seconds: f32, rng: &mut Rng| Self {
            stage_seconds: stage_seconds * rng.range(0.85, 1.2),
            stages: rng.range(1.05, 1.2),
            shift: rng.unit(),
            rightwards: None,
        };
        match kind {
            Kind::Person => free(4.5 + 6.0 * aspect, rng),
            Kind::Car => {
                // The cars of a lane are equally fast and evenly spaced: none drives through another.
                let nth = (0..slot).filter(|&other| self::kind(other) == Kind::Car).count();
                let cars = (0..config.objects).filter(|&other| self::kind(other) == Kind::Car).count();
                let (lane, place) = (nth % 2, nth / 2);
                let in_lane = ((cars + 1 - lane) / 2).max(1) as f32;
                let mut rng = Rng::new(config.seed, 0xca0 + lane as u32, 0);
                Self {
                    stage_seconds: (2.6 + 2.2 * aspect) * rng.range(0.85, 1.25),
                    stages: (0.36 * in_lane).max(1.25),
                    shift: (place as f32 + rng.unit()) / in_lane,
                    rightwards: Some(lane == 0),
                }
            }
            _ => free(3.0 + 3.0 * aspect, rng),
        }
    }
}

/// How many things stand around.
pub(crate) const PROPS: u8 = 8;

/// One of the things that never move: trees on the grass, benches and lamps on the far pavement.
pub(crate) fn prop(config: &SceneConfig, index: u8) -> Figure {
    let (width, height) = (f32::from(config.width), f32::from(config.height));
    let mut rng = Rng::new(config.seed ^ 0x9a7e, u32::from(index), 0);
    let place = |count: f32, nth: u8, rng: &mut Rng| (f32::from(nth) + rng.range(0.2, 0.8)) / count * width;
    let (kind, x, ground, size) = match index {
        0..4 => (
            Kind::Tree,
            place(4.0, index, &mut rng),
            rng.range(GRASS - 0.11, GRASS - 0.02),
            rng.range(0.24, 0.33),
        ),
        4..6 => (Kind::Bench, place(2.0, index - 4, &mut rng), GRASS + 0.045, 0.15),
        _ => (Kind::Lamp, place(2.0, index - 6, &mut rng), FAR_KERB - 0.005, 0.46),
    };
    let color = if kind == Kind::Tree { rng.pick(&LEAVES) } else { [150, 104, 66] };
    let facing = if rng.bits() & 1 == 0 { 1.0 } else { -1.0 };
    let foot = (x, ground * height);
    Figure { kind, foot, size: size * height, facing, phase: 0.0, lift: 0.0, color, second: color }
}
