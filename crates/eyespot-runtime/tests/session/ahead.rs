//! Models that work ahead: the next batch is submitted before the results of the one before are collected.

use std::collections::VecDeque;

use super::*;

/// What happened to the batches, each by the level of its first frame.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Event {
    Submit(u8),
    Collect(u8),
}
use Event::{Collect, Submit};

#[derive(Debug, Default)]
struct Log {
    events: Mutex<Vec<Event>>,
    /// Frames that the source was asked for.
    asked: AtomicU64,
    /// A collection lasts until then.
    hold: Mutex<Option<Arc<AtomicBool>>>,
}

/// As `Level`, but ahead.
struct Ahead {
    level: Level,
    log: Arc<Log>,
    under_way: VecDeque<Vec<u8>>,
    /// A submission lasts until the next batch waits: so many frames to a batch, and in all.
    next_of: Option<(u64, u64)>,
    /// What can't be submitted or collected.
    refuse: [Option<(u8, ErrorKind)>; 2],
}

impl Ahead {
    fn new() -> (Self, Arc<Log>) {
        let log = Arc::new(Log::default());
        let (level, _) = Level::new();
        let ahead = Self {
            level,
            log: Arc::clone(&log),
            under_way: VecDeque::new(),
            next_of: None,
            refuse: [None; 2],
        };
        (ahead, log)
    }

    fn refused(&self, side: usize, levels: &[u8]) -> Result<(), Refused> {
        match self.refuse[side] {
            Some((level, kind)) if levels.contains(&level) => Err(Refused(kind)),
            _ => Ok(()),
        }
    }
}

impl ErrorType for Ahead {
    type Error = Refused;
}

