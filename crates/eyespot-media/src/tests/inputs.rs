//! Inputs that are no plain path: addresses, patterns, memory, lists. And what ffmpeg reads, files and live.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use eyespot_core::{Error, ErrorKind, FrameSource};
use image::{Rgb, RgbImage};

use super::rtsp;
use super::{data, has_ffmpeg, make_video};
use crate::{
    FfmpegSource, Input, MediaError, MediaSource, MemoryImage, SourceOptions, StreamOptions, StreamSource,
    UrlOptions, VideoOptionError, VideoOptions, open, open_all, read_frame,
};

fn png(color: [u8; 3]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(8, 6, Rgb(color)).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Serves one answer per path, over and over; gives its address.
fn serve(answers: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let path = path.split('?').next().unwrap_or_default();
            let found = answers.iter().find(|(name, _)| *name == path);
            let missing =
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
            let _ = stream.write_all(found.map_or(&missing, |(_, answer)| answer));
        }
    });
    address
}

fn answer(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn text_is_read_as_people_mean_it() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a[1].png");
    fs::write(&odd, png([1, 2, 3])).unwrap();
    assert!(matches!(Input::from("https://a/b.jpg"), Input::Url(_)));
    assert!(matches!(Input::from("RTSP://cam/1"), Input::Url(_)));
    assert!(matches!(Input::from("a/*.jpg"), Input::Glob(_)));
    assert!(matches!(Input::from("C:\\a.jpg"), Input::Path(_)));
    assert!(matches!(Input::from(odd.to_str().unwrap()), Input::Path(_)));
}

#[test]
fn patterns_match_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["b10.png", "b2.png", "sub/c.png", ".hidden.png"] {
        fs::write(folder.path().join(name), png([9; 3])).unwrap();
    }
    fs::write(folder.path().join("b1.txt"), "text").unwrap();
    let names = |pattern: &str| {
        let input = Input::Glob(folder.path().join(pattern).to_string_lossy().into_owned());
        let mut source = open(input, &SourceOptions::default())?;
        let mut names = Vec::new();
        while let Some(frame) = source.next_frame()? {
            names.push(frame.name.unwrap().rsplit('/').next().unwrap().to_owned());
        }
        Ok::<_, MediaError>(names)
    };
    assert_eq!(names("*").unwrap(), ["b2.png", "b10.png"]);
    assert_eq!(names("b?.*").unwrap(), ["b2.png"]);
    assert_eq!(names("**/*.png").unwrap(), ["b2.png", "b10.png", "c.png"]);
    assert!(matches!(names("*.gif"), Err(MediaError::NoMatch { .. })));
    assert!(matches!(names("a[.gif"), Err(MediaError::Pattern { .. })));
}

#[test]
fn images_of_a_list_are_one_source_and_a_broken_one_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, png([200, 0, 0])).unwrap();
    let server = serve(vec![("/b.png", answer("image/png", &png([0, 200, 0])))]);
    let gray = image::DynamicImage::ImageLuma8(image::GrayImage::from_pixel(8, 6, image::Luma([77])));
    let list = vec![
        Input::from(&path),
        Input::from(format!("{server}/b.png")),
        folder.path().join("gone.png").into(),
        MemoryImage::encoded(png([0, 0, 200])).into(),
        MemoryImage::encoded(b"nothing".as_slice()).into(),
        MemoryImage::from(gray).named("gate").into(),
        MemoryImage::pixels(vec![0; 10], [2, 2, 3]).into(),
        MemoryImage::pixels(vec![5; 12], [2, 2, 3]).into(),
    ];
    let mut all = open_all(list, &SourceOptions::default());
    assert_eq!(all.len(), 1);
    let mut source = all.remove(0).unwrap();
    assert_eq!((source.frame_count(), source.fps()), (Some(8), None));
    let mut results = Vec::new();
    for _ in 0..8 {
        results.push(match source.next_frame() {
            Ok(Some(frame)) => {
                let name = frame.name.unwrap().rsplit('/').next().unwrap().to_owned();
                format!("{} {name} {:?}", frame.info.index, frame.image.rgb(1, 1))
            }
            Ok(None) => "end".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        });
    }
    assert_eq!(
        results,
        [
            "0 a.png [200, 0, 0]",
            "1 b.png [0, 200, 0]",
            "NotFound",
            "3 image_0 [0, 0, 200]",
            "Unsupported",
            "5 gate [77, 77, 77]",
            "InvalidInput",
            "7 image_3 [5, 5, 5]",
        ]
    );
    assert!(source.next_frame().unwrap().is_none());
    let memory = source.memory_images();
    assert_eq!(memory[&3].load().unwrap().pixels()[0], [0, 0, 200]);
    assert_eq!(memory.len(), 5);

    let apart = open_all([path.clone(), folder.path().to_path_buf(), path], &SourceOptions::default());
    assert_eq!(apart.iter().filter(|source| source.is_ok()).count(), 3);
    assert!(matches!(
        open([1; 0].map(|_: i32| ""), &SourceOptions::default()),
        Err(MediaError::Several { count: 0 })
    ));
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_are_height_width_channels() {
    let array = ndarray::Array3::from_shape_fn((4, 6, 3), |(y, x, c)| (y * 60 + x * 10 + c) as u8);
    let transposed = array.clone().permuted_axes([1, 0, 2]);
    for (array, size) in [(array, (6, 4)), (transposed, (4, 6))] {
        let expected = array[[1, 2, 0]];
        let mut source = open(array, &SourceOptions::default()).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.info.width, frame.info.height), size);
        assert_eq!(frame.image.rgb(2, 1), [expected, expected + 1, expected + 2]);
    }
    let wrong = ndarray::Array3::<u8>::zeros((3, 4, 6));
    let error = open(wrong, &SourceOptions::default()).unwrap().next_frame().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("height, width, channels"), "{error}");
}

