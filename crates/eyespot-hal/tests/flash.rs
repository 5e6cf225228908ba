//! The flash queue loses nothing that it acknowledged, whenever the power is cut.

#![allow(clippy::unwrap_used, clippy::panic)]

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use eyespot_core::{
    BBox, ClassId, Detection, Error, ErrorKind, FrameInfo, Predictions, PredictionsStorage, Record, Sink,
};
use eyespot_hal::{FlashError, FlashSink, ForwardError, WhenFull};
use eyespot_wire::{Event, Stream};

const PAGE: usize = 512;
const PAGES: usize = 5;
const WORD: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoPower,
    Api(NorFlashErrorKind),
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NoPower => NorFlashErrorKind::Other,
            Self::Api(kind) => *kind,
        }
    }
}

/// NOR flash whose power is cut at a chosen word or page.
#[derive(Clone)]
struct Flash {
    bytes: Vec<u8>,
    /// Words and pages until the cut.
    left: Option<usize>,
    /// What the cut leaves of a word or page.
    torn: u64,
    done: usize,
}

impl Flash {
    fn new() -> Self {
        Self { bytes: vec![0xff; PAGE * PAGES], left: None, torn: 0, done: 0 }
    }

    /// Power comes back, and goes again after so many steps.
    fn restart(&mut self, left: Option<usize>) -> &mut Self {
        self.left = left;
        self
    }

    /// One step of work: `false` where the power goes during it.
    fn step(&mut self) -> Result<bool, Fault> {
        match &mut self.left {
            Some(0) => Err(Fault::NoPower),
            Some(left) => {
                *left -= 1;
                self.done += 1;
                Ok(*left > 0)
            }
            None => {
                self.done += 1;
                Ok(true)
            }
        }
    }

    fn random(&mut self) -> u8 {
        self.torn = self.torn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.torn >> 56) as u8
    }

    fn check(&self, offset: u32, len: usize, unit: usize) -> Result<(), Fault> {
        let offset = offset as usize;
        if offset + len > self.bytes.len() {
            return Err(Fault::Api(NorFlashErrorKind::OutOfBounds));
        }
        if !offset.is_multiple_of(unit) || !len.is_multiple_of(unit) {
            return Err(Fault::Api(NorFlashErrorKind::NotAligned));
        }
        Ok(())
    }
}

