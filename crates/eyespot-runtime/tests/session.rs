//! Sessions: order, batches, errors in their place, bounded memory, stopping.

#![allow(clippy::unwrap_used)]

#[path = "session/ahead.rs"]
mod ahead;

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eyespot_core::{
    AnyError, BBox, BatchOutput, Boxed, ClassId, Detection, Embedder, Error, ErrorKind, ErrorType, Frame,
    FrameSource, ImageView, InputSize, ModelSpec, NullSink, PipelineError, PixelFormat, PredictOptions,
    PredictionsMut, Predictor, Record, Sink, SourceId,
};
use eyespot_media::{Input, MediaError, MediaSource, MemoryImage, VideoOptions};
use eyespot_runtime::{
    Model, Prediction, RuntimeError, Session, SessionError, Settings, Status, TimedOut, Tracking,
    WindowSettings,
};
use eyespot_window::Tiles;

#[derive(Debug)]
struct Refused(ErrorKind);
impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}
impl std::error::Error for Refused {}
impl Error for Refused {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

/// Grey frames whose level is their number; some can't be read.
struct Numbers {
    next: u8,
    count: u8,
    broken: &'static [u8],
    pixels: Vec<u8>,
    name: String,
    id: SourceId,
}

impl Numbers {
    fn boxed(name: &str, count: u8, broken: &'static [u8]) -> Box<dyn MediaSource> {
        Box::new(Self {
            next: 0,
            count,
            broken,
            pixels: vec![0; 64 * 32],
            name: name.into(),
            id: SourceId(0),
        })
    }
}

impl ErrorType for Numbers {
    type Error = MediaError;
}

impl FrameSource for Numbers {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        if self.next == self.count {
            return Ok(None);
        }
        let number = self.next;
        self.next += 1;
        if self.broken.contains(&number) {
            return Err(MediaError::BrokenImage { path: self.name.clone().into(), reason: "test".into() });
        }
        self.pixels.fill(number);
        let image = ImageView::packed(&self.pixels, 64, 32, PixelFormat::Gray8).unwrap();
        let mut frame = Frame::new(image, number.into(), 0).named(&self.name);
        frame.info.source = self.id;
        Ok(Some(frame))
    }
}

impl MediaSource for Numbers {
    fn name(&self) -> &str {
        &self.name
    }
    fn frame_count(&self) -> Option<u64> {
        Some(self.count.into())
    }
    fn fps(&self) -> Option<f64> {
        None
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}

/// What the predictor was asked.
#[derive(Debug, Default)]
struct Seen {
    calls: AtomicU64,
    batches: Mutex<Vec<Vec<u8>>>,
    sizes: Mutex<Vec<(u16, u16)>>,
    asked: Mutex<Option<InputSize>>,
}

/// Finds a box whose right edge is the level of the frame's first pixel; refuses one level.
struct Level {
    seen: Arc<Seen>,
    refuse: Option<(u8, ErrorKind)>,
    pause: Duration,
    panic_at: Option<u8>,
}

impl Level {
    fn new() -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let predictor = Self { seen: Arc::clone(&seen), refuse: None, pause: Duration::ZERO, panic_at: None };
        (predictor, seen)
    }
}

impl ErrorType for Level {
    type Error = Refused;
}

impl Predictor for Level {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("level", Some(InputSize::square(16)), &["level"])
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Refused> {
        let level = frame.image.rgb(0, 0)[0];
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.sizes.lock().unwrap().push((frame.image.width(), frame.image.height()));
        *self.seen.asked.lock().unwrap() = Some(options.img_size_or(InputSize::square(16)));
        std::thread::sleep(self.pause);
        assert_ne!(self.panic_at, Some(level), "as the test wants");
        match self.refuse {
            Some((refused, kind)) if refused == level => Err(Refused(kind)),
            _ => {
                out.push(Detection::new(BBox::new(0.0, 0.0, f32::from(level) + 1.0, 8.0), 0.9, ClassId(0)));
                Ok(())
            }
        }
    }
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Refused> {
        self.seen.batches.lock().unwrap().push(frames.iter().map(|frame| frame.image.rgb(0, 0)[0]).collect());
        for (index, frame) in frames.iter().enumerate() {
            self.predict(frame, options, out.output(index))?;
        }
        Ok(())
    }
}

/// Does something before each frame is read.
struct Before<F>(Box<dyn MediaSource>, F);

