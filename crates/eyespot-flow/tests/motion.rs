//! Known motions are found, and everything else is the identity and counted.

#![allow(clippy::unwrap_used, reason = "tests")]

mod scenes;

use eyespot_core::{Affine, BBox, CameraMotion, ClassId, Detection, Frame, ImageView, PixelFormat};
use eyespot_flow::{FlowConfig, FlowStats, FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use scenes::{Move, Pair, Picture, Random, Trouble, corner_error, data};

type Flow<const PIXELS: usize, const POINTS: usize> =
    SparseFlow<Box<FlowStorage<PIXELS, POINTS>>, PIXELS, POINTS>;

fn flow<const PIXELS: usize, const POINTS: usize>() -> Flow<PIXELS, POINTS> {
    SparseFlow::new(Box::new(FlowStorage::new()))
}

fn rgb(pixels: &[[u8; 3]], width: usize, height: usize) -> Frame<'_> {
    let view = ImageView::packed(pixels.as_flattened(), width as u16, height as u16, PixelFormat::Rgb8);
    Frame::still(view.unwrap())
}

fn gray(pixels: &[u8], width: usize, height: usize) -> Frame<'_> {
    Frame::still(ImageView::packed(pixels, width as u16, height as u16, PixelFormat::Gray8).unwrap())
}

fn run(motion: &mut impl CameraMotion, pair: &Pair) -> Affine {
    motion.reset();
    assert_eq!(motion.estimate(&rgb(&pair.frames[0], pair.width, pair.height), &[]), Affine::IDENTITY);
    motion.estimate(&rgb(&pair.frames[1], pair.width, pair.height), &[])
}

fn error(motion: &mut impl CameraMotion, pair: &Pair) -> f32 {
    corner_error(&run(motion, pair), &pair.truth, pair.width, pair.height)
}

const MOVES: [Move; 7] = [
    Move { degrees: 0.0, zoom: 1.0, shift: [0.0, 0.0] },
    Move { degrees: 0.0, zoom: 1.0, shift: [1.5, 0.5] },
    Move { degrees: 0.0, zoom: 1.0, shift: [-9.3, 5.6] },
    Move { degrees: 1.5, zoom: 1.0, shift: [1.0, -0.4] },
    Move { degrees: 0.0, zoom: 1.03, shift: [-2.0, 1.2] },
    Move { degrees: -0.7, zoom: 0.98, shift: [6.1, 3.3] },
    Move { degrees: 4.0, zoom: 1.08, shift: [40.0, -22.0] },
];

#[test]
fn known_motions_of_a_drawn_picture_are_found() {
    let picture = Picture::procedural(900, 700, 1);
    let mut motion = flow::<{ 320 * 240 }, 512>();
    for (index, turn) in MOVES.into_iter().enumerate() {
        let trouble = Trouble { noise: 2.0, movers: 2, brighter: 0.0 };
        let pair = Pair::new(&picture, (640, 480), turn, trouble, index as u64);
        let error = error(&mut motion, &pair);
        assert!(error < 0.1, "{turn:?}: {error}");
        assert_eq!(motion.stats(), FlowStats { first: 1, estimated: 1, ..FlowStats::default() });
    }
}

#[test]
fn known_motions_of_photos_are_found_to_a_few_hundredths_of_a_pixel() {
    let Some(data) = data() else { return };
    let mut motion = flow::<{ 640 * 360 }, 960>();
    for (photo, size) in [
        ("highres/traffic_3630x2418.jpg", (1920, 1080)),
        ("images/street.png", (1280, 720)),
        ("images/bus.jpg", (720, 960)),
        ("images/dog.jpg", (640, 480)),
    ] {
        let picture = Picture::open(&data.join(photo));
        for (index, turn) in MOVES.into_iter().enumerate() {
            let trouble = Trouble { noise: 2.0, movers: 4, brighter: 0.0 };
            let pair = Pair::new(&picture, size, turn, trouble, index as u64);
            let error = error(&mut motion, &pair);
            assert!(error < 0.06, "{photo} {turn:?}: {error}");
        }
    }
}

#[test]
fn microcontroller_memory_is_enough_for_a_small_camera() {
    const { assert!(FlowStorage::<{ 80 * 60 }, 64>::RAM < 20 * 1024) };
    let picture = Picture::procedural(400, 320, 2);
    let mut motion = flow::<{ 80 * 60 }, 64>();
    for turn in [MOVES[0], MOVES[2], MOVES[3], MOVES[5]] {
        let pair = Pair::new(&picture, (320, 240), turn, Trouble { noise: 2.0, ..Trouble::default() }, 3);
        let error = error(&mut motion, &pair);
        assert!(error < 0.5, "{turn:?}: {error}");
    }
}