impl ErrorType for Flash {
    type Error = Fault;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        if self.left == Some(0) {
            return Err(Fault::NoPower);
        }
        self.check(offset, bytes.len(), 1)?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.check(from, (to - from) as usize, PAGE)?;
        for page in (from as usize..to as usize).step_by(PAGE) {
            let whole = self.step()?;
            for at in page..page + PAGE {
                // Some bits have become ones already.
                self.bytes[at] |= if whole { 0xff } else { self.random() };
            }
            if !whole {
                return Err(Fault::NoPower);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.check(offset, bytes.len(), WORD)?;
        for (index, word) in bytes.chunks(WORD).enumerate() {
            let whole = self.step()?;
            for (at, byte) in word.iter().enumerate() {
                // Some bits have become zeros already: none, all or any of them.
                let torn = match self.torn % 3 {
                    0 => 0xff,
                    1 => *byte,
                    _ => *byte | self.random(),
                };
                self.bytes[offset as usize + index * WORD + at] &= if whole { *byte } else { torn };
            }
            if !whole {
                return Err(Fault::NoPower);
            }
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}

type Queue<'f> = FlashSink<&'f mut Flash, Vec<u8>>;

fn open(flash: &mut Flash) -> Result<Queue<'_>, FlashError<Fault>> {
    FlashSink::new(flash, 0..(PAGE * PAGES) as u32, vec![0; 256], WhenFull::Refuse)
}

fn write(queue: &mut Queue<'_>, index: u64) -> Result<(), FlashError<Fault>> {
    let mut results = Predictions::<8>::new();
    for object in 0..index % 5 {
        let bbox = BBox::from_xywh(object as f32 * 3.7, index as f32 + 0.1, 10.3, 20.9);
        results.view_mut().push(Detection::new(bbox, 0.77, ClassId(3)));
    }
    queue.write(&Record {
        info: FrameInfo { index, timestamp_us: index * 33_333, ..FrameInfo::default() },
        name: None,
        image: None,
        predictions: results.view(),
    })
}

/// The numbers of the frames in these bytes; all must be whole.
fn frames(wire: &[u8]) -> Vec<u64> {
    let mut stream = Stream::new(wire);
    let frames = (&mut stream)
        .map(|event| match event.unwrap() {
            Event::Results { info, predictions } => {
                assert_eq!(predictions.view().len() as u64, info.index % 5);
                info.index
            }
            Event::Hello(_) => panic!("no hello was written"),
        })
        .collect();
    assert_eq!((stream.counts().corrupt, stream.counts().malformed), (0, 0));
    frames
}

/// What a device does: it stores frames, and twice it has a line. Gives what was acknowledged and what was sent.
fn work(flash: &mut Flash) -> (Vec<u64>, Vec<u8>) {
    let (mut stored, mut wire) = (Vec::new(), Vec::new());
    let Ok(mut queue) = open(flash) else { return (stored, wire) };
    for index in 0..60 {
        match write(&mut queue, index) {
            Ok(()) => stored.push(index),
            Err(FlashError::Flash(Fault::NoPower)) => break,
            Err(FlashError::Full) => {}
            Err(other) => panic!("{other}"),
        }
        if index % 16 == 7 && queue.forward(&mut wire).is_err() {
            break;
        }
    }
    (stored, wire)
}

#[test]
fn a_power_cut_at_every_word_and_page_loses_nothing() {
    let mut whole = Flash::new();
    let (stored, wire) = work(&mut whole);
    let steps = whole.done;
    // Pages were used more than once.
    assert!(stored.len() > 50 && steps > 1000, "{} {steps}", stored.len());
    assert_eq!(frames(&wire), stored.iter().copied().filter(|&index| index <= 55).collect::<Vec<_>>());

    for cut in 1..=steps {
        for torn in 0..6 {
            let mut flash = Flash { left: Some(cut), torn: torn + 6 * cut as u64, ..Flash::new() };
            let (stored, wire) = work(&mut flash);
            let sent = frames(&wire);

            let mut queue =
                open(flash.restart(None)).unwrap_or_else(|error| panic!("cut {cut} {torn}: {error}"));
            let mut rest = Vec::new();
            queue.forward(&mut rest).unwrap_or_else(|error| panic!("cut {cut} {torn}: {error}"));
            let rest = frames(&rest);
            // Each list in order, and at most one frame twice: the one that was sent and not yet marked.
            assert!(sent.is_sorted_by(|a, b| a < b) && rest.is_sorted_by(|a, b| a < b), "cut {cut} {torn}");
            let again = rest.iter().filter(|index| sent.contains(index)).count();
            assert!(again <= 1, "cut {cut} {torn}: {sent:?} {rest:?}");
            for index in &stored {
                assert!(
                    sent.contains(index) || rest.contains(index),
                    "cut {cut} {torn}: frame {index} is lost"
                );
            }
            // A frame that was being stored may be there; none that never was.
            assert!(rest.iter().all(|&index| index <= stored.last().map_or(0, |last| last + 15)));

            // And it goes on.
            write(&mut queue, 100).unwrap_or_else(|error| panic!("cut {cut} {torn}: {error}"));
            let mut next = Vec::new();
            assert_eq!(queue.forward(&mut next), Ok(1), "cut {cut} {torn}");
            assert_eq!(frames(&next), [100]);
        }
    }
}

#[test]
fn a_second_cut_during_the_repair_loses_nothing() {
    let mut whole = Flash::new();
    work(&mut whole);
    for cut in (1..=whole.done).step_by(3) {
        let mut flash = Flash { left: Some(cut), torn: cut as u64, ..Flash::new() };
        let (stored, wire) = work(&mut flash);
        let sent = frames(&wire);
        for second in 1..16 {
            let mut flash = flash.clone();
            let mut wire = Vec::new();
            if let Ok(mut queue) = open(flash.restart(Some(second))) {
                let _ = queue.forward(&mut wire);
            }
            let mut queue = open(flash.restart(None)).unwrap();
            queue.forward(&mut wire).unwrap_or_else(|error| panic!("cuts {cut} {second}: {error}"));
            let rest = frames(&wire);
            let lost: Vec<_> =
                stored.iter().filter(|index| !sent.contains(index) && !rest.contains(index)).collect();
            assert!(lost.is_empty(), "cuts {cut} {second}: {lost:?} of {stored:?}");
        }
    }
}

#[test]
fn a_line_that_breaks_loses_nothing() {
    /// Takes a number of bytes and then breaks.
    struct Line(Vec<u8>, usize);
    impl embedded_io::ErrorType for Line {
        type Error = embedded_io::ErrorKind;
    }
    impl embedded_io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            let len = bytes.len().min(self.1 - self.0.len());
            self.0.extend(&bytes[..len]);
            if len == 0 { Err(embedded_io::ErrorKind::BrokenPipe) } else { Ok(len) }
        }
        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    let mut flash = Flash::new();
    let mut queue = open(&mut flash).unwrap();
    (0..10).for_each(|index| write(&mut queue, index).unwrap());
    let mut line = Line(Vec::new(), 300);
    let error = queue.forward(&mut line).unwrap_err();
    assert!(matches!(error, ForwardError::Wire(_)) && error.kind() == ErrorKind::Io);
    let mut rest = Vec::new();
    queue.forward(&mut rest).unwrap();
    let whole: Vec<u64> = Stream::new(&line.0[..])
        .map(|event| match event.unwrap() {
            Event::Results { info, .. } => info.index,
            Event::Hello(_) => panic!("no hello was written"),
        })
        .collect();
    assert_eq!([whole, frames(&rest)].concat(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_full_flash_refuses_or_drops_the_oldest() {
    let mut flash = Flash::new();
    let mut queue = open(&mut flash).unwrap();
    let stored = (0..100).take_while(|&index| write(&mut queue, index) == Ok(())).count() as u64;
    assert!((10..40).contains(&stored));
    assert_eq!(write(&mut queue, 104).unwrap_err().kind(), ErrorKind::Capacity);
    let mut wire = Vec::new();
    assert_eq!(queue.forward(&mut wire), Ok(stored as u32));
    assert_eq!(frames(&wire), (0..stored).collect::<Vec<_>>());
    assert_eq!(write(&mut queue, 100), Ok(()));

    let mut fresh = Flash::new();
    let mut queue =
        FlashSink::new(&mut fresh, 0..(PAGE * PAGES) as u32, vec![0; 256], WhenFull::DropOldest).unwrap();
    (0..100).for_each(|index| write(&mut queue, index).unwrap());
    let mut wire = Vec::new();
    let kept = u64::from(queue.forward(&mut wire).unwrap());
    assert!(kept >= 8);
    assert_eq!(frames(&wire), (100 - kept..100).collect::<Vec<_>>());
}

#[test]
fn what_does_not_fit_or_is_no_queue() {
    let mut fresh = Flash::new();
    let mut queue = FlashSink::new(&mut fresh, 512..2048, vec![0; 40], WhenFull::Refuse).unwrap();
    assert_eq!(write(&mut queue, 4), Err(FlashError::Buffer { bytes: 40 }));
    let mut fresh = Flash::new();
    let mut queue = FlashSink::new(&mut fresh, 0..2048, vec![0; 4096], WhenFull::Refuse).unwrap();
    let mut many = Predictions::<30>::new();
    for object in 0..30u8 {
        let bbox = BBox::from_xywh(f32::from(object) + 0.3, 1.1, 10.3, 20.9);
        many.view_mut().push(Detection::new(bbox, 0.77, ClassId(3)));
    }
    let record = Record { info: FrameInfo::default(), name: None, image: None, predictions: many.view() };
    assert_eq!(queue.write(&record), Err(FlashError::Page));
    for range in [0..700, 0..512, 512..512, 100..1024] {
        assert!(matches!(
            FlashSink::new(&mut fresh, range, [0; 40], WhenFull::Refuse),
            Err(FlashError::Range)
        ));
    }
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = 1024..512;
    let mut fresh = Flash::new();
    assert!(FlashSink::new(&mut fresh, backwards, [0; 40], WhenFull::Refuse).is_err());

    // Foreign content: an error or an empty queue, and after erasing it works.
    let mut foreign = Flash::new();
    foreign.bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 7) as u8);
    let mut queue = open(&mut foreign).unwrap();
    let _ = write(&mut queue, 1);
    queue.erase().unwrap();
    assert_eq!(write(&mut queue, 1), Ok(()));
    assert_eq!(queue.forward(&mut Vec::new()), Ok(1));
}