impl<F> ErrorType for Before<F> {
    type Error = MediaError;
}

impl<F: FnMut() + Send> FrameSource for Before<F> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        self.1();
        self.0.next_frame()
    }
}

impl<F: FnMut() + Send> MediaSource for Before<F> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn frame_count(&self) -> Option<u64> {
        self.0.frame_count()
    }
    fn fps(&self) -> Option<f64> {
        self.0.fps()
    }
    fn set_id(&mut self, id: SourceId) {
        self.0.set_id(id);
    }
}

fn settings(batch: usize) -> Settings {
    Settings { batch_size: NonZeroUsize::new(batch), ..Settings::default() }
}

/// The results as right edges, errors as the words that they begin with.
fn all(session: impl Iterator<Item = Result<Prediction, SessionError>>) -> Vec<Result<u8, String>> {
    session
        .map(|result| match result {
            Ok(prediction) => Ok(prediction.boxes().next().unwrap().x2 as u8 - 1),
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

#[test]
fn results_and_errors_come_in_the_order_of_the_items() {
    for batch in [1, 3, 8, 50] {
        let (mut predictor, seen) = Level::new();
        predictor.refuse = Some((5, ErrorKind::InvalidInput));
        let model = Model::from_predictor(predictor);
        let missing = MediaError::NoImages { path: "nowhere".into() };
        let sources = vec![Ok(Numbers::boxed("a", 10, &[2])), Err(missing), Ok(Numbers::boxed("b", 3, &[]))];
        let mut session = Session::new(&model, sources, &settings(batch)).unwrap();
        let results = all(session.by_ref());
        let progress = session.progress();
        // The source that could not be opened counts as an item that was dealt with.
        assert_eq!((progress.read, progress.done, progress.total), (14, 14, Some(13)));
        let names: Vec<_> = session.sources().all().into_iter().map(|source| source.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(results.len(), 14, "{results:?}");
        let text = |index: usize| results[index].clone().unwrap_err();
        assert!(text(2).contains("a"), "{results:?}");
        assert_eq!(text(5), "a: predictor: refused");
        assert!(text(10).contains("nowhere"), "{results:?}");
        let good: Vec<u8> = results.iter().flatten().copied().collect();
        assert_eq!(good, [0, 1, 3, 4, 6, 7, 8, 9, 0, 1, 2]);
        let largest = seen.batches.lock().unwrap().iter().map(Vec::len).max();
        assert!(largest <= Some(batch) && (batch > 7 || largest == Some(batch)), "{batch}: {largest:?}");
    }
}

/// A caller that does not come holds up the reading: of all frames only a few are in memory.
#[test]
fn a_slow_caller_stops_the_reading() {
    let (predictor, seen) = Level::new();
    let model = Model::from_predictor(predictor);
    let sources = (0..40).map(|_| Ok(Numbers::boxed("a", 250, &[]))).collect();
    let mut session = Session::new(&model, sources, &settings(4)).unwrap();
    let mut most = 0;
    for taken in 0..10_000 {
        if taken % 2_500 == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        most = most.max(session.progress().read - taken);
        assert!(session.step(&mut Boxed(NullSink)).unwrap().is_some());
    }
    assert!(session.step(&mut Boxed(NullSink)).unwrap().is_none());
    assert_eq!((session.status(), session.is_done()), (Status::Done, true));
    assert_eq!(seen.calls.load(Ordering::SeqCst), 10_000);
    // A batch being filled, one that waits, one in the worker, and the results of one that wait for the caller.
    assert!(most <= 24, "{most} frames under way");
}

#[test]
fn stopping_takes_no_longer_than_a_frame() {
    let (mut predictor, seen) = Level::new();
    predictor.pause = Duration::from_millis(20);
    let model = Model::from_predictor(predictor);
    let mut session = Session::new(&model, vec![Ok(Numbers::boxed("a", 250, &[]))], &settings(1)).unwrap();
    assert!(matches!(session.next_timeout(Duration::ZERO), Err(TimedOut)));
    assert!(session.next_timeout(Duration::from_secs(60)).unwrap().is_some());
    session.stop();
    let calls = seen.calls.load(Ordering::SeqCst);
    assert!(calls < 20, "{calls}");
    assert_eq!((session.status(), session.is_done()), (Status::Stopped, true));
    // What was ready can still be taken, in order.
    let left: Vec<u64> = session.by_ref().map(|result| result.unwrap().info().index).collect();
    assert_eq!(left, (1..calls).collect::<Vec<_>>());
    assert!(session.next().is_none() && session.status() == Status::Stopped);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(seen.calls.load(Ordering::SeqCst), calls);
    // The model is free again.
    let again = Session::new(&model, vec![Ok(Numbers::boxed("b", 2, &[]))], &settings(1)).unwrap();
    assert_eq!(all(again), [Ok(0), Ok(1)]);
}

#[test]
fn a_lost_device_a_panic_and_a_sink_that_cannot_write_end_the_session() {
    let sources = || vec![Ok(Numbers::boxed("a", 100, &[]))];
    for batch in [1, 4] {
        let (mut predictor, _) = Level::new();
        predictor.refuse = Some((3, ErrorKind::Device));
        let mut session =
            Session::new(&Model::from_predictor(predictor), sources(), &settings(batch)).unwrap();
        let error = session.find_map(Result::err).unwrap();
        assert!(error.is_fatal() && session.is_done() && session.next().is_none());
        assert_eq!(session.status(), Status::Failed);
    }

    let (mut predictor, _) = Level::new();
    predictor.panic_at = Some(3);
    let mut session = Session::new(&Model::from_predictor(predictor), sources(), &settings(1)).unwrap();
    let error = session.find_map(Result::err).unwrap();
    assert!(error.is_fatal() && error.to_string().contains("broke down"), "{error}");
    assert_eq!((session.next().is_none(), session.status()), (true, Status::Failed));

    struct Full(u64);
    impl ErrorType for Full {
        type Error = Refused;
    }
    impl Sink for Full {
        fn write(&mut self, record: &Record<'_>) -> Result<(), Refused> {
            assert_eq!((record.name, record.image.is_some()), (Some("a"), true));
            if record.info.index < self.0 { Ok(()) } else { Err(Refused(ErrorKind::Io)) }
        }
    }
    let (predictor, _) = Level::new();
    let mut session = Session::new(&Model::from_predictor(predictor), sources(), &settings(1)).unwrap();
    let mut sink = Boxed(Full(2));
    assert!(session.step(&mut sink).is_ok() && session.step(&mut sink).is_ok());
    let error = session.step(&mut sink).unwrap_err();
    assert!(matches!(&error.error, PipelineError::Sink(_)) && error.is_fatal(), "{error}");
    assert_eq!(session.status(), Status::Failed);
}

/// `img_size` is the model's input, or, with a sliding window, the size of the frame before it is cut.
#[test]
fn img_size_resizes_the_input_or_the_frame() {
    let size = InputSize::new(128, 32);
    let (predictor, seen) = Level::new();
    let model = Model::from_predictor(predictor);
    let plain = Settings { img_size: Some(size), ..Settings::default() };
    let results = all(Session::new(&model, vec![Ok(Numbers::boxed("a", 1, &[]))], &plain).unwrap());
    assert_eq!((results, *seen.asked.lock().unwrap()), (vec![Ok(0)], Some(size)));

    seen.sizes.lock().unwrap().clear();
    let window = WindowSettings { tiles: Tiles::square(32), ..WindowSettings::default() };
    for batch in [1, 3] {
        let settings = Settings { sliding_window: Some(window), ..settings(batch) };
        let settings = Settings { img_size: Some(size), ..settings };
        let session = Session::new(&model, vec![Ok(Numbers::boxed("a", 2, &[]))], &settings).unwrap();
        let boxes: Vec<Vec<BBox>> = session.map(|result| result.unwrap().boxes().collect()).collect();
        // Frames of 64 x 32 became 128 x 32: four windows, in each a box that is half as wide in the frame.
        let expected = [0.0, 16.0, 32.0, 48.0].map(|x| BBox::new(x, 0.0, x + 1.0, 8.0)).to_vec();
        assert_eq!(boxes[1], expected);
    }
    assert!(seen.sizes.lock().unwrap().iter().all(|&size| size == (32, 32)));
    assert_eq!(*seen.asked.lock().unwrap(), Some(InputSize::square(16)));
}

#[test]
fn what_cannot_work_is_said_at_once() {
    /// Takes frames as they are.
    struct Any;
    impl ErrorType for Any {
        type Error = Refused;
    }
    impl Predictor for Any {
        fn spec(&self) -> ModelSpec<'_> {
            ModelSpec::boxes("any", None, &["thing"])
        }
        fn predict(
            &mut self,
            _: &Frame<'_>,
            _: &PredictOptions<'_>,
            _: PredictionsMut<'_>,
        ) -> Result<(), Refused> {
            Ok(())
        }
    }
    let model = Model::from_predictor(Any);
    let open = |settings: &Settings| {
        Session::new(&model, vec![Ok(Numbers::boxed("a", 1, &[]))], settings).map(|_| ()).unwrap_err()
    };
    let sized = Settings { img_size: Some(InputSize::square(64)), ..Settings::default() };
    assert!(matches!(open(&sized), RuntimeError::NoInputSize { .. }));
    let classes = Settings { classes: Some(vec!["thong".into()]), ..Settings::default() };
    assert!(open(&classes).to_string().contains("thing"));
    let video = VideoOptions { start_frame: 9, end_frame: Some(3), ..VideoOptions::default() };
    let error = open(&Settings { video, ..Settings::default() }).to_string();
    assert!(error.contains("start_frame 9") && error.contains("end_frame 3"), "{error}");
    let none: Vec<Result<Box<dyn MediaSource>, MediaError>> =
        vec![Err(MediaError::NoImages { path: "nowhere".into() })];
    assert!(matches!(Session::new(&model, none, &Settings::default()), Err(RuntimeError::Media(_))));
    let any: AnyError = AnyError::new(TimedOut);
    assert_eq!(any.kind(), ErrorKind::Timeout);
}

/// A network that describes objects may fail: the frame is tracked by its boxes, its results come, and so does the error.
#[test]
fn a_failed_embedding_costs_no_result() {
    /// Fails on every third frame.
    struct Flaky(u64);
    impl ErrorType for Flaky {
        type Error = Refused;
    }
    impl Embedder for Flaky {
        fn dim(&self) -> usize {
            512
        }
        fn embed(
            &mut self,
            _: &Frame<'_>,
            _: &[BBox],
            out: &mut dyn FnMut(usize, &[f32]),
        ) -> Result<(), Refused> {
            self.0 += 1;
            if self.0.is_multiple_of(3) {
                return Err(Refused(ErrorKind::Other));
            }
            out(0, &[1.0; 512]);
            Ok(())
        }
    }
    let (predictor, _) = Level::new();
    let model = Model::from_predictor(predictor).with_embedder(Box::new(Boxed(Flaky(0))));
    let tracking = Tracking { with_reid: true, ..Tracking::default() };
    let settings = Settings { tracking: Some(tracking), ..Settings::default() };
    let session = Session::new(&model, vec![Ok(Numbers::boxed("a", 12, &[]))], &settings).unwrap();
    let (results, errors): (Vec<_>, Vec<_>) = session.partition(Result::is_ok);
    assert_eq!((results.len(), errors.len()), (12, 4));
    assert!(errors.iter().flat_map(|error| error.as_ref().err()).all(|error| !error.is_fatal()));
    let tracked = results.iter().flatten().filter(|result| result.track_ids().any(|id| id.is_some())).count();
    assert!(tracked >= 10, "{tracked}");
}

/// While one frame is tracked, here by what its objects look like, the model is given the next.
#[test]
fn a_frame_is_tracked_while_the_next_is_predicted() {
    struct Telling(Level, Sender<u64>);
    impl ErrorType for Telling {
        type Error = Refused;
    }
    impl Predictor for Telling {
        fn spec(&self) -> ModelSpec<'_> {
            self.0.spec()
        }
        fn predict(
            &mut self,
            frame: &Frame<'_>,
            options: &PredictOptions<'_>,
            out: PredictionsMut<'_>,
        ) -> Result<(), Refused> {
            self.1.send(frame.info.index).map_err(|_| Refused(ErrorKind::Other))?;
            self.0.predict(frame, options, out)
        }
    }
    /// Takes until the model has the next frame.
    struct Waiting(Receiver<u64>);
    impl ErrorType for Waiting {
        type Error = Refused;
    }
    impl Embedder for Waiting {
        fn dim(&self) -> usize {
            512
        }
        fn embed(
            &mut self,
            frame: &Frame<'_>,
            _: &[BBox],
            out: &mut dyn FnMut(usize, &[f32]),
        ) -> Result<(), Refused> {
            let (index, mut seen) = (frame.info.index, 0);
            while index < 4 && seen <= index {
                seen =
                    self.0.recv_timeout(Duration::from_secs(20)).map_err(|_| Refused(ErrorKind::Timeout))?;
            }
            out(0, &[1.0; 512]);
            Ok(())
        }
    }
    let (told, tells) = channel();
    let model =
        Model::from_predictor(Telling(Level::new().0, told)).with_embedder(Box::new(Boxed(Waiting(tells))));
    let tracking = Tracking { with_reid: true, ..Tracking::default() };
    let settings = Settings { tracking: Some(tracking), ..settings(1) };
    let session = Session::new(&model, vec![Ok(Numbers::boxed("a", 6, &[]))], &settings).unwrap();
    let results: Vec<_> = session.map(Result::unwrap).collect();
    assert_eq!(results.len(), 6);
    assert!(results.iter().skip(1).all(|result| result.track_ids().any(|id| id.is_some())));
}

/// An image of one colour in memory.
fn image(level: u8) -> MemoryImage {
    let mut bytes = b"P5\n32 16\n255\n".to_vec();
    bytes.resize(bytes.len() + 32 * 16, level);
    MemoryImage::encoded(bytes).named(format!("image {level}"))
}

/// A server that takes connections and says nothing.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/live", listener.local_addr().unwrap());
    (listener, address)
}

#[test]
fn inputs_are_opened_one_after_the_other_in_the_background() {
    let (predictor, _) = Level::new();
    let model = Model::from_predictor(predictor);
    let folder = tempfile::tempdir().unwrap();
    let inputs = || {
        let broken = MemoryImage::encoded(b"P5\n32 16\n255\n".to_vec()).named("short");
        let empty = Input::Path(folder.path().to_path_buf());
        Input::from([
            image(1).into(),
            broken.into(),
            image(2).into(),
            empty,
            image(3).into(),
            Input::from("gone.png"),
        ])
    };
    let results = all(model.predict(inputs(), &Settings::default()).unwrap());
    let good: Vec<u8> = results.iter().flatten().copied().collect();
    assert_eq!((results.len(), good), (6, vec![1, 2, 3]));
    let error = |index: usize| results[index].clone().unwrap_err();
    assert!(error(1).contains("short") && error(5).contains("gone.png"), "{results:?}");
    assert!(error(3).contains(folder.path().to_str().unwrap()), "{results:?}");

    // A server that does not answer holds up neither the caller nor what comes before it, nor the end.
    let (_listener, address) = silent_server();
    let start = Instant::now();
    let mut session = model
        .predict(Input::from([image(7).into(), folder.path().into(), Input::from(address)]), &settings(1))
        .unwrap();
    assert!(session.next_timeout(Duration::from_secs(20)).unwrap().unwrap().is_ok());
    assert!(session.next_timeout(Duration::from_secs(20)).unwrap().unwrap().is_err());
    assert!(matches!(session.next_timeout(Duration::from_millis(300)), Err(TimedOut)));
    session.stop();
    assert_eq!((session.status(), session.next().is_none()), (Status::Stopped, true));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

/// Reading, predicting and the caller's work go on side by side: all of it takes about as long as the slowest of them.
#[test]
fn the_slowest_stage_sets_the_pace() {
    /// Takes its time to write.
    struct Pause;
    impl ErrorType for Pause {
        type Error = Refused;
    }
    impl Sink for Pause {
        fn write(&mut self, _: &Record<'_>) -> Result<(), Refused> {
            std::thread::sleep(Duration::from_millis(12));
            Ok(())
        }
    }
    let (mut predictor, _) = Level::new();
    predictor.pause = Duration::from_millis(20);
    let model = Model::from_predictor(predictor);
    let source: Box<dyn MediaSource> = Box::new(Before(Numbers::boxed("a", 100, &[]), || {
        std::thread::sleep(Duration::from_millis(12));
    }));
    let start = Instant::now();
    let mut session = Session::new(&model, vec![Ok(source)], &settings(1)).unwrap();
    while session.step(&mut Boxed(Pause)).unwrap().is_some() {}
    let (all, times) = (start.elapsed(), session.times());
    let slowest = times.source.max(times.predict).max(times.sink);
    let share = slowest.as_secs_f64() / all.as_secs_f64();
    eprintln!("slowest stage alone: {share:.2} of the time of all");
    assert!(share >= 0.9, "{share}");
    // Side by side indeed.
    assert!(times.source + times.predict + times.sink > all.mul_f64(1.5), "{times:?} {all:?}");
}