impl Predictor for Ahead {
    fn spec(&self) -> ModelSpec<'_> {
        self.level.spec()
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Refused> {
        self.level.predict(frame, options, out)
    }
    fn submit(&mut self, frames: &[Frame<'_>], _: &PredictOptions<'_>) -> Result<bool, Refused> {
        assert!(self.under_way.len() < 2);
        let levels: Vec<u8> = frames.iter().map(|frame| frame.image.rgb(0, 0)[0]).collect();
        self.log.events.lock().unwrap().push(Submit(levels[0]));
        if let Some((batch, all)) = self.next_of {
            // A frame was handed over for sure when the one behind it is asked for.
            let last = u64::from(levels[levels.len() - 1]);
            while self.log.asked.load(Ordering::SeqCst) < (last + batch + 2).min(all + 1) {
                std::thread::yield_now();
            }
        }
        self.refused(0, &levels)?;
        self.under_way.push_back(levels);
        Ok(true)
    }
    fn collect(&mut self, _: &PredictOptions<'_>, out: &mut dyn BatchOutput) -> Result<(), Refused> {
        let levels = self.under_way.pop_front().unwrap();
        self.log.events.lock().unwrap().push(Collect(levels[0]));
        let hold = self.log.hold.lock().unwrap().clone();
        while hold.as_ref().is_some_and(|hold| hold.load(Ordering::SeqCst)) {
            std::thread::yield_now();
        }
        self.refused(1, &levels)?;
        for (index, level) in levels.into_iter().enumerate() {
            let bbox = BBox::new(0.0, 0.0, f32::from(level) + 1.0, 8.0);
            out.output(index).push(Detection::new(bbox, 0.9, ClassId(0)));
        }
        Ok(())
    }
    fn discard(&mut self) {
        self.under_way.clear();
    }
}

/// So many frames; counts what it is asked for.
fn asked(log: &Arc<Log>, count: u8) -> Box<dyn MediaSource> {
    let log = Arc::clone(log);
    Box::new(Before(Numbers::boxed("a", count, &[]), move || {
        log.asked.fetch_add(1, Ordering::SeqCst);
    }))
}

/// A session over so many frames that the model is never ahead of the reader.
fn counted(mut ahead: Ahead, log: &Arc<Log>, count: u8, batch: usize) -> Session {
    ahead.next_of = Some((batch as u64, count.into()));
    let source = asked(log, count);
    Session::new(&Model::from_predictor(ahead), vec![Ok(source)], &settings(batch)).unwrap()
}

fn good(levels: impl IntoIterator<Item = u8>) -> Vec<Result<u8, String>> {
    levels.into_iter().map(Ok).collect()
}

#[test]
fn the_next_batch_is_submitted_before_the_results_of_the_one_before_are_collected() {
    // No more results than the caller may leave waiting, so that nothing depends on how fast it is.
    let expected: [(u8, usize, &[Event]); 3] = [
        (3, 1, &[Submit(0), Submit(1), Collect(0), Submit(2), Collect(1), Collect(2)]),
        (4, 2, &[Submit(0), Submit(2), Collect(0), Collect(2)]),
        (5, 4, &[Submit(0), Submit(4), Collect(0), Collect(4)]),
    ];
    for (count, batch, events) in expected {
        let (ahead, log) = Ahead::new();
        let mut session = counted(ahead, &log, count, batch);
        assert_eq!(all(session.by_ref()), good(0..count));
        assert_eq!(*log.events.lock().unwrap(), events);
        assert_eq!((session.times().frames, session.progress().done), (count.into(), count.into()));
    }
}

#[test]
fn results_and_errors_keep_their_order() {
    let refused = |level: u8, batch: usize, refuse: [Option<(u8, ErrorKind)>; 2]| {
        let (mut ahead, log) = Ahead::new();
        ahead.refuse = refuse;
        // A batch that fails goes frame by frame.
        ahead.level.refuse = Some((level, ErrorKind::InvalidInput));
        let results = all(counted(ahead, &log, 20, batch));
        let mut expected = good(0..20);
        expected[usize::from(level)] = Err("a: predictor: refused".to_owned());
        assert_eq!(results, expected, "{batch}");
    };
    for batch in [1, 3, 8] {
        refused(7, batch, [Some((7, ErrorKind::InvalidInput)), None]);
        refused(7, batch, [None, Some((7, ErrorKind::InvalidInput))]);
        refused(19, batch, [Some((19, ErrorKind::Other)), None]);
    }
    // A frame that can't be read, and a source that can't be opened, with a batch under way.
    for batch in [1, 3] {
        let (ahead, _) = Ahead::new();
        let missing = MediaError::NoImages { path: "nowhere".into() };
        let sources = vec![Ok(Numbers::boxed("a", 6, &[2])), Err(missing), Ok(Numbers::boxed("b", 3, &[]))];
        let results = all(Session::new(&Model::from_predictor(ahead), sources, &settings(batch)).unwrap());
        let levels: Vec<Option<u8>> = results.into_iter().map(Result::ok).collect();
        let expected = [Some(0), Some(1), None, Some(3), Some(4), Some(5), None, Some(0), Some(1), Some(2)];
        assert_eq!(levels, expected);
    }
}

#[test]
fn a_lost_device_ends_the_session_and_leaves_nothing_to_the_next() {
    for side in [0, 1] {
        let (mut ahead, log) = Ahead::new();
        ahead.refuse[side] = Some((3, ErrorKind::Device));
        ahead.next_of = Some((1, 20));
        let model = Model::from_predictor(ahead);
        let source = asked(&log, 20);
        let mut session = Session::new(&model, vec![Ok(source)], &settings(1)).unwrap();
        assert_eq!(all(session.by_ref().take(3)), good(0..3));
        let error = session.next().unwrap().unwrap_err();
        assert!(error.is_fatal() && session.next().is_none());
        assert_eq!(session.status(), Status::Failed);
        // The fourth batch was under way when the third failed.
        log.asked.store(100, Ordering::SeqCst);
        let again = Session::new(&model, vec![Ok(Numbers::boxed("b", 3, &[]))], &settings(1)).unwrap();
        assert_eq!(all(again), good(0..3), "{:?}", log.events.lock().unwrap());
    }
}

#[test]
fn a_session_can_be_stopped_with_a_batch_under_way() {
    let (mut ahead, log) = Ahead::new();
    ahead.next_of = Some((1, 250));
    let hold = Arc::new(AtomicBool::new(true));
    *log.hold.lock().unwrap() = Some(Arc::clone(&hold));
    let model = Model::from_predictor(ahead);
    let source = asked(&log, 250);
    let mut session = Session::new(&model, vec![Ok(source)], &settings(1)).unwrap();
    // The first result is being collected, with the second batch under way.
    while !log.events.lock().unwrap().contains(&Collect(0)) {
        std::thread::yield_now();
    }
    let release = std::thread::spawn({
        let hold = Arc::clone(&hold);
        move || {
            std::thread::sleep(Duration::from_millis(100));
            hold.store(false, Ordering::SeqCst);
        }
    });
    session.stop();
    release.join().unwrap();
    assert_eq!(session.status(), Status::Stopped);
    assert_eq!(all(session), good(0..1));
    assert_eq!(*log.events.lock().unwrap(), [Submit(0), Submit(1), Collect(0)]);
    // What was under way is not taken for the results of another session.
    log.asked.store(1000, Ordering::SeqCst);
    let again = Session::new(&model, vec![Ok(Numbers::boxed("b", 2, &[]))], &settings(1)).unwrap();
    assert_eq!(all(again), good(0..2));
}

/// Frames that come when they are sent.
struct Live(Receiver<u8>, Vec<u8>);

impl ErrorType for Live {
    type Error = MediaError;
}

impl FrameSource for Live {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Ok(level) = self.0.recv() else { return Ok(None) };
        self.1 = vec![level; 64 * 32];
        Ok(Some(Frame::new(ImageView::packed(&self.1, 64, 32, PixelFormat::Gray8).unwrap(), 0, 0)))
    }
}