#[test]
fn a_frame_after_itself_does_not_move() {
    let picture = Picture::procedural(640, 480, 4);
    let mut motion = flow::<{ 320 * 240 }, 300>();
    let frame = rgb(&picture.pixels, 640, 480);
    motion.estimate(&frame, &[]);
    let still = motion.estimate(&frame, &[]);
    assert!(corner_error(&still, &Affine::IDENTITY, 640, 480) < 1e-3, "{still:?}");
}

#[test]
fn a_change_of_exposure_is_no_motion() {
    let picture = Picture::procedural(800, 600, 5);
    let mut motion = flow::<{ 320 * 240 }, 300>();
    let trouble = Trouble { noise: 1.0, movers: 0, brighter: 25.0 };
    let pair = Pair::new(&picture, (640, 480), MOVES[2], trouble, 1);
    let error = error(&mut motion, &pair);
    assert!(error < 0.15, "{error}");
}

#[test]
fn huge_shifts_are_found() {
    let picture = Picture::procedural(1000, 700, 6);
    let mut motion = flow::<{ 320 * 240 }, 300>();
    for shift in [[90.0, 0.0], [0.0, -80.0], [-85.0, 60.0]] {
        let turn = Move { degrees: 0.0, zoom: 1.0, shift };
        let pair = Pair::new(&picture, (640, 480), turn, Trouble { noise: 2.0, ..Trouble::default() }, 1);
        let error = error(&mut motion, &pair);
        assert!(error < 0.1, "{shift:?}: {error}");
    }
}

#[test]
fn all_formats_give_the_same_motion() {
    let picture = Picture::procedural(420, 320, 7);
    let pair = Pair::new(&picture, (320, 240), MOVES[5], Trouble::default(), 1);
    let planes = pair.frames.each_ref().map(|frame| {
        let luma: Vec<u8> = frame
            .iter()
            .map(|&[r, g, b]| ((u16::from(r) + 2 * u16::from(g) + u16::from(b)) / 4) as u8)
            .collect();
        let rgba: Vec<u8> = frame.iter().flat_map(|&[r, g, b]| [r, g, b, 0]).collect();
        let yuyv: Vec<u8> = luma.iter().flat_map(|&y| [y, 128]).collect();
        (luma, rgba, yuyv)
    });
    let chroma = vec![128u8; 320 * 120];
    let views = |index: usize| {
        let (luma, rgba, yuyv) = &planes[index];
        let (w, h) = (320, 240);
        let rgb = pair.frames[index].as_flattened();
        [
            ImageView::packed(rgb, w, h, PixelFormat::Rgb8),
            ImageView::packed(rgb, w, h, PixelFormat::Bgr8),
            ImageView::packed(rgba, w, h, PixelFormat::Rgba8),
            ImageView::packed(luma, w, h, PixelFormat::Gray8),
            ImageView::packed(yuyv, w, h, PixelFormat::Yuyv),
            ImageView::nv12((luma, 320), (&chroma, 320), w, h),
            ImageView::yuv420((luma, 320), (&chroma, 160), (&chroma, 160), w, h),
        ]
    };
    for (before, after) in views(0).into_iter().zip(views(1)) {
        let (before, after) = (before.unwrap(), after.unwrap());
        let mut motion = flow::<{ 320 * 240 }, 300>();
        motion.estimate(&Frame::still(before), &[]);
        let found = motion.estimate(&Frame::still(after), &[]);
        let error = corner_error(&found, &pair.truth, 320, 240);
        assert!(error < 0.06, "{:?}: {error}", before.format());
    }
}

#[test]
fn flat_frames_noise_and_cuts_are_the_identity_and_counted() {
    let mut motion = flow::<{ 160 * 120 }, 128>();
    let flat = vec![90u8; 320 * 240];
    for _ in 0..3 {
        assert_eq!(motion.estimate(&gray(&flat, 320, 240), &[]), Affine::IDENTITY);
    }
    assert_eq!(motion.stats(), FlowStats { first: 1, flat: 2, ..FlowStats::default() });

    motion.reset();
    assert_eq!(motion.stats(), FlowStats::default());
    let mut random = Random(3);
    for _ in 0..20 {
        let noise: Vec<u8> = (0..320 * 240).map(|_| (random.next() >> 8) as u8).collect();
        assert_eq!(motion.estimate(&gray(&noise, 320, 240), &[]), Affine::IDENTITY);
    }
    let stats = motion.stats();
    assert_eq!((stats.first, stats.estimated), (1, 0));

    let mut motion = flow::<{ 320 * 240 }, 300>();
    for seed in 10..20 {
        let scene = Picture::procedural(640, 480, seed);
        assert_eq!(motion.estimate(&rgb(&scene.pixels, 640, 480), &[]), Affine::IDENTITY);
    }
    let stats = motion.stats();
    assert_eq!((stats.first, stats.estimated, stats.cut + stats.few_inliers), (1, 0, 9), "{stats:?}");
}

