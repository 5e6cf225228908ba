//! Detection quality on the synthetic scene.
#![allow(clippy::unwrap_used)]

use eyespot_core::{BBox, FrameSource, PredictOptions, Predictions, PredictionsStorage, Predictor};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};
use eyespot_scene::{Scene, SceneConfig, SceneSource, Truth};

/// Found, missed and invented objects over a scene.
#[derive(Debug, Default)]
struct Tally {
    found: u32,
    missed: u32,
    invented: u32,
}

impl Tally {
    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from((self.found + self.missed).max(1))
    }
    fn precision(&self) -> f64 {
        f64::from(self.found) / f64::from((self.found + self.invented).max(1))
    }
}

/// Motion cannot tell apart objects that touch in the image: those count as one, with the box around all of them.
fn groups(truths: &[Truth]) -> Vec<(BBox, f32)> {
    let mut groups: Vec<(BBox, f32)> = truths.iter().map(|t| (t.bbox, t.visibility)).collect();
    let mut at = 0;
    while at < groups.len() {
        let grown = |b: BBox| BBox::new(b.x1 - 8.0, b.y1 - 8.0, b.x2 + 8.0, b.y2 + 8.0);
        let touching =
            (0..groups.len()).find(|&o| o != at && grown(groups[at].0).intersection(&groups[o].0) > 0.0);
        match touching {
            Some(other) => {
                let (bbox, visibility) = groups.remove(at.max(other));
                let kept = &mut groups[at.min(other)];
                *kept = (kept.0.union_box(&bbox), kept.1.max(visibility));
                at = 0;
            }
            None => at += 1,
        }
    }
    groups
}

fn run(config: SceneConfig, frames: u64) -> Tally {
    let scene = Scene::new(config).unwrap();
    let bytes = config.frame_bytes();
    let mut source = SceneSource::new(scene, vec![0; bytes]).with_frames(frames);
    let mut motion =
        MotionPredictor::new(MotionConfig::default(), Box::new(MotionStorage::<160, 120>::new())).unwrap();
    let mut results = Predictions::<64>::new();
    let mut tally = Tally::default();
    while let Some(frame) = source.next_frame().unwrap() {
        results.view_mut().clear();
        motion.predict(&frame, &PredictOptions::new(), results.view_mut()).unwrap();
        let index = frame.info.index;
        // What stands in the first frame is background until it has moved away.
        if index < 90 {
            continue;
        }
        let truths: Vec<Truth> = source.scene().truth(index).collect();
        let groups = groups(&truths);
        let mut boxes: Vec<BBox> = results.view().boxes().collect();
        let least = f32::from(config.width) * f32::from(config.height) * 0.002;
        for (bbox, visibility) in groups {
            let best = (0..boxes.len()).max_by(|&a, &b| boxes[a].iou(&bbox).total_cmp(&boxes[b].iou(&bbox)));
            match best.filter(|&best| boxes[best].iou(&bbox) >= 0.5) {
                Some(best) => {
                    boxes.remove(best);
                    tally.found += 1;
                }
                // What can hardly be seen may be missed.
                None if visibility < 0.5 || bbox.area() < least => {
                    boxes.retain(|found| found.intersection(&bbox) == 0.0);
                }
                None => {
                    tally.missed += 1;
                }
            }
        }
        tally.invented += boxes.len() as u32;
    }
    tally
}

#[test]
fn what_moves_is_found_and_little_else() {
    let mut sum = Tally::default();
    for seed in 1..=3 {
        let tally = run(SceneConfig { seed, ..SceneConfig::new(320, 180) }, 300);
        println!("seed {seed}: recall {:.3} precision {:.3} {tally:?}", tally.recall(), tally.precision());
        sum.found += tally.found;
        sum.missed += tally.missed;
        sum.invented += tally.invented;
    }
    println!("recall {:.3} precision {:.3}", sum.recall(), sum.precision());
    assert!(sum.recall() > 0.9, "{sum:?}");
    assert!(sum.precision() > 0.9, "{sum:?}");
}
