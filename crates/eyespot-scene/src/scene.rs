//! The scene: pixels and truth of any frame, in any order.

use eyespot_core::{BBox, ClassId};

use crate::actor::{PROPS, actor, prop};
use crate::backdrop::Backdrop;
use crate::camera::Camera;
use crate::canvas::Canvas;
use crate::figure::{Figure, Kind};
use crate::math::{mix, sin_turns};
use crate::{Affine, SceneConfig, SceneError};

/// Most objects that a scene has.
pub const MAX_OBJECTS: usize = 24;

/// Names of the classes of a [`Truth`].
pub const LABELS: &[&str] = &["person", "car", "ball"];

/// What is really there: one object of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Which object it is over time, never 0. An object that left the frame does not come back under its number.
    pub id: u32,
    /// What it is; [`LABELS`] has the names.
    pub class: ClassId,
    /// The box around the whole object, hidden parts included, cut at the border of the frame. Without its shadow.
    pub bbox: BBox,
    /// How much of the object can be seen: what is neither outside the frame nor behind something nearer, `0..=1`.
    pub visibility: f32,
}

/// A deterministic street scene with known truth. Keeps no state between frames: any frame can be asked for at any
/// time, and equal settings give equal bytes on every target.
#[derive(Debug, Clone)]
pub struct Scene {
    config: SceneConfig,
    backdrop: Backdrop,
}

impl Scene {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// A scene.
    ///
    /// # Errors
    /// [`SceneError::Setting`] where a setting is outside its range.
    pub fn new(config: SceneConfig) -> Result<Self, SceneError> {
        config.check()?;
        Ok(Self { config, backdrop: Backdrop::new(config.seed, f32::from(config.height)) })
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &SceneConfig {
        &self.config
    }

    /// Time of a frame in microseconds.
    #[must_use]
    pub fn timestamp_us(&self, frame: u64) -> u64 {
        frame.saturating_mul(1_000_000) / u64::from(self.config.fps.max(1))
    }

    /// The map from the scene at rest to the pixels of a frame: the true motion of the camera.
    #[must_use]
    pub fn camera(&self, frame: u64) -> Affine {
        self.camera_at(frame).to_frame
    }

    /// Renders a frame into the start of `out`, rows without padding.
    ///
    /// # Errors
    /// [`SceneError::Buffer`] where `out` is shorter than [`SceneConfig::frame_bytes`].
    pub fn render(&self, frame: u64, out: &mut [u8]) -> Result<(), SceneError> {
        let (len, needed) = (out.len(), self.config.frame_bytes());
        let out = out.get_mut(..needed).ok_or(SceneError::Buffer { len, needed })?;
        let camera = self.camera_at(frame);
        let config = &self.config;
        let mut canvas = Canvas::new(out, config.width, config.height, config.format);
        canvas.fill(|x, y| self.backdrop.color(camera.to_scene.apply(x, y)));
        let cast = Cast::new(config, frame);
        if config.shadows {
            for figure in cast.back_to_front() {
                canvas.shadow(figure, &camera);
            }
        }
        for figure in cast.back_to_front() {
            for part in figure.parts().iter() {
                canvas.part(part, &camera);
            }
        }
        let gain = 1.0 + config.light * sin_turns(self.cycle(frame, 20));
        canvas.expose(gain, config.noise, mix(config.seed ^ mix(frame as u32 ^ mix((frame >> 32) as u32))));
        Ok(())
    }

    /// The objects of a frame of which anything lies in the frame.
    pub fn truth(&self, frame: u64) -> impl Iterator<Item = Truth> + '_ {
        let camera = self.camera_at(frame);
        let cast = Cast::new(&self.config, frame);
        (0..self.config.objects).filter_map(move |slot| {
            let actor = actor(&self.config, slot, frame)?;
            let class = match actor.figure.kind {
                Kind::Person => 0,
                Kind::Car => 1,
                _ => 2,
            };
            let whole = actor.figure.parts().bounds(&camera.to_frame, camera.scale);
            let bbox = whole.clipped(f32::from(self.config.width), f32::from(self.config.height));
            bbox.is_valid().then(|| Truth {
                id: actor.id,
                class: ClassId(class),
                bbox,
                visibility: self.visibility(&cast, slot, &camera, whole),
            })
        })
    }