#[test]
fn addresses_are_fetched_within_their_limits() {
    let page = answer("text/html", b"<html>log in</html>");
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: /image\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\nconnection: close\r\n\r\nshort".to_vec();
    let circle =
        b"HTTP/1.1 302 Found\r\nlocation: /loop.png\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mut answers = vec![
        ("/image", answer("application/octet-stream", &png([3, 4, 5]))),
        ("/page", page),
        ("/moved.png", redirect.to_vec()),
        ("/cut.png", cut),
        ("/loop.png", circle.to_vec()),
    ];
    if let Some(video) = data("videos/bottles_640x360.mp4") {
        answers.push(("/clip", answer("video/mp4", &fs::read(video).unwrap())));
    }
    let has_clip = answers.len() == 6;
    let server = serve(answers);
    let options = SourceOptions::default();
    for path in ["/image?size=2", "/moved.png"] {
        let url = format!("{server}{path}");
        let mut source = open(url.as_str(), &options).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.name, frame.image.rgb(0, 0)), (Some(url.as_str()), [3, 4, 5]));
        assert_eq!(read_frame(&url, 0).unwrap().pixels()[0], [3, 4, 5]);
    }
    let failure = |path: &str, options: &SourceOptions| {
        let url = format!("{server}{path}");
        let error = open(url.as_str(), options)
            .and_then(|mut source| source.next_frame().map(|frame| assert!(frame.is_none())))
            .unwrap_err();
        assert!(error.to_string().contains(&url), "{error}");
        error
    };
    assert_eq!(failure("/gone.png", &options).kind(), ErrorKind::NotFound);
    assert!(failure("/page", &options).to_string().contains("web page"));
    assert!(matches!(failure("/cut.png", &options), MediaError::Http { .. }));
    assert!(matches!(failure("/loop.png", &options), MediaError::Http { .. }));
    let url = UrlOptions { max_image_bytes: 10, ..UrlOptions::default() };
    let small = failure("/moved.png", &SourceOptions { url, ..options.clone() });
    assert!(
        matches!(small, MediaError::TooManyBytes { limit: 10, .. })
            && small.to_string().contains("max_image_bytes")
    );
    if has_clip {
        let url = format!("{server}/clip");
        let mut source = open(url.as_str(), &options).unwrap();
        assert_eq!((source.name(), source.frame_count().is_some()), (url.as_str(), true));
        assert_eq!(source.next_frame().unwrap().unwrap().name, Some(url.as_str()));
    }
    // A server that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = UrlOptions { timeout: Duration::from_millis(300), ..UrlOptions::default() };
    let address = format!("http://{}/a.png", silent.local_addr().unwrap());
    let error =
        open(address, &SourceOptions { url, ..options }).unwrap().next_frame().map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// Numbers, times in microseconds and checksums of the planes.
fn read_all(source: &mut dyn MediaSource) -> Vec<(u64, u64, String)> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        let canvas = crate::Canvas::from_view(&frame.image);
        let sum = format!("{:x}", md5::compute(canvas.pixels().as_flattened()));
        frames.push((frame.info.index, frame.info.timestamp_us, sum));
    }
    frames
}

