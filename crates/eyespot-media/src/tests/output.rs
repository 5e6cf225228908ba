//! Files that are written: what comes back when they are read.

use std::fs;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use eyespot_core::{
    BBox, ClassId, Detection, FrameInfo, FrameSource, ImageView, Keypoint, MaskRect, PixelFormat,
    PredictionsBuf, PredictionsStorage, Record, Sink, SourceId,
};

use proptest::prelude::*;

use super::{data, detection, has_ffmpeg, output};
use crate::mp4::{self, Muxer, Storage, Stream};
use crate::{
    Annotator, Canvas, DrawOptions, ImageOptions, ImageSink, ImageSource, JsonLines, MediaError,
    MediaSource as _, VideoOptions, VideoSink, VideoSource, VideoWriter, save_image,
};

/// A gradient with a bright square that moves.
fn picture(width: u16, height: u16, step: u16) -> Canvas {
    let mut bytes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let square = x.wrapping_sub(step * 2) < 20 && y.wrapping_sub(10) < 20;
            let gradient = [(x * 255 / width) as u8, (y * 255 / height) as u8, 90];
            bytes.extend_from_slice(if square { &[240, 230, 40] } else { &gradient });
        }
    }
    Canvas::from_view(&ImageView::packed(&bytes, width, height, PixelFormat::Rgb8).unwrap())
}

fn psnr(canvas: &Canvas, image: &ImageView<'_>) -> f64 {
    let mut squares = 0_u64;
    for y in 0..canvas.height() {
        for x in 0..canvas.width() {
            let index = usize::from(y) * usize::from(canvas.width()) + usize::from(x);
            let pairs = canvas.pixels()[index].into_iter().zip(image.rgb(x, y));
            squares += pairs.map(|(a, b)| u64::from(a.abs_diff(b)).pow(2)).sum::<u64>();
        }
    }
    10.0 * (65025.0 * 3.0 * canvas.pixels().len() as f64 / squares.max(1) as f64).log10()
}

fn ffprobe(path: &Path, entries: &str) -> String {
    let path = path.to_str().unwrap();
    let arguments = ["-v", "error", "-count_frames", "-show_entries", entries, "-of", "default=nw=1", path];
    String::from_utf8(output("ffprobe", &arguments)).unwrap()
}