impl MediaSource for Live {
    fn name(&self) -> &str {
        "live"
    }
    fn frame_count(&self) -> Option<u64> {
        None
    }
    fn fps(&self) -> Option<f64> {
        None
    }
    fn set_id(&mut self, _: SourceId) {}
}

#[test]
fn the_result_of_a_live_frame_does_not_wait_for_the_next_frame() {
    let (send, frames) = channel();
    let (ahead, _) = Ahead::new();
    let source: Box<dyn MediaSource> = Box::new(Live(frames, Vec::new()));
    let mut session = Session::new(&Model::from_predictor(ahead), vec![Ok(source)], &settings(1)).unwrap();
    for level in 0..5 {
        send.send(level).unwrap();
        let result = session.next_timeout(Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(all([result].into_iter()), good([level]));
    }
    drop(send);
    assert!(session.next().is_none());
}

/// One session whose caller does not come leaves the model to others, and results go to whom they belong.
#[test]
fn sessions_that_share_a_model_get_their_own_results() {
    let (ahead, _) = Ahead::new();
    let model = Model::from_predictor(ahead);
    let numbers = |first: u8| -> Box<dyn MediaSource> {
        let (next, count, broken, pixels) = (first, first + 50, &[], vec![0; 64 * 32]);
        Box::new(Numbers { next, count, broken, pixels, name: "a".into(), id: SourceId(0) })
    };
    for batch in [1, 4] {
        let session = |first| Session::new(&model, vec![Ok(numbers(first))], &settings(batch)).unwrap();
        let (waiting, mut one, mut other) = (session(0), session(100), session(200));
        for step in 0..50 {
            let next = |session: &mut Session, level| {
                let result = session.next_timeout(Duration::from_secs(60)).unwrap().unwrap();
                assert_eq!(all([result].into_iter()), good([level]));
            };
            next(&mut one, 100 + step);
            next(&mut other, 200 + step);
        }
        assert_eq!(all(waiting), good(0..50));
    }
}

#[test]
fn a_slow_caller_stops_the_reading_of_a_model_that_works_ahead() {
    let (ahead, _) = Ahead::new();
    let sources = (0..8).map(|_| Ok(Numbers::boxed("a", 250, &[]))).collect();
    let mut session = Session::new(&Model::from_predictor(ahead), sources, &settings(4)).unwrap();
    let mut most = 0;
    for taken in 0..2_000 {
        if taken % 500 == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        most = most.max(session.progress().read - taken);
        assert!(session.step(&mut Boxed(NullSink)).unwrap().is_some());
    }
    assert!(session.step(&mut Boxed(NullSink)).unwrap().is_none());
    // A batch that waits, two whose results are in the worker, and the results of one that wait for the caller.
    assert!(most <= 24, "{most} frames under way");
}
