//! Videos against ffmpeg: numbers, times and pixels of all frames; and everything that can be wrong with a file.

use std::fs;
use std::path::Path;

use eyespot_core::{Error, ErrorKind, FrameBuf, FrameSource, YuvEncoding};
use proptest::prelude::*;

use super::{data, has_ffmpeg, make_video, output};
use crate::{
    Canvas, MediaError, MediaSource as _, SourceOptions, VideoDecoder, VideoOptionError, VideoOptions,
    VideoSource, mp4,
};

/// All decoders of this build that a `VideoSource` can have.
fn decoders() -> Vec<VideoDecoder> {
    vec![
        VideoDecoder::Auto,
        #[cfg(feature = "libav")]
        VideoDecoder::Libav { codec: None },
    ]
}

fn open(video: &Path, options: VideoOptions, decoder: &VideoDecoder) -> VideoSource {
    VideoSource::open(video, options).unwrap().decoded_by(decoder).unwrap()
}

/// Timestamps in microseconds and checksums of a framemd5 file.
fn golden(path: &Path) -> Vec<(f64, String)> {
    let text = fs::read_to_string(path).unwrap();
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap();
    let (numerator, denominator) = base.split_once('/').unwrap();
    let base = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            (fields[2].parse::<f64>().unwrap() * base * 1e6, fields[5].to_owned())
        })
        .collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    if squares == 0 { f64::INFINITY } else { 10.0 * (65025.0 * a.len() as f64 / squares as f64).log10() }
}

/// All frames of a video as ffmpeg decodes them, planes one behind the other.
fn reference(video: &Path) -> Vec<u8> {
    let path = video.to_str().unwrap();
    let arguments =
        ["-v", "error", "-i", path, "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"];
    output("ffmpeg", &arguments)
}

/// Times of all frames in seconds as ffprobe says.
fn reference_times(video: &Path) -> Vec<f64> {
    let path = video.to_str().unwrap();
    let arguments =
        ["-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path];
    let text = String::from_utf8(output("ffprobe", &arguments)).unwrap();
    text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// Reads a whole video: number, time, planes of each frame.
fn read_all(source: &mut VideoSource) -> Vec<(u64, u64, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        let info = frame.info;
        frames.push((info.index, info.timestamp_us, source.planes.bytes.clone()));
    }
    frames
}

/// Every frame of a clip of the test data: count, number, time, and luma against ffmpeg where it is there.
fn compare(name: &str, exact: bool) {
    decoders().iter().for_each(|decoder| compare_by(decoder, name, exact));
}

fn compare_by(decoder: &VideoDecoder, name: &str, exact: bool) {
    let (Some(video), Some(list)) =
        (data(&format!("videos/{name}")), data(&format!("golden/{name}.framemd5")))
    else {
        return;
    };
    let golden = golden(&list);
    let mut source = open(&video, VideoOptions::default(), decoder);
    assert_eq!(source.total_frames(), golden.len() as u64, "{name}");
    let (width, height) = source.size();
    let luma = usize::from(width) * usize::from(height);
    let reference = has_ffmpeg().then(|| reference(&video));
    let mut frames = reference.as_deref().map(|bytes| bytes.chunks_exact(luma * 3 / 2));
    let mut worst = f64::INFINITY;
    for (number, (time, checksum)) in golden.iter().enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(frame.info.index, number as u64);
        assert_eq!((frame.info.width, frame.info.height), (width, height));
        assert!((frame.info.timestamp_us as f64 - time).abs() <= 1.0, "{name} {number}");
        // libavcodec is the reference itself.
        if exact || *decoder != VideoDecoder::Auto {
            assert_eq!(&format!("{:x}", md5::compute(&source.planes.bytes)), checksum, "{name} {number}");
        }
        if let Some(frames) = &mut frames {
            worst = worst.min(psnr(&source.planes.bytes[..luma], &frames.next().unwrap()[..luma]));
        }
    }
    assert!(source.next_frame().unwrap().is_none());
    assert!(source.next_frame().unwrap().is_none());
    assert_eq!(source.corrupt(), 0);
    if let Some(mut frames) = frames {
        assert!(frames.next().is_none());
        eprintln!("{name}, {decoder:?}: {} frames, worst luma PSNR {worst:.1} dB", golden.len());
        assert!(worst >= 60.0, "{name}: {worst} dB");
    }
}