/// ffmpeg decodes all of it without a complaint.
fn plays(path: &Path) {
    let result = std::process::Command::new("ffmpeg")
        .args(["-v", "warning", "-i", path.to_str().unwrap(), "-f", "null", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn a_video_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size, times) in [
        ("steady.mp4", (160, 96), (0..75).map(|n| n * 40_000).collect::<Vec<u64>>()),
        ("variable.mp4", (128, 64), (0..60).map(|n| 500_000 + n * 33_333 + n * n * 100).collect()),
        ("odd.mp4", (101, 67), (0..10).map(|n| n * 100_000).collect()),
        ("tiny.mp4", (5, 3), (0..4).map(|n| n * 100_000).collect()),
        ("one.mp4", (64, 64), vec![0]),
    ] {
        let path = folder.path().join(name);
        let mut writer = VideoWriter::create(&path, None, 25.0).unwrap();
        for (step, &time) in times.iter().enumerate() {
            writer.write(&picture(size.0, size.1, step as u16), time).unwrap();
        }
        assert_eq!(writer.frames(), times.len() as u64);
        writer.finish().unwrap();

        let mut source = VideoSource::open(&path, VideoOptions::default()).unwrap();
        assert_eq!(source.frame_count(), Some(times.len() as u64), "{name}");
        for (step, &time) in times.iter().enumerate() {
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!(frame.info.timestamp_us, time, "{name} {step}");
            let part = frame.image.crop(0, 0, size.0, size.1).unwrap();
            let quality = psnr(&picture(size.0, size.1, step as u16), &part);
            // Four by four pixels of chroma can't show a gradient of five.
            let enough = if size.0 < 16 { 18.0 } else { 27.0 };
            assert!(quality > enough, "{name} {step}: {quality:.1} dB");
        }
        assert!(source.next_frame().unwrap().is_none());
        if has_ffmpeg() {
            plays(&path);
            let text =
                ffprobe(&path, "stream=nb_frames,nb_read_frames,start_time,color_space:format=duration");
            let count = times.len();
            assert!(text.contains(&format!("nb_frames={count}\n")), "{text}");
            assert!(text.contains(&format!("nb_read_frames={count}\n")), "{text}");
            assert!(text.contains("color_space=bt709"), "{text}");
            let end = (times[count - 1] + 40_000) as f64 / 1e6;
            let duration = text.lines().find_map(|line| line.strip_prefix("duration=")).unwrap();
            assert!((duration.parse::<f64>().unwrap() - end).abs() < 0.002, "{name} {end}: {text}");
        }
    }
}

/// A copy of the unfinished file is what a crash leaves.
#[test]
fn an_unfinished_video_plays_up_to_its_last_fragment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crash.mp4");
    let mut writer = VideoWriter::create(&path, None, 10.0).unwrap();
    for step in 0..35 {
        writer.write(&picture(64, 48, step), u64::from(step) * 100_000).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    writer.flush().unwrap();
    let flushed = folder.path().join("flushed.mp4");
    fs::copy(&path, &flushed).unwrap();
    drop(writer);

    let mut last = 0;
    let cut = folder.path().join("cut.mp4");
    for len in (0..bytes.len()).step_by(bytes.len() / 50).chain([bytes.len()]) {
        fs::write(&cut, &bytes[..len]).unwrap();
        let Ok(mut source) = VideoSource::open(&cut, VideoOptions::default()) else { continue };
        let mut count = 0;
        while let Ok(Some(_)) = source.next_frame() {
            count += 1;
        }
        assert_eq!(Some(count), source.frame_count());
        assert!(count >= last, "{count} {last}");
        last = count;
    }
    assert_eq!(last, 30);
    for (file, frames) in [(&flushed, 35), (&path, 35)] {
        assert_eq!(VideoSource::open(file, VideoOptions::default()).unwrap().frame_count(), Some(frames));
        if has_ffmpeg() {
            plays(file);
            assert!(ffprobe(file, "stream=nb_read_frames").contains(&format!("nb_read_frames={frames}\n")));
        }
    }
}

/// A disk with so many bytes of room.
#[derive(Debug)]
struct SmallDisk {
    file: Cursor<Vec<u8>>,
    room: usize,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.room.saturating_sub(self.file.position() as usize);
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(&bytes[..bytes.len().min(left)])
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SmallDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Storage for &mut SmallDisk {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.get_mut().truncate(len as usize);
        self.file.seek(SeekFrom::Start(len)).map(|_| ())
    }
}

#[test]
fn a_full_disk_leaves_a_file_that_can_be_read() {
    let stream = || Stream { width: 16, height: 16, sps: vec![0x67, 66, 0, 10], pps: vec![0x68, 1] };
    for room in (700..3200).step_by(50) {
        let mut disk = SmallDisk { file: Cursor::new(Vec::new()), room };
        let Ok(mut muxer) = Muxer::new(&mut disk, stream()) else { continue };
        let mut kept = Vec::new();
        for fragment in 0..6_u64 {
            for frame in 0..5 {
                muxer.add(&[0, 0, 0, 1, 0x65], (fragment * 5 + frame) * 1000, frame == 0);
            }
            match muxer.end_fragment((fragment + 1) * 5000) {
                Ok(()) => kept.extend((0..5).map(|frame| ((fragment * 5 + frame) * 1000).cast_signed())),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
            }
            // Room is made in between: what comes later is kept again.
            if fragment == 4 {
                muxer.storage().room += 400;
            }
        }
        let finished = muxer.finish(30_000);
        drop(muxer);
        let track = mp4::read(Cursor::new(disk.file.into_inner())).unwrap();
        let shown = track.shown().unwrap();
        let times: Vec<_> = shown.iter().map(|frame| frame.timestamp_us.cast_signed()).collect();
        assert_eq!(times, kept, "{room} {finished:?}");
    }
}

#[test]
fn images_are_written_whole_and_never_over_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let canvas = picture(80, 60, 5);
    for name in ["out.png", "out.jpg", "out.JPEG"] {
        let path = folder.path().join(name);
        save_image(&canvas, &path, None).unwrap();
        let mut source = ImageSource::open(&path, ImageOptions::default()).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert!(psnr(&canvas, &frame.image) > 30.0, "{name}");
        // Writing again replaces it.
        save_image(&canvas, &path, None).unwrap();
        let same = folder.path().join(".").join(name);
        let before = fs::read(&path).unwrap();
        let error = save_image(&Canvas::new(8, 8), &same, Some(&path)).unwrap_err();
        assert!(matches!(error, MediaError::WouldOverwrite { .. }));
        assert!(fs::read(&path).unwrap() == before);
        let error = VideoWriter::create(&same, Some(&path), 30.0).unwrap_err();
        assert!(matches!(error, MediaError::WouldOverwrite { .. }));
    }
    let at = |name: &str| folder.path().join(name);
    assert!(matches!(save_image(&canvas, at("out.webp"), None), Err(MediaError::OutputFormat { .. })));
    assert!(matches!(save_image(&canvas, at("gone/out.png"), None), Err(MediaError::Write { .. })));
    assert!(matches!(
        save_image(&Canvas::default(), at("empty.png"), None),
        Err(MediaError::BrokenImage { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no half files stay behind");
}

#[test]
fn a_video_refuses_what_does_not_fit_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video.mp4");
    let mut writer = VideoWriter::create(&path, None, 30.0).unwrap();
    let error = writer.write(&Canvas::new(4000, 2200), 0).unwrap_err();
    assert!(matches!(error, MediaError::VideoSize { .. }), "{error}");
    writer.write(&picture(32, 32, 0), 0).unwrap();
    let error = writer.write(&picture(34, 32, 0), 1000).unwrap_err();
    assert!(matches!(error, MediaError::FrameSize { expected: (32, 32), got: (34, 32), .. }), "{error}");
    // A time that does not go on counts as one frame later.
    writer.write(&picture(32, 32, 0), 0).unwrap();
    writer.finish().unwrap();
    let mut source = VideoSource::open(&path, VideoOptions::default()).unwrap();
    source.next_frame().unwrap();
    assert_eq!(source.next_frame().unwrap().unwrap().info.timestamp_us, 33_333);
}

fn predictions() -> PredictionsBuf {
    let mut storage = PredictionsBuf::new(3, 64, 4);
    let mut out = storage.view_mut();
    let tracked = detection(BBox::new(1.0, 2.5, 30.0, 40.0), 0.9, 0, 3, None);
    out.push(tracked);
    let turned = detection(BBox::new(0.0, 0.0, 4.0, 4.0), 0.25, 7, 0, Some(0.0));
    out.push(turned);
    out.set_mask(1, MaskRect { x: 1, y: 1, width: 2, height: 3 }, &[0b0100_0000, 0b1100_0000, 0b1000_0000]);
    out.set_keypoints(1, &[Keypoint { x: 1.0, y: 2.0, score: 0.5 }]);
    out.push(Detection::new(BBox::new(0.0, 0.0, f32::NAN, 1.0), 0.5, ClassId(0)));
    storage
}

#[test]
fn json_lines_are_stable() {
    let storage = predictions();
    let mut sink = JsonLines::new(Vec::new(), &["person"]);
    let info = FrameInfo { index: 4, timestamp_us: 1_500_000, source: SourceId(2), width: 5, height: 4 };
    let name = Some("street \"1\".mp4");
    sink.write(&Record { info, name, image: None, predictions: storage.view() }).unwrap();
    let nothing = PredictionsBuf::new(0, 0, 0);
    let info = FrameInfo { index: 5, source: SourceId(1), ..info };
    sink.write(&Record { info, name: None, image: None, predictions: nothing.view() }).unwrap();
    let text = String::from_utf8(sink.into_inner().unwrap()).unwrap();
    // The mask, column by column in 5 x 4 pixels: rows 2 and 3 of column 1, rows 1 and 2 of column 2.
    assert_eq!(
        text,
        concat!(
            r#"{"frame":4,"time":1.5,"source":"street \"1\".mp4","width":5,"height":4,"objects":["#,
            r#"{"bbox":[1.0,2.5,30.0,40.0],"score":0.9,"class":"person","class_id":0,"track_id":3},"#,
            r#"{"bbox":[0.0,0.0,4.0,4.0],"score":0.25,"class":null,"class_id":7,"track_id":null,"angle":0.0,"#,
            r#""mask":{"size":[4,5],"counts":[6,2,1,2,9]},"keypoints":[[1.0,2.0,0.5]]}],"#,
            r#""losses":{"detections":0,"masks":0,"keypoints":0,"invalid":1}}"#,
            "\n",
            r#"{"frame":5,"time":1.5,"source":null,"width":5,"height":4,"objects":[]}"#,
            "\n"
        )
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_apart() {
    if !Path::new("/dev/full").exists() {
        eprintln!("IGNORED: no /dev/full");
        return;
    }
    let mut sink = JsonLines::create("/dev/full", &["person"]).unwrap();
    let nothing = PredictionsBuf::new(0, 0, 0);
    sink.write(&Record { info: FrameInfo::default(), name: None, image: None, predictions: nothing.view() })
        .unwrap();
    assert!(matches!(sink.flush(), Err(MediaError::DiskFull { .. })));
}

#[test]
fn sinks_draw_and_name_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = DrawOptions { draw_tags: true, ..DrawOptions::default() };
    let annotator = Annotator::new(&["person"], options).with_trails(8);
    let directory = folder.path().join("results");
    let mut images = ImageSink::create(&directory, annotator.clone()).unwrap();
    let path = folder.path().join("video.mp4");
    let writer = VideoWriter::create(&path, None, 30.0).unwrap();
    let mut video = VideoSink::new(writer, annotator);

    let storage = predictions();
    let picture = picture(64, 48, 0);
    for (index, name) in [(0, "a/one.png"), (1, "b/one.png"), (2, "c.webp"), (7, "clip.mp4")] {
        let info =
            FrameInfo { index, timestamp_us: index * 50_000, source: SourceId(0), width: 64, height: 48 };
        let record = Record { info, name: Some(name), image: picture.view(), predictions: storage.view() };
        images.write(&record).unwrap();
        video.write(&record).unwrap();
    }
    video.flush().unwrap();
    video.finish().unwrap();
    let mut written: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(written, ["c.jpg", "clip_000007.jpg", "one-2.png", "one.png"]);
    let mut source = VideoSource::open(&path, VideoOptions::default()).unwrap();
    assert_eq!(source.frame_count(), Some(4));
    assert!(source.next_frame().unwrap().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Bytes of the pictures that have changed give frames or errors, one for each frame, and an end.
    #[test]
    fn mutated_pictures_do_no_harm(
        changes in proptest::collection::vec((0.0f64..1.0, any::<u8>()), 1..40),
        bframes: bool,
    ) {
        let clip = if bframes { data("videos/pedestrians_640x360.mp4") } else { None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        if let Some(clip) = clip {
            fs::copy(clip, &path).unwrap();
        } else {
            let mut writer = VideoWriter::create(&path, None, 10.0).unwrap();
            for step in 0..30 {
                writer.write(&picture(64, 48, step), u64::from(step) * 100_000).unwrap();
            }
            writer.finish().unwrap();
        }
        let track = mp4::read(fs::File::open(&path).unwrap()).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        for (place, value) in changes {
            let sample = track.samples[(place * track.samples.len().min(40) as f64) as usize];
            let within = (place * 7919.0).fract() * f64::from(sample.size);
            bytes[sample.offset as usize + within as usize] = value;
        }
        fs::write(&path, bytes).unwrap();
        let options = VideoOptions { num_frames: Some(40), ..VideoOptions::default() };
        let mut source = VideoSource::open(&path, options).unwrap();
        let (mut frames, mut errors) = (0, 0);
        loop {
            match source.next_frame() {
                Ok(None) => break,
                Ok(Some(_)) => frames += 1,
                Err(MediaError::CorruptFrame { .. }) => errors += 1,
                Err(error) => panic!("{error}"),
            }
        }
        prop_assert_eq!(Some(frames + errors), source.frame_count());
        prop_assert_eq!(errors, source.corrupt());
    }
}

/// Reads a clip, writes it again, reads that: the picture survives.
#[test]
fn a_real_clip_survives_being_written() {
    let Some(clip) = data("videos/road_pov_1280x720.mp4") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.mp4");
    let options = VideoOptions { num_frames: Some(20), ..VideoOptions::default() };
    let mut source = VideoSource::open(&clip, options).unwrap();
    let mut writer = VideoWriter::create(&path, Some(&clip), 30.0).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        let canvas = Canvas::from_view(&frame.image);
        writer.write(&canvas, frame.info.timestamp_us).unwrap();
        frames.push((canvas, frame.info.timestamp_us));
    }
    writer.finish().unwrap();
    let mut copy = VideoSource::open(&path, VideoOptions::default()).unwrap();
    let mut worst = f64::INFINITY;
    for (canvas, time) in &frames {
        let frame = copy.next_frame().unwrap().unwrap();
        assert_eq!(frame.info.timestamp_us, *time);
        worst = worst.min(psnr(canvas, &frame.image));
    }
    eprintln!("worst frame {worst:.1} dB, {} bytes", fs::metadata(&path).unwrap().len());
    assert!(worst > 32.0, "{worst}");
}
