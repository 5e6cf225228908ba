//! Tests on real and synthetic files. ffmpeg is the reference, in tests only.

mod drawing;
mod images;
mod inputs;
#[cfg(feature = "mqtt")]
mod mqtt;
mod output;
mod rtsp;
mod sinks;
mod video;
#[cfg(unix)]
mod window;
mod zones;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eyespot_core::{Angle, BBox, ClassId, Detection, TrackId};

/// A file of the test data; `None`, said loudly, where it is not there.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("EYESPOT_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// A detection with a track (0 for none) and an angle.
pub(crate) fn detection(bbox: BBox, score: f32, class: u16, track: u32, angle: Option<f32>) -> Detection {
    let mut detection = Detection::new(bbox, score, ClassId(class));
    detection.track = TrackId::new(track);
    detection.angle = angle.and_then(Angle::from_radians);
    detection
}

/// Is ffmpeg there? Says loudly where it is not.
pub(crate) fn has_ffmpeg() -> bool {
    let found = ["ffmpeg", "ffprobe"].iter().all(|tool| {
        Command::new(tool)
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if !found {
        eprintln!("IGNORED: no ffmpeg and ffprobe");
    }
    found
}

/// Runs a tool and gives what it prints; panics with its messages where it fails.
pub(crate) fn output(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A video that ffmpeg makes from its test pattern.
pub(crate) fn make_video(path: &Path, arguments: &[&str]) {
    let mut all = vec!["-v", "error", "-y", "-f", "lavfi", "-i"];
    all.extend_from_slice(arguments);
    let path = path.to_str().unwrap();
    all.push(path);
    output("ffmpeg", &all);
}

/// The index of a small MP4 with and without fragments, byte by byte: a movie box with two samples, then a fragment
/// of two more.
pub(crate) fn tiny_mp4() -> Vec<u8> {
    fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = ((len + 8) as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(name);
        bytes.extend(parts.iter().flat_map(|part| part.iter()));
        bytes
    }
    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
    let avcc = boxed(b"avcC", &[&[1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 66, 1, 0, 2, 0x68, 1]]);
    let entry = boxed(b"avc1", &[&[0; 78], &avcc]);
    let stbl = boxed(
        b"stbl",
        &[
            &boxed(b"stsd", &[&words(&[0, 1]), &entry]),
            &boxed(b"stts", &[&words(&[0, 1, 2, 100])]),
            &boxed(b"ctts", &[&words(&[0, 2, 1, 200, 1, 0])]),
            &boxed(b"stss", &[&words(&[0, 1, 1])]),
            &boxed(b"stsc", &[&words(&[0, 1, 1, 2, 1])]),
            &boxed(b"stsz", &[&words(&[0, 0, 2, 5, 5])]),
            &boxed(b"stco", &[&words(&[0, 1, 0])]),
        ],
    );
    let mdia = boxed(
        b"mdia",
        &[
            &boxed(b"mdhd", &[&words(&[0, 0, 0, 1000, 200, 0])]),
            &boxed(b"hdlr", &[&[0; 8], b"vide", &[0; 13]]),
            &boxed(b"minf", &[&stbl]),
        ],
    );
    let edits = boxed(b"edts", &[&boxed(b"elst", &[&words(&[0, 1, 0, 100, 0x1_0000])])]);
    let trak = boxed(b"trak", &[&boxed(b"tkhd", &[&words(&[0, 0, 0, 1, 0])]), &edits, &mdia]);
    let mvex = boxed(b"mvex", &[&boxed(b"trex", &[&words(&[0, 1, 1, 100, 5, 0])])]);
    let moov = boxed(b"moov", &[&boxed(b"mvhd", &[&words(&[0, 0, 0, 1000, 0])]), &trak, &mvex]);
    let traf = boxed(
        b"traf",
        &[
            &boxed(b"tfhd", &[&words(&[0x2_0000, 1])]),
            &boxed(b"tfdt", &[&words(&[0, 200])]),
            &boxed(b"trun", &[&words(&[0x201, 2, 100, 7, 8])]),
        ],
    );
    let moof = boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &traf]);
    let mut file = boxed(b"ftyp", &[b"isom", &[0; 4]]);
    file.extend([moov, moof, boxed(b"mdat", &[&[0; 64]])].concat());
    file
}