#[test]
fn the_baseline_clip_is_exact() {
    compare("empty_overhead_car_768x432.mp4", true);
}

#[test]
fn main_and_high_clips_agree_with_ffmpeg() {
    for name in [
        "bottles_640x360.mp4",
        "cars_1280x720.mp4",
        "one-by-one-person_768x432.mp4",
        "pedestrians_640x360.mp4",
        "road_pov_1280x720.mp4",
    ] {
        compare(name, false);
    }
}

/// Telephones write the picture as the sensor lies and say how it was held. ffmpeg turns it, and so does this.
#[test]
fn videos_that_say_so_are_turned_upright() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.mp4");
    make_video(
        &plain,
        &[
            "testsrc2=size=150x98:rate=5:duration=1",
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-profile:v",
            "baseline",
        ],
    );
    let bytes = fs::read(&plain).unwrap();
    let header = bytes.windows(4).position(|name| name == b"tkhd").unwrap();
    // Behind version 0 of the header's other fields.
    let matrix = header + 4 + 40;
    assert_eq!(bytes[matrix..matrix + 4], 0x1_0000_u32.to_be_bytes());
    let upright = read_all(&mut VideoSource::open(&plain, VideoOptions::default()).unwrap());
    for (turn, size) in [
        ([1, 0, 0, 1], (150, 98)),
        ([0, 1, -1, 0], (98, 150)),
        ([-1, 0, 0, -1], (150, 98)),
        ([0, -1, 1, 0], (98, 150)),
        // Sheared: no turn.
        ([1, 1, 0, 1], (150, 98)),
    ] {
        let mut bytes = bytes.clone();
        for (value, place) in turn.map(i32::cast_unsigned).iter().zip([0, 4, 12, 16]) {
            bytes[matrix + place..][..4].copy_from_slice(&(value << 16).to_be_bytes());
        }
        let turned = folder.path().join("turned.mp4");
        fs::write(&turned, bytes).unwrap();
        let mut source = VideoSource::open(&turned, VideoOptions::default()).unwrap();
        assert_eq!(source.size(), size);
        let frames = read_all(&mut source);
        for decoder in decoders() {
            assert_eq!(
                read_all(&mut open(&turned, VideoOptions::default(), &decoder)),
                frames,
                "{decoder:?}"
            );
        }
        assert_eq!(frames.len(), 5);
        if turn == [1, 1, 0, 1] {
            assert_eq!(frames, upright);
            continue;
        }
        let reference = reference(&turned);
        for (frame, expected) in frames.iter().zip(reference.chunks_exact(reference.len() / 5)) {
            assert!(frame.2 == expected, "{turn:?}, frame {}", frame.0);
        }
    }
}