    /// The fraction of an object's points that nothing hides.
    fn visibility(&self, cast: &Cast, slot: u8, camera: &Camera, whole: BBox) -> f32 {
        let Some(own) = cast.position_of(slot) else { return 0.0 };
        let frame = BBox::new(0.0, 0.0, f32::from(self.config.width), f32::from(self.config.height));
        let all = probes(&cast.figures[own], camera, whole);
        let inside = |x: f32, y: f32| (0.0..frame.x2).contains(&x) && (0.0..frame.y2).contains(&y);
        let mut seen = Probes::of(whole, inside).and(&all);
        for nearer in &cast.figures[own + 1..cast.len] {
            if nearer.parts().bounds(&camera.to_frame, camera.scale).intersection(&whole) > 0.0 {
                seen = seen.and_not(&probes(nearer, camera, whole));
            }
        }
        if all.count() > 0 { seen.count() as f32 / all.count() as f32 } else { 0.0 }
    }

    /// Turns into a cycle of so many seconds, `0..1`.
    fn cycle(&self, frame: u64, seconds: u64) -> f32 {
        let frames = seconds * u64::from(self.config.fps.max(1));
        (frame % frames) as f32 / frames as f32
    }

    fn camera_at(&self, frame: u64) -> Camera {
        let size = (f32::from(self.config.width), f32::from(self.config.height));
        Camera::at(&self.config.camera, size, self.cycle(frame, 60))
    }
}

/// Points per axis at which the visibility of an object is tried.
const PROBES: usize = 12;

/// A set of points of a regular grid over a box, a row of bits each.
struct Probes([u16; PROBES]);

impl Probes {
    fn of(bbox: BBox, mut holds: impl FnMut(f32, f32) -> bool) -> Self {
        let place =
            |index: usize, from: f32, to: f32| from + (to - from) * (index as f32 + 0.5) / PROBES as f32;
        Self(core::array::from_fn(|row| {
            let y = place(row, bbox.y1, bbox.y2);
            (0..PROBES)
                .fold(0, |bits, column| bits << 1 | u16::from(holds(place(column, bbox.x1, bbox.x2), y)))
        }))
    }

    fn and(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|row| self.0[row] & other.0[row]))
    }

    fn and_not(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|row| self.0[row] & !other.0[row]))
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|row| row.count_ones()).sum()
    }
}

/// The points of a box that a figure covers.
fn probes(figure: &Figure, camera: &Camera, bbox: BBox) -> Probes {
    let parts = figure.parts();
    Probes::of(bbox, |x, y| parts.covers(camera.to_scene.apply(x, y)))
}

/// Everything that stands in the scene at a moment, from the farthest to the nearest.
struct Cast {
    figures: [Figure; MAX_OBJECTS + PROPS as usize],
    /// The slot of each moving figure; `u8::MAX` for what never moves.
    slots: [u8; MAX_OBJECTS + PROPS as usize],
    len: usize,
}

impl Cast {
    fn new(config: &SceneConfig, frame: u64) -> Self {
        let mut cast = Self {
            figures: [prop(config, 0); MAX_OBJECTS + PROPS as usize],
            slots: [u8::MAX; MAX_OBJECTS + PROPS as usize],
            len: 0,
        };
        for index in 0..PROPS {
            cast.insert(prop(config, index), u8::MAX);
        }
        for slot in 0..config.objects {
            if let Some(actor) = actor(config, slot, frame) {
                cast.insert(actor.figure, slot);
            }
        }
        cast
    }

    /// Puts a figure behind the first one that stands nearer.
    fn insert(&mut self, figure: Figure, slot: u8) {
        if self.len == self.figures.len() {
            return;
        }
        let at = self.figures[..self.len].partition_point(|other| other.foot.1 <= figure.foot.1);
        self.figures.copy_within(at..self.len, at + 1);
        self.slots.copy_within(at..self.len, at + 1);
        self.figures[at] = figure;
        self.slots[at] = slot;
        self.len += 1;
    }

    fn back_to_front(&self) -> impl Iterator<Item = &Figure> {
        self.figures[..self.len].iter()
    }

    fn position_of(&self, slot: u8) -> Option<usize> {
        self.slots[..self.len].iter().position(|&other| other == slot)
    }
}
