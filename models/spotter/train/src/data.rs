//! Rendered streets, cut into squares, with what is to be found in each.

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_core::BBox;
use eyespot_scene::{CameraMotion, Scene, SceneConfig, SceneFormat};

/// Side of the network's input in pixels.
pub(crate) const SIDE: usize = 96;
/// Pixels from one cell to the next.
pub(crate) const STRIDE: usize = 16;
/// Cells per side.
pub(crate) const GRID: usize = SIDE / STRIDE;
/// Person, car, ball.
pub(crate) const CLASSES: usize = eyespot_scene::LABELS.len();

/// Squares from one picture.
const PER_FRAME: usize = 4;
/// An object of which less can be seen is neither to be found nor wrong to be found.
const LEAST_VISIBLE: f32 = 0.35;
/// Nor is one with a smaller box, in pixels.
const LEAST_AREA: f32 = 48.0;

/// An object in a square.
#[derive(Debug, Clone, Copy)]
struct Object {
    class: usize,
    bbox: BBox,
    wanted: bool,
}

pub(crate) struct Crops {
    images: Vec<u8>,
    objects: Vec<Vec<Object>>,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}

impl Crops {
    /// So many squares of scenes whose seeds begin at `seed`.
    pub(crate) fn render(seed: u32, count: usize) -> Self {
        let mut random = Random(seed.into());
        let mut crops = Self { images: Vec::with_capacity(count * SIDE * SIDE), objects: Vec::new() };
        let mut seed = seed;
        while crops.len() < count {
            seed += 1;
            crops.scene(seed, &mut random, count);
        }
        crops
    }

    fn scene(&mut self, seed: u32, random: &mut Random, count: usize) {
        let (width, height) = [(160, 120), (160, 120), (200, 150), (240, 180)][random.below(4)];
        let config = SceneConfig {
            format: SceneFormat::Gray8,
            objects: 4 + random.below(14) as u8,
            seed,
            noise: 6.0 * random.unit(),
            light: 0.3 * random.unit(),
            shadows: random.below(4) > 0,
            camera: CameraMotion {
                shake: 1.0,
                roll: 0.03 * random.unit(),
                zoom: 0.2 * random.unit(),
                pan: 0.0,
            },
            ..SceneConfig::new(width, height)
        };
        let Ok(scene) = Scene::new(config) else { return };
        let mut pixels = vec![0; config.frame_bytes()];
        let frame = random.below(4000) as u64;
        if scene.render(frame, &mut pixels).is_err() {
            return;
        }
        let (width, height) = (usize::from(width), usize::from(height));
        for _ in 0..PER_FRAME.min(count - self.len()) {
            let (left, top) = (random.below(width - SIDE + 1), random.below(height - SIDE + 1));
            // A camera with another exposure.
            let (gain, offset) = (0.6 + 0.6 * random.unit(), 50.0 * random.unit() - 20.0);
            for y in top..top + SIDE {
                let row = &pixels[y * width + left..][..SIDE];
                self.images.extend(
                    row.iter().map(|&level| (f32::from(level) * gain + offset).clamp(0.0, 255.0) as u8),
                );
            }
            let side = SIDE as f32;
            let objects = scene.truth(frame).filter_map(|truth| {
                let BBox { x1, y1, x2, y2 } = truth.bbox;
                let (left, top) = (left as f32, top as f32);
                let bbox = BBox::new(x1 - left, y1 - top, x2 - left, y2 - top).clipped(side, side);
                let inside = bbox.area() / truth.bbox.area().max(1.0);
                bbox.is_valid().then(|| Object {
                    class: truth.class.index(),
                    bbox,
                    wanted: inside * truth.visibility >= LEAST_VISIBLE && bbox.area() >= LEAST_AREA,
                })
            });
            self.objects.push(objects.collect());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Objects that are to be found, in all images.
    pub(crate) fn objects(&self) -> usize {
        self.objects.iter().flatten().filter(|object| object.wanted).count()
    }

    /// The levels of an image, row by row.
    pub(crate) fn image(&self, index: usize) -> &[u8] {
        &self.images[index * SIDE * SIDE..][..SIDE * SIDE]
    }
}

/// Images and what the network is to say of each cell: `[batch, channels, rows, columns]`.
pub(crate) struct Batch {
    /// 0 to 1.
    pub(crate) images: Tensor<4>,
    /// 1 where an object has its centre.
    pub(crate) objectness: Tensor<4>,
    /// 0 where it does not matter.
    pub(crate) weight: Tensor<4>,
    /// Left, top, right, bottom, in pixels.
    pub(crate) boxes: Tensor<4>,
    /// One at the class.
    pub(crate) classes: Tensor<4>,
}

impl Batch {
    pub(crate) fn new(crops: &Crops, indices: impl ExactSizeIterator<Item = usize>, device: &Device) -> Self {
        const CELLS: usize = GRID * GRID;
        let count = indices.len();
        let mut images = Vec::with_capacity(count * SIDE * SIDE);
        let (mut objectness, mut weight) = (vec![0.0f32; count * CELLS], vec![1.0f32; count * CELLS]);
        let (mut boxes, mut classes) =
            (vec![0.0f32; count * 4 * CELLS], vec![0.0f32; count * CLASSES * CELLS]);
        for (at, index) in indices.map(|index| index % crops.len()).enumerate() {
            images.extend(crops.image(index).iter().map(|&level| f32::from(level) / 255.0));
            let mut areas = [0.0; CELLS];
            for object in &crops.objects[index] {
                let (x, y) = object.bbox.center();
                let place = |center: f32| (center as usize / STRIDE).min(GRID - 1);
                let cell = place(y) * GRID + place(x);
                // A cell has one object: the largest.
                if object.bbox.area() <= areas[cell] {
                    continue;
                }
                areas[cell] = object.bbox.area();
                objectness[at * CELLS + cell] = f32::from(u8::from(object.wanted));
                weight[at * CELLS + cell] = f32::from(u8::from(object.wanted));
                for (side, value) in object.bbox.xyxy().into_iter().enumerate() {
                    boxes[(at * 4 + side) * CELLS + cell] = value;
                }
                for class in 0..CLASSES {
                    classes[(at * CLASSES + class) * CELLS + cell] =
                        f32::from(u8::from(class == object.class));
                }
            }
        }
        let tensor = |values: Vec<f32>, channels: usize, side: usize| {
            Tensor::<4>::from_data(TensorData::new(values, [count, channels, side, side]), device)
        };
        Self {
            images: tensor(images, 1, SIDE),
            objectness: tensor(objectness, 1, GRID),
            weight: tensor(weight, 1, GRID),
            boxes: tensor(boxes, 4, GRID),
            classes: tensor(classes, CLASSES, GRID),
        }
    }
}