/// Options pick among the same frames that a full run gives, also where whole groups of pictures are skipped.
#[test]
fn options_skip_without_changing_frames() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("bframes.mp4");
    let source = "testsrc2=size=128x96:rate=25:duration=4";
    make_video(&video, &[source, "-c:v", "libx264", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p"]);
    decoders().iter().for_each(|decoder| options_skip(&video, decoder));
}

fn options_skip(video: &Path, decoder: &VideoDecoder) {
    let all = read_all(&mut open(video, VideoOptions::default(), decoder));
    assert_eq!(all.len(), 100);
    let times = reference_times(video);
    for ((_, time, planes), (reference_time, expected)) in
        all.iter().zip(times.iter().zip(reference(video).chunks_exact(128 * 96 * 3 / 2)))
    {
        assert!((*time as f64 / 1e6 - reference_time).abs() < 2e-6);
        assert!(psnr(planes, expected) >= 60.0);
    }
    for (stride, start_frame, end_frame, num_frames, duration_s) in [
        (1, 37, None, None, None),
        (7, 0, None, None, None),
        (40, 3, None, None, None),
        (1, 99, None, None, None),
        (2, 10, Some(31), None, None),
        (3, 10, Some(90), Some(4), Some(3.0)),
        (1, 50, None, None, Some(0.4)),
    ] {
        let options = VideoOptions { stride: Some(stride), start_frame, end_frame, num_frames, duration_s };
        let mut source = open(video, options, decoder);
        let expected: Vec<_> =
            all.iter().filter(|(number, ..)| source_wants(&options, *number)).cloned().collect();
        assert_eq!(source.frame_count(), Some(expected.len() as u64), "{options:?}");
        assert!(read_all(&mut source) == expected, "{options:?}");
    }
}

fn source_wants(options: &VideoOptions, number: u64) -> bool {
    options.resolve(100, 25.0).unwrap().contains(number)
}

/// Frames that are handed over are those that are lent, whoever decodes; `ffmpeg` too.
#[test]
fn frames_are_handed_over_as_they_are_lent() {
    let Some(video) = data("videos/road_pov_1280x720.mp4") else { return };
    if !has_ffmpeg() {
        return;
    }
    let options = VideoOptions { stride: Some(9), ..VideoOptions::default() };
    for decoder in decoders().into_iter().chain([VideoDecoder::Ffmpeg { codec: None }]) {
        let options = SourceOptions { video: options, decoder, ..SourceOptions::default() };
        let [mut lent, mut given] = [0, 1].map(|_| crate::open(&video, &options).unwrap());
        let mut buf = FrameBuf::new();
        let mut frames = 0;
        while let Some(frame) = lent.next_frame().unwrap() {
            assert!(given.next_frame_into(&mut buf).unwrap());
            let own = buf.frame().unwrap();
            assert_eq!((own.info, own.name), (frame.info, frame.name));
            assert!(Canvas::from_view(&own.image) == Canvas::from_view(&frame.image), "{frames}");
            frames += 1;
        }
        assert!(!given.next_frame_into(&mut buf).unwrap());
        assert_eq!(frames, 8);
    }
}

#[cfg(feature = "libav")]
#[test]
fn a_decoder_that_is_not_there_is_named() {
    let Some(video) = data("videos/road_pov_1280x720.mp4") else { return };
    for name in ["no_such_decoder", "h264\0"] {
        let source = VideoSource::open(&video, VideoOptions::default()).unwrap();
        let error = source.decoded_by(&VideoDecoder::Libav { codec: Some(name.into()) }).unwrap_err();
        assert!(matches!(error, MediaError::Coder { role: "decoder", .. }), "{error}");
        assert!(error.to_string().contains("road_pov"), "{error}");
    }
}

/// Edit lists that cut the start, a late start, variable frame rate, fragments: all as ffprobe says.
#[test]
fn timestamps_agree_with_ffprobe() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.mp4");
    let pattern = "testsrc2=size=64x48:rate=30000/1001:duration=3";
    make_video(&base, &[pattern, "-c:v", "libx264", "-bf", "2", "-g", "10"]);
    let input = base.to_str().unwrap();
    let variants: [(&str, &[&str]); 5] = [
        ("cut.mp4", &["-ss", "0.95", "-i", input, "-c", "copy"]),
        ("late.mp4", &["-itsoffset", "1.5", "-i", input, "-c", "copy"]),
        ("fragments.mp4", &["-i", input, "-c", "copy", "-movflags", "frag_keyframe+empty_moov"]),
        (
            "default_base.mp4",
            &["-i", input, "-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof"],
        ),
        (
            "variable.mp4",
            &["-i", input, "-vf", "select='not(eq(mod(n,5),2))'", "-vsync", "vfr", "-c:v", "libx264"],
        ),
    ];
    for (name, arguments) in variants {
        let video = folder.path().join(name);
        let mut all = vec!["-v", "error", "-y"];
        all.extend_from_slice(arguments);
        all.push(video.to_str().unwrap());
        output("ffmpeg", &all);
        let mut source = VideoSource::open(&video, VideoOptions::default()).unwrap();
        let times: Vec<_> = read_all(&mut source).iter().map(|(_, time, _)| *time as f64 / 1e6).collect();
        let expected = reference_times(&video);
        assert_eq!(times.len(), expected.len(), "{name}: {times:?} {expected:?}");
        assert!(
            times.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 2e-6),
            "{name}: {times:?} {expected:?}"
        );
    }
}

