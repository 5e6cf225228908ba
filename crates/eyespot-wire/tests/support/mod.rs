//! Made-up results, the same for the same seed.

#![allow(dead_code, reason = "each test takes what it needs")]

use eyespot_core::{
    Angle, BBox, ClassId, Detection, FrameInfo, Keypoint, Losses, MaskRect, PredictionsBuf, PredictionsRef,
    PredictionsStorage, Record, Sink, SourceId, TrackId,
};
use eyespot_wire::{Hello, WireSink};

pub(crate) const LABELS: [&str; 3] = ["person", "car", "Fußgänger"];
pub(crate) const HELLO: Hello<'static> = Hello::new("gate-3", "made-up", &LABELS);

/// The generator `SplitMix64`.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    /// `0..1`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A frame with up to `most` objects, some of them with masks, keypoints, angles and tracks.
pub(crate) fn results(random: &mut Random, index: u64, most: u64) -> (FrameInfo, PredictionsBuf) {
    let info = FrameInfo {
        index,
        timestamp_us: index * 33_333 + random.below(1000),
        source: SourceId(random.below(3) as u16),
        width: 640,
        height: 480,
    };
    let mut storage = PredictionsBuf::new(most as usize, 1 << 16, 256);
    let mut out = storage.view_mut();
    for _ in 0..random.below(most + 1) {
        let (x, y) = (random.unit() * 600.0, random.unit() * 400.0);
        let bbox = BBox::from_xywh(x, y, 1.0 + random.unit() * 100.0, 1.0 + random.unit() * 100.0);
        let mut detection = Detection::new(bbox, random.unit(), ClassId(random.below(300) as u16));
        if random.below(2) == 0 {
            detection.track = TrackId::new(random.below(100_000) as u32);
        }
        if random.below(4) == 0 {
            detection.angle = Angle::from_radians(random.unit() * 6.0 - 3.0);
        }
        let Some(at) = out.push(detection) else { continue };
        if random.below(4) == 0 {
            let (width, height) = (1 + random.below(40) as u16, 1 + random.below(40) as u16);
            // A disc or noise.
            let noise = random.below(2) == 0;
            let bits: Vec<u8> = (0..usize::from(width).div_ceil(8) * usize::from(height))
                .map(|byte| if noise { random.next() as u8 } else { 0xff << (byte % 5) })
                .collect();
            out.set_mask(at, MaskRect { x: x as u16, y: y as u16, width, height }, &bits);
        }
        if random.below(4) == 0 {
            let points: Vec<_> = (0..random.below(18))
                .map(|_| Keypoint {
                    x: random.unit() * 640.0,
                    y: random.unit() * 480.0,
                    score: random.unit(),
                })
                .collect();
            out.set_keypoints(at, &points);
        }
    }
    if random.below(5) == 0 {
        let mut lost = || random.below(200) as u32;
        out.count_losses(Losses { detections: lost(), masks: lost(), keypoints: lost(), invalid: lost() });
    }
    (info, storage)
}

/// The bytes that a sink writes for the frame.
pub(crate) fn encode(
    sink: &mut WireSink<'_, Vec<u8>>,
    info: &FrameInfo,
    predictions: PredictionsRef<'_>,
) -> Vec<u8> {
    sink.write(&Record { info: *info, name: None, image: None, predictions })
        .expect("a vector takes everything");
    std::mem::take(sink.writer_mut())
}

/// Everything that can be told apart about results; padding bits of masks are not.
pub(crate) type Seen = (FrameInfo, Losses, Vec<(Detection6, Vec<[u32; 3]>, Option<MaskPixels>)>);
type Detection6 = ([u32; 4], u32, u16, Option<u32>, Option<Angle>);
type MaskPixels = (u16, u16, u16, u16, Vec<bool>);

pub(crate) fn seen(info: FrameInfo, predictions: PredictionsRef<'_>) -> Seen {
    let objects = predictions.detections().iter().map(|detection| {
        let plain = (
            detection.bbox.xyxy().map(f32::to_bits),
            detection.score.to_bits(),
            detection.class.0,
            detection.track.map(TrackId::get),
            detection.angle,
        );
        let keypoints = predictions
            .keypoints_of(detection)
            .iter()
            .map(|k| [k.x, k.y, k.score].map(f32::to_bits))
            .collect();
        let mask = predictions.mask(detection).map(|mask| {
            let pixels = (0..mask.height()).flat_map(|y| (0..mask.width()).map(move |x| (x, y)));
            let pixels = pixels.map(|(x, y)| mask.contains(mask.x() + x, mask.y() + y)).collect();
            (mask.x(), mask.y(), mask.width(), mask.height(), pixels)
        });
        (plain, keypoints, mask)
    });
    (info, predictions.losses(), objects.collect())
}