#[test]
fn cuts_between_photos_are_the_identity() {
    let Some(data) = data() else { return };
    let photos = [
        "images/bus.jpg",
        "images/dog.jpg",
        "images/street.png",
        "images/person.jpg",
        "images/bench_cars.jpg",
    ];
    let photos = photos.map(|photo| {
        let picture = Picture::open(&data.join(photo));
        let still = Move { degrees: 0.0, zoom: 1.0, shift: [0.0; 2] };
        Pair::new(&picture, (640, 360), still, Trouble { noise: 2.0, ..Trouble::default() }, 1)
    });
    let mut motion = flow::<{ 640 * 360 }, 960>();
    for (number, before) in photos.iter().enumerate() {
        for after in photos.iter().skip(number + 1) {
            motion.reset();
            motion.estimate(&rgb(&before.frames[0], 640, 360), &[]);
            assert_eq!(
                motion.estimate(&rgb(&after.frames[0], 640, 360), &[]),
                Affine::IDENTITY,
                "{:?}",
                motion.stats()
            );
        }
    }
}

/// A picture whose larger part moves with the things in it: only the mask tells what the camera does.
#[test]
fn what_detections_cover_is_left_out() {
    let picture = Picture::procedural(800, 600, 8);
    let other = Picture::procedural(800, 600, 9);
    let (width, height) = (640usize, 480usize);
    let covered = |x: usize, y: usize| (100..560).contains(&x) && (60..440).contains(&y);
    let draw = |camera: usize, thing: usize| -> Vec<[u8; 3]> {
        (0..width * height)
            .map(|index| {
                let (x, y) = (index % width, index / width);
                let (source, dx) = if covered(x, y) { (&other, thing) } else { (&picture, camera) };
                source.pixels[(y + 20) * source.width + x + 20 + dx]
            })
            .collect()
    };
    let (before, after) = (draw(0, 0), draw(3, 11));
    let area = BBox::new(100.0, 60.0, 560.0, 440.0);
    let nonsense = Detection::new(BBox::new(f32::NAN, 0.0, f32::NAN, 480.0), 0.9, ClassId(0));
    let detections = [Detection::new(area, 0.9, ClassId(0)), nonsense];
    let shift = |config: FlowConfig| {
        let mut motion = SparseFlow::with_config(Box::new(FlowStorage::<{ 320 * 240 }, 300>::new()), config);
        motion.estimate(&rgb(&before, width, height), &detections);
        motion.estimate(&rgb(&after, width, height), &detections).shift[0]
    };
    let masked = shift(FlowConfig::default());
    assert!((masked + 3.0).abs() < 0.1, "{masked}");
    let unmasked = shift(FlowConfig { mask_detections: false, ..FlowConfig::default() });
    assert!((unmasked + 11.0).abs() < 0.1, "{unmasked}");
}

#[test]
fn all_hidden_is_flat() {
    let picture = Picture::procedural(320, 240, 10);
    let frame = rgb(&picture.pixels, 320, 240);
    let everything = [Detection::new(BBox::new(-10.0, -10.0, 400.0, 300.0), 0.9, ClassId(0))];
    let mut motion = flow::<{ 320 * 240 }, 300>();
    motion.estimate(&frame, &everything);
    motion.estimate(&frame, &everything);
    assert_eq!(motion.stats(), FlowStats { first: 1, flat: 1, ..FlowStats::default() });
}

#[test]
fn another_size_starts_again() {
    let picture = Picture::procedural(640, 480, 11);
    let small = Picture::procedural(320, 480, 11);
    let mut motion = flow::<{ 320 * 240 }, 300>();
    motion.estimate(&rgb(&picture.pixels, 640, 480), &[]);
    assert_eq!(motion.estimate(&rgb(&small.pixels, 320, 480), &[]), Affine::IDENTITY);
    assert_eq!(motion.stats(), FlowStats { first: 2, ..FlowStats::default() });
    motion.estimate(&rgb(&small.pixels, 320, 480), &[]);
    assert_eq!(motion.stats().estimated, 1);
}

#[test]
fn implausible_motion_is_refused() {
    let picture = Picture::procedural(900, 700, 12);
    let config = FlowConfig { max_turn: 0.01, ..FlowConfig::default() };
    let mut motion = SparseFlow::with_config(Box::new(FlowStorage::<{ 320 * 240 }, 300>::new()), config);
    let pair = Pair::new(&picture, (640, 480), MOVES[3], Trouble::default(), 1);
    assert_eq!(run(&mut motion, &pair), Affine::IDENTITY);
    assert_eq!(motion.stats(), FlowStats { first: 1, implausible: 1, ..FlowStats::default() });
}