#[test]
fn colour_comes_from_the_stream() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("colour.mp4");
    for (size, arguments, encoding) in [
        ("64x48", &["-colorspace", "bt709", "-color_range", "pc"][..], YuvEncoding::Bt709Full),
        ("64x48", &["-colorspace", "smpte170m", "-color_range", "pc"], YuvEncoding::Bt601Full),
        ("1280x720", &["-colorspace", "bt470bg"], YuvEncoding::Bt601),
        ("1280x720", &[], YuvEncoding::Bt709),
        ("64x48", &[], YuvEncoding::Bt601),
    ] {
        let pattern = format!("testsrc2=size={size}:rate=5:duration=0.4");
        let mut all = vec![pattern.as_str(), "-c:v", "libx264", "-pix_fmt", "yuv420p"];
        all.extend_from_slice(arguments);
        make_video(&video, &all);
        let mut source = VideoSource::open(&video, VideoOptions::default()).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(frame.image.encoding(), encoding, "{size} {arguments:?}");
    }
}

#[test]
fn other_codecs_are_named() {
    if let Some(video) = data("videos/mpeg4part2_1920x1080_8frames.mp4") {
        let error = VideoSource::open(video, VideoOptions::default()).unwrap_err();
        assert!(
            matches!(&error, MediaError::Codec { codec, .. } if codec == "MPEG-4 Part 2 video"),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("other.mp4");
    for (arguments, name) in [
        (&["-c:v", "libx265", "-x265-params", "log-level=none"][..], "HEVC (H.265)"),
        (&["-c:v", "libaom-av1", "-cpu-used", "8"], "AV1"),
        (&["-c:v", "libvpx-vp9"], "VP9"),
        (&["-c:v", "libx264", "-pix_fmt", "yuv422p"], "H.264 4:2:2"),
        (&["-c:v", "libx264", "-pix_fmt", "yuv420p10le"], "H.264 of 10 bits"),
        (&["-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme"], "interlaced H.264"),
    ] {
        let mut all = vec!["testsrc2=size=128x96:rate=5:duration=0.4"];
        all.extend_from_slice(arguments);
        make_video(&video, &all);
        let error = VideoSource::open(&video, VideoOptions::default()).unwrap_err();
        assert!(matches!(&error, MediaError::Codec { codec, .. } if codec == name), "{name}: {error}");
    }
    let sound = folder.path().join("sound.mp4");
    make_video(&sound, &["sine=duration=0.2"]);
    let error = VideoSource::open(&sound, VideoOptions::default()).unwrap_err();
    assert!(matches!(error, MediaError::NoVideoTrack { .. }), "{error}");
}

#[test]
fn wrong_options_name_the_video() {
    let Some(video) = data("videos/road_pov_1280x720.mp4") else { return };
    let options = VideoOptions { start_frame: 67, ..VideoOptions::default() };
    let error = VideoSource::open(video, options).unwrap_err();
    let expected = VideoOptionError::StartBeyondEnd { start_frame: 67, frames: 67 };
    assert!(matches!(&error, MediaError::Options { source, .. } if *source == expected));
    assert!(error.to_string().contains("road_pov"), "{error}");
}

/// Cut at every sixteenth: what is there comes first, then an error that counts what is missing.
#[test]
fn truncated_files_give_what_they_have() {
    for name in ["videos/road_pov_1280x720.mp4", "videos/pedestrians_640x360.mp4"] {
        let Some(video) = data(name) else { return };
        let bytes = fs::read(video).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cut = folder.path().join("cut.mp4");
        for (part, decoder) in (0..16).flat_map(|part| decoders().into_iter().map(move |by| (part, by))) {
            fs::write(&cut, &bytes[..bytes.len() * part / 16]).unwrap();
            match VideoSource::open(&cut, VideoOptions { stride: Some(20), ..VideoOptions::default() }) {
                Ok(source) => {
                    let mut source = source.decoded_by(&decoder).unwrap();
                    let count = source.frame_count().unwrap();
                    for _ in 0..count {
                        assert!(source.next_frame().unwrap().is_some(), "{name} {part}");
                    }
                    let end = source.next_frame().map(|frame| frame.is_some());
                    assert!(matches!(end, Ok(false) | Err(MediaError::TruncatedVideo { .. })), "{end:?}");
                    assert!(source.next_frame().unwrap().is_none());
                }
                Err(error) => assert!(
                    matches!(
                        error,
                        MediaError::Empty { .. }
                            | MediaError::NoMoov { .. }
                            | MediaError::TruncatedVideo { .. }
                            | MediaError::BrokenMp4 { .. }
                    ),
                    "{part}: {error}"
                ),
            }
        }
    }
}

/// Damage in the middle costs frames, each with an error of its own, and the rest comes as before.
#[test]
fn corrupt_frames_are_counted_and_the_rest_goes_on() {
    let Some(video) = data("videos/one-by-one-person_768x432.mp4") else { return };
    let options = VideoOptions { end_frame: Some(300), ..VideoOptions::default() };
    let whole = read_all(&mut VideoSource::open(&video, options).unwrap());
    let track = mp4::read(fs::File::open(&video).unwrap()).unwrap();
    let broken = track.samples[60];
    let mut bytes = fs::read(&video).unwrap();
    let start = broken.offset as usize;
    bytes[start..start + broken.size as usize].fill(0xff);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("corrupt.mp4");
    fs::write(&copy, bytes).unwrap();

    for decoder in decoders() {
        corrupt_frames(&decoder, &copy, options, &whole);
    }
}

fn corrupt_frames(decoder: &VideoDecoder, copy: &Path, options: VideoOptions, whole: &[(u64, u64, Vec<u8>)]) {
    let mut source = open(copy, options, decoder);
    let (mut good, mut lost, mut same) = (0, 0_u64, 0);
    loop {
        match source.next_frame() {
            Ok(None) => break,
            Ok(Some(frame)) => {
                good += 1;
                let index = frame.info.index as usize;
                same += usize::from(source.planes.bytes == whole[index].2);
            }
            Err(MediaError::CorruptFrame { .. }) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    eprintln!("{decoder:?}: lost {lost}, good {good}, the same {same} of {}", whole.len());
    assert_eq!(good + lost, whole.len() as u64);
    assert!(lost >= 1 && lost == source.corrupt());
    assert!(same >= 59);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to the bytes of an index, reading it ends, in bounded memory, without a panic.
    #[test]
    fn mutated_indexes_do_no_harm(
        changes in proptest::collection::vec((0.0f64..1.0, any::<u8>()), 1..12),
        wide in proptest::collection::vec((0.0f64..1.0, prop_oneof![Just(u32::MAX), Just(0), any::<u32>()]), 0..4),
        cut in 0.5f64..1.2,
    ) {
        let mut bytes = super::tiny_mp4();
        for (place, value) in changes {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        for (place, value) in wide {
            let at = (place * (bytes.len() - 4) as f64) as usize;
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        bytes.truncate((cut * bytes.len() as f64) as usize);
        if let Ok(track) = mp4::read(std::io::Cursor::new(&bytes)) {
            let _ = track.shown();
            prop_assert!(track.samples.len() <= bytes.len());
            prop_assert!(track.fps() >= 0.0);
        }
    }
}
