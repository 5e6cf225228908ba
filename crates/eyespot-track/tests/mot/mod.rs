//! Reads MOT-format text and compares results.
#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use eyespot_core::{Affine, BBox, ClassId, Detection, FrameInfo};

/// The folder of tracking data, or `None` with a loud note.
pub(crate) fn data() -> Option<PathBuf> {
    let root = std::env::var_os("EYESPOT_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let mot = root.join("mot");
    if !mot.is_dir() {
        eprintln!("IGNORED: no test data at {}", mot.display());
        return None;
    }
    Some(mot)
}

/// A tracked box in one frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: u32,
    /// Left, top, width, height.
    pub(crate) tlwh: [f32; 4],
}

impl Row {
    pub(crate) fn new(id: u32, bbox: &BBox) -> Self {
        Self { id, tlwh: [bbox.x1, bbox.y1, bbox.width(), bbox.height()] }
    }

    /// The filter of the reference's writer for pedestrians.
    pub(crate) fn is_written(&self) -> bool {
        let [_, _, width, height] = self.tlwh;
        width * height > 10.0 && width / height <= 1.6
    }
}

/// Results by frame number, from 1.
pub(crate) type Rows = BTreeMap<u32, Vec<Row>>;

fn numbers(line: &str) -> Vec<f32> {
    line.split(',').filter_map(|field| field.trim().parse().ok()).collect()
}

/// Result file of a tracker.
pub(crate) fn read_rows(path: &Path) -> Rows {
    let mut rows = Rows::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let n = numbers(line);
        let row = Row { id: n[1] as u32, tlwh: [n[2], n[3], n[4], n[5]] };
        rows.entry(n[0] as u32).or_default().push(row);
    }
    rows
}

/// A sequence of the data set: detections and camera motion of each frame.
pub(crate) struct Sequence {
    pub(crate) frames: Vec<Vec<Detection>>,
    pub(crate) motions: Vec<Affine>,
    /// Frames per second.
    pub(crate) fps: f32,
}

impl Sequence {
    pub(crate) fn read(folder: &Path) -> Self {
        let info = fs::read_to_string(folder.join("seqinfo.ini")).unwrap_or_default();
        let number = |key| info.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<f32>().ok());
        let mut frames = vec![Vec::new(); number("seqLength=").unwrap_or(0.0) as usize];
        let fps = number("frameRate=").unwrap_or(30.0);
        for line in fs::read_to_string(folder.join("det/det.txt")).unwrap().lines() {
            let n = numbers(line);
            let frame = n[0] as usize;
            if frames.len() < frame {
                frames.resize(frame, Vec::new());
            }
            let bbox = BBox::from_xywh(n[2], n[3], n[4], n[5]);
            frames[frame - 1].push(Detection::new(bbox, n[6].clamp(0.0, 1.0), ClassId(0)));
        }
        let mut motions = vec![Affine::IDENTITY; frames.len()];
        if let Ok(text) = fs::read_to_string(folder.join("gmc/gmc.txt")) {
            for line in text.lines() {
                let (index, motion) = Affine::parse_line(line).unwrap();
                if let Some(slot) = motions.get_mut(index as usize) {
                    *slot = motion;
                }
            }
        }
        Self { frames, motions, fps }
    }

    pub(crate) fn info(index: usize) -> FrameInfo {
        FrameInfo { index: index as u64, ..FrameInfo::default() }
    }
}

/// The share of rows that agree: same frame, box within `tolerance` pixels, ids equal under a one-to-one mapping.
/// The mapping takes the most frequent pairs first.
pub(crate) fn agreement(ours: &Rows, theirs: &Rows, tolerance: f32) -> f64 {
    let mut pairs: HashMap<(u32, u32), usize> = HashMap::new();
    for (frame, rows) in theirs {
        for their in rows {
            for our in ours.get(frame).into_iter().flatten() {
                if our.tlwh.iter().zip(&their.tlwh).all(|(a, b)| (a - b).abs() <= tolerance) {
                    *pairs.entry((our.id, their.id)).or_default() += 1;
                }
            }
        }
    }
    let mut ranked: Vec<_> = pairs.into_iter().collect();
    ranked.sort_by_key(|&(ids, count)| (std::cmp::Reverse(count), ids));
    let (mut left, mut right) = (HashSet::new(), HashSet::new());
    let mut agreeing = 0;
    for ((our, their), count) in ranked {
        if !left.contains(&our) && !right.contains(&their) {
            left.insert(our);
            right.insert(their);
            agreeing += count;
        }
    }
    let total = |rows: &Rows| rows.values().map(Vec::len).sum::<usize>();
    agreeing as f64 / total(ours).max(total(theirs)).max(1) as f64
}