#[test]
fn mpeg4_part_2_agrees_with_ffmpegs_checksums() {
    let (Some(video), Some(list)) = (
        data("videos/mpeg4part2_1920x1080_8frames.mp4"),
        data("golden/mpeg4part2_1920x1080_8frames.mp4.framemd5"),
    ) else {
        return;
    };
    if !has_ffmpeg() {
        return;
    }
    let text = fs::read_to_string(list).unwrap();
    let sums: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit(',').next().unwrap().trim())
        .collect();
    assert_eq!(open(&video, &SourceOptions::default()).unwrap().frame_count(), Some(8));
    let mut source = FfmpegSource::open(video.to_str().unwrap(), "MPEG-4", VideoOptions::default()).unwrap();
    for (number, sum) in sums.iter().enumerate() {
        let info = source.next_frame().unwrap().unwrap().info;
        assert_eq!((info.index, info.width, info.height), (number as u64, 1920, 1080));
        assert_eq!(&format!("{:x}", md5::compute(&source.planes().bytes)), sum);
    }
    assert!(source.next_frame().unwrap().is_none());
    assert!(read_frame(&video, 7).is_ok());
    assert!(matches!(
        read_frame(&video, 8),
        Err(MediaError::Options { source: VideoOptionError::StartBeyondEnd { .. }, .. })
    ));
}

/// The same pictures as H.264 in MP4, by both decoders, and without a loss in other containers and codecs.
#[test]
fn other_containers_give_the_same_frames_numbers_and_times() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pattern = "testsrc2=size=160x120:rate=10:duration=2.4";
    let at = |name: &str| folder.path().join(name);
    make_video(&at("a.mp4"), &[pattern, "-c:v", "libx264", "-pix_fmt", "yuv420p"]);
    // AVI has no times of its own, so that it only takes frames in order: a codec without a loss, then.
    for (name, codec) in [("a: b.mkv", "copy"), ("-a.avi", "ffv1"), ("a.ts", "copy")] {
        let (from, to) = (at("a.mp4"), at(name));
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        super::output("ffmpeg", &["-v", "error", "-i", from, "-c:v", codec, to]);
    }
    let variants = [
        VideoOptions::default(),
        VideoOptions { stride: Some(3), start_frame: 4, end_frame: Some(20), ..VideoOptions::default() },
        VideoOptions { num_frames: Some(5), stride: Some(2), ..VideoOptions::default() },
        VideoOptions { duration_s: Some(0.5), start_frame: 3, ..VideoOptions::default() },
    ];
    for video in variants {
        let options = SourceOptions { video, ..SourceOptions::default() };
        let expected = read_all(&mut *open(at("a.mp4"), &options).unwrap());
        assert!(expected.len() >= 5);
        let by_ffmpeg = SourceOptions { decoder: "ffmpeg:h264".parse().unwrap(), ..options.clone() };
        for (name, options) in
            [("a: b.mkv", &options), ("-a.avi", &options), ("a.ts", &options), ("a.mp4", &by_ffmpeg)]
        {
            let mut source = open(at(name), options).unwrap();
            assert!(source.frame_count().is_none_or(|count| count == expected.len() as u64), "{name}");
            let frames = read_all(&mut *source);
            assert_eq!(frames.len(), expected.len(), "{name} {video:?}");
            for (frame, expected) in frames.iter().zip(&expected) {
                assert_eq!((frame.0, &frame.2), (expected.0, &expected.2), "{name} {video:?}");
                assert!(frame.1.abs_diff(expected.1) <= 1000, "{name} {frame:?} {expected:?}");
            }
        }
    }
    for (name, arguments) in [
        ("vp9.webm", &["-c:v", "libvpx-vp9"][..]),
        ("mpeg4.avi", &["-c:v", "mpeg4"]),
        ("hevc.mp4", &["-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le"]),
    ] {
        let mut all = vec!["testsrc2=size=101x67:rate=10:duration=0.5"];
        all.extend_from_slice(arguments);
        make_video(&at(name), &all);
        let frames = read_all(&mut *open(at(name), &SourceOptions::default()).unwrap());
        let times: Vec<_> = frames.iter().map(|frame| (frame.0, frame.1)).collect();
        assert_eq!(times, [(0, 0), (1, 100_000), (2, 200_000), (3, 300_000), (4, 400_000)], "{name}");
    }
    // It is really another decoder that does it.
    let decoder = "ffmpeg:no_such_decoder".parse().unwrap();
    let mut source = open(at("a.mp4"), &SourceOptions { decoder, ..SourceOptions::default() }).unwrap();
    assert!(source.next_frame().unwrap_err().to_string().contains("no_such_decoder"));
    // A reader that stops early leaves no process and no wait behind.
    let mut source = open(at("a.ts"), &SourceOptions::default()).unwrap();
    assert!(source.next_frame().unwrap().is_some());
    source.stopper().unwrap().stop();
    while source.next_frame().unwrap().is_some() {}
}