#[test]
fn static_memory_serves_as_well() {
    let mut storage = FlowStorage::<{ 160 * 120 }, 128>::new();
    let picture = Picture::procedural(320, 240, 13);
    let mut motion = SparseFlow::new(&mut storage);
    motion.estimate(&rgb(&picture.pixels, 320, 240), &[]);
    motion.estimate(&rgb(&picture.pixels, 320, 240), &[]);
    assert_eq!(motion.stats().estimated, 1);
}

#[test]
fn keypoints_find_large_turns_and_shifts_and_refuse_cuts() {
    let picture = Picture::procedural(1000, 800, 14);
    let mut motion = OrbFlow::new(Box::new(OrbStorage::<{ 320 * 240 }, 300>::new()));
    for turn in MOVES.into_iter().chain([
        Move { degrees: 15.0, zoom: 1.0, shift: [10.0, 4.0] },
        Move { degrees: -2.0, zoom: 1.0, shift: [-120.0, 90.0] },
    ]) {
        let trouble = Trouble { noise: 2.0, movers: 2, brighter: 0.0 };
        let pair = Pair::new(&picture, (640, 480), turn, trouble, 5);
        let error = error(&mut motion, &pair);
        assert!(error < 0.3, "{turn:?}: {error}");
    }
    motion.reset();
    for seed in 20..26 {
        let scene = Picture::procedural(640, 480, seed);
        assert_eq!(motion.estimate(&rgb(&scene.pixels, 640, 480), &[]), Affine::IDENTITY);
    }
    let flat = vec![90u8; 640 * 480];
    motion.estimate(&gray(&flat, 640, 480), &[]);
    motion.estimate(&gray(&flat, 640, 480), &[]);
    let stats = motion.stats();
    assert_eq!((stats.first, stats.estimated, stats.flat), (1, 0, 1), "{stats:?}");
}

/// What the motion leaves of the differences between successive frames of a driving car's video.
#[test]
fn compensation_lessens_the_residual_of_a_real_video() {
    let Some(data) = data() else { return };
    let video = data.join("videos/road_pov_1280x720.mp4");
    let (width, height) = (640usize, 360usize);
    let frames = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(video)
        .args(["-vf", "scale=640:360", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output();
    let Ok(frames) = frames else {
        eprintln!("IGNORED: no ffmpeg to read the video with");
        return;
    };
    let frames: Vec<&[u8]> = frames.stdout.chunks_exact(width * height).collect();
    assert!(frames.len() > 60);
    let mut motion = flow::<{ 640 * 360 }, 960>();
    let (mut still, mut moved, mut estimated) = (0.0, 0.0, 0);
    for pair in frames.windows(2) {
        let [before, after] = [pair[0], pair[1]];
        motion.reset();
        motion.estimate(&gray(before, width, height), &[]);
        let found = motion.estimate(&gray(after, width, height), &[]);
        estimated += motion.stats().estimated;
        still += residual(before, after, &Affine::IDENTITY, (width, height));
        moved += residual(before, after, &found, (width, height));
    }
    eprintln!("mean residual {} without and {} with compensation", still / 66.0, moved / 66.0);
    // The clip has one scene cut, from frame 63 to 64.
    assert_eq!(estimated as usize, frames.len() - 2);
    assert!(moved < 0.8 * still, "{moved} {still}");
}

/// Mean difference of the second frame from the moved first one, away from the borders.
fn residual(before: &[u8], after: &[u8], motion: &Affine, (width, height): (usize, usize)) -> f32 {
    let (mut sum, mut count) = (0.0, 0);
    for y in 40..height - 40 {
        for x in 40..width - 40 {
            let (u, v) = motion.apply(x as f32 + 0.5, y as f32 + 0.5);
            let (u, v) = (u - 0.5, v - 0.5);
            if !(u >= 0.0 && v >= 0.0 && u < (width - 1) as f32 && v < (height - 1) as f32) {
                continue;
            }
            let (left, top) = (u as usize, v as usize);
            let (p, q) = (u - left as f32, v - top as f32);
            let at = |x: usize, y: usize| f32::from(after[y * width + x]);
            let upper = at(left, top) * (1.0 - p) + at(left + 1, top) * p;
            let lower = at(left, top + 1) * (1.0 - p) + at(left + 1, top + 1) * p;
            sum += (upper * (1.0 - q) + lower * q - f32::from(before[y * width + x])).abs();
            count += 1;
        }
    }
    sum / count as f32
}
