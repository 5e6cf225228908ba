//! How a tracker learns of the motion of the camera.

use std::path::{Path, PathBuf};

use eyespot_core::{Affine, CameraMotion, NoMotion};
use eyespot_flow::{FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use eyespot_track::KnownMotion;

use crate::heap::on_heap;

/// Working size and corners: what `eyespot-flow` recommends for hosts.
const PIXELS: usize = 640 * 360;
const CORNERS: usize = 960;

/// The last frame that a file of motions may name: five days at 30 frames per second.
const LAST_FRAME: u64 = 12_960_000;

/// How a tracker learns of the motion of the camera.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CameraMotionMethod {
    /// The camera stands still.
    #[default]
    None,
    /// Sparse optical flow.
    SparseOptFlow,
    /// Recognised keypoints (ORB).
    Orb,
    /// Motions that were estimated before: a file with a line `frame a b tx c d ty` for each frame, counted from 0,
    /// which leads there from the frame before. Frames without a line stand still.
    File(PathBuf),
}

impl CameraMotionMethod {
    /// From `none`, `sparseOptFlow`, `orb` or `file:PATH`.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            Some((kind, path)) if kind.eq_ignore_ascii_case("file") && !path.is_empty() => {
                Ok(Self::File(path.into()))
            }
            _ => match name.to_ascii_lowercase().as_str() {
                "none" => Ok(Self::None),
                "sparseoptflow" => Ok(Self::SparseOptFlow),
                "orb" => Ok(Self::Orb),
                _ => Err("there are none, sparseOptFlow, orb and file:PATH".to_owned()),
            },
        }
    }

    /// Builds the estimator.
    pub(crate) fn build(&self) -> Result<Box<dyn CameraMotion + Send>, String> {
        Ok(match self {
            Self::None => Box::new(NoMotion),
            Self::SparseOptFlow => Box::new(SparseFlow::new(on_heap(FlowStorage::<PIXELS, CORNERS>::new))),
            Self::Orb => Box::new(OrbFlow::new(on_heap(OrbStorage::<PIXELS, CORNERS>::new))),
            Self::File(path) => Box::new(KnownMotion::new(read(path)?)),
        })
    }
}

/// Reads a file of motions.
fn read(path: &Path) -> Result<Vec<Affine>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut motions = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |reason: String| format!("{}, line {}: {reason}", path.display(), number + 1);
        let (frame, motion) = Affine::parse_line(line).map_err(|error| wrong(error.to_string()))?;
        if frame > LAST_FRAME {
            return Err(wrong(format!("the last frame may be {LAST_FRAME}, but this is {frame}")));
        }
        let frame = frame as usize;
        if motions.len() <= frame {
            motions.resize(frame + 1, Affine::IDENTITY);
        }
        motions[frame] = motion;
    }
    Ok(motions)
}

#[cfg(test)]
mod tests {
    use eyespot_core::{Frame, ImageView, PixelFormat};

    use super::*;

    #[test]
    fn methods_are_read_by_name() {
        let parse = CameraMotionMethod::parse;
        assert_eq!(parse("SparseOptFlow"), Ok(CameraMotionMethod::SparseOptFlow));
        assert_eq!(parse("file:a:b.txt"), Ok(CameraMotionMethod::File("a:b.txt".into())));
        for wrong in ["", "ecc", "file", "file:", "none:x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn motions_come_from_a_file_and_wrong_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gmc.txt");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("0 1 0 0 0 1 0\n\n2\t1 0 5 0 1 -3\t\n");
        let mut motion = CameraMotionMethod::File(path.clone()).build().unwrap();
        let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8).unwrap();
        let shifts: Vec<_> =
            (0..4).map(|index| motion.estimate(&Frame::new(image, index, 0), &[]).shift).collect();
        assert_eq!(shifts, [[0.0; 2], [0.0; 2], [5.0, -3.0], [0.0; 2]]);
        for (wrong, reason) in
            [("0 1 0 0 0 1 0\n1 2 3\n", "line 2"), ("99999999999 1 0 0 0 1 0", "last frame")]
        {
            write(wrong);
            let error = CameraMotionMethod::File(path.clone()).build().err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
        assert!(CameraMotionMethod::File("no/such/file".into()).build().is_err());
    }
}