/// A stream that is served once, and ends when this is dropped.
struct Server(Child);

impl Server {
    fn start(address: &str, listen: &[&str]) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "quiet", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=20"]);
        command.args(["-c:v", "mpeg2video", "-g", "5", "-f", "mpegts"]).args(listen).arg(address);
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn survives_a_restart<S>(address: &str, serve: impl Fn() -> S) {
    let server = serve();
    let options = StreamOptions {
        timeout: Duration::from_secs(20),
        backoff: Duration::from_millis(200),
        max_backoff: Duration::from_millis(400),
        ..StreamOptions::default()
    };
    let start = Instant::now();
    let mut source = loop {
        match StreamSource::open(address, options, VideoOptions::default()) {
            Ok(source) => break source,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(30), "{error}"),
        }
    };
    assert_eq!((source.fps(), source.frame_count()), (Some(20.0), None));
    let mut last = None;
    let mut next = |source: &mut StreamSource| {
        let info = source.next_frame()?.unwrap().info;
        let now = (info.index, info.timestamp_us);
        assert!(
            last.is_none_or(|(index, time)| info.index > index && info.timestamp_us >= time),
            "{last:?} {now:?}"
        );
        last = Some(now);
        Ok::<_, MediaError>(())
    };
    for _ in 0..5 {
        next(&mut source).unwrap();
    }
    drop(server);
    let lost = loop {
        if let Err(error) = next(&mut source) {
            break error;
        }
    };
    assert!(matches!(lost, MediaError::StreamLost { .. }), "{lost}");
    assert!(lost.to_string().contains(address));
    let _server = serve();
    for _ in 0..5 {
        next(&mut source).unwrap();
    }
    assert_eq!(source.stream_stats().unwrap().reconnects, 1);
    // Who is slow gets the newest frames; what was missed is counted.
    thread::sleep(Duration::from_millis(800));
    let before = source.stream_stats().unwrap();
    assert!(before.dropped > 0 && before.received > before.dropped, "{before:?}");
    for _ in 0..2 {
        next(&mut source).unwrap();
    }
    source.stopper().unwrap().stop();
    assert!(source.next_frame().unwrap().is_none());
}

#[test]
fn a_tcp_stream_comes_back_by_itself() {
    if has_ffmpeg() {
        let address = format!("tcp://127.0.0.1:{}", free_port());
        survives_a_restart(&address, || Server::start(&format!("{address}?listen=1"), &[]));
    }
}

#[test]
fn an_http_stream_comes_back_by_itself() {
    if has_ffmpeg() {
        // Asked for directly: whoever looks at it first would use up the one connection that this server takes.
        let address = format!("http://127.0.0.1:{}/live.ts", free_port());
        survives_a_restart(&address, || Server::start(&address, &["-listen", "1"]));
    }
}

#[test]
fn an_rtsp_stream_comes_back_by_itself() {
    if has_ffmpeg() {
        let (port, video) = (free_port(), rtsp::video());
        survives_a_restart(&format!("rtsp://127.0.0.1:{port}/live"), || rtsp::Server::start(port, &video));
    }
}

#[test]
fn a_stream_that_is_not_there_or_gone_for_good_is_said() {
    if !has_ffmpeg() {
        return;
    }
    let address = format!("rtsp://127.0.0.1:{}/live", free_port());
    let error = open(address.as_str(), &SourceOptions::default()).map(|_| ()).unwrap_err();
    assert!(matches!(&error, MediaError::Ffmpeg { reason, .. } if reason.contains("refused")), "{error}");
    // Accepts, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = StreamOptions { timeout: Duration::from_millis(400), ..StreamOptions::default() };
    let address = format!("tcp://{}", silent.local_addr().unwrap());
    let error = open(address, &SourceOptions { stream, ..SourceOptions::default() }).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let _ = TcpStream::connect(silent.local_addr().unwrap());
}
