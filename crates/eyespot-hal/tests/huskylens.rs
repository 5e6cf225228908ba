//! The smart camera against the messages of its protocol's description.

#![allow(clippy::unwrap_used, clippy::panic)]

use embedded_hal::i2c::ErrorKind as I2cKind;
use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use eyespot_core::{
    ClassId, ClassSet, Error, ErrorKind, FrameSource, PredictOptions, Predictions, PredictionsStorage,
    Predictor,
};
use eyespot_hal::{Algorithm, HuskyLens, HuskyLensError, Ticks};
use proptest::prelude::*;

const LENS: u8 = 0x32;
const LABELS: [&str; 2] = ["unknown", "cup"];

fn request() -> Transaction {
    Transaction::write(LENS, vec![0x55, 0xaa, 0x11, 0x00, 0x21, 0x31])
}

fn message(command: u8, words: [u16; 5]) -> Vec<u8> {
    let mut bytes = vec![0x55, 0xaa, 0x11, 0x0a, command];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.push(bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    bytes
}

fn info(count: u16) -> Transaction {
    Transaction::read(LENS, message(0x29, [count, 1, 5, 0, 0]))
}

fn nothing() -> Transaction {
    Transaction::read(LENS, vec![0xff; 16])
}

/// Runs one prediction over a frame of 640 x 480.
fn predict(
    transactions: &[Transaction],
    options: &PredictOptions<'_>,
) -> (Result<(), HuskyLensError<I2cKind>>, Predictions<8>) {
    let mut bus = Mock::new(transactions);
    let mut lens = HuskyLens::new(bus.clone(), NoopDelay, &LABELS).with_timeout_ms(3);
    assert_eq!(lens.spec().label(ClassId(1)), Some("cup"));
    let mut ticks = Ticks::new(640, 480, || 0).unwrap();
    let mut results = Predictions::<8>::new();
    let result = lens.predict(&ticks.next_frame().unwrap().unwrap(), options, results.view_mut());
    bus.done();
    (result, results)
}

#[test]
fn the_example_of_the_description() {
    let block = Transaction::read(
        LENS,
        vec![0x55, 0xaa, 0x11, 0x0a, 0x2a, 0x2c, 0x01, 0xc8, 0x00, 0x0a, 0x00, 0x14, 0x00, 0x01, 0x00, 0x58],
    );
    let (result, results) = predict(&[request(), nothing(), info(1), block], &PredictOptions::new());
    assert_eq!(result, Ok(()));
    let found = results.view().detections()[0];
    // Centre 300, 200 and size 10 x 20 of 320 x 240, in a frame of twice the size.
    assert_eq!(
        (found.bbox.xyxy(), found.class, found.score),
        ([590.0, 380.0, 610.0, 420.0], ClassId(1), 1.0)
    );
}

#[test]
fn boxes_may_be_cut_anywhere_and_follow_old_answers() {
    let mut bytes = vec![0xff, 0x55, 0x55, 0xaa];
    // An answer to an earlier request, then ours.
    bytes.extend(message(0x2a, [9, 9, 9, 9, 9]));
    bytes.extend(message(0x29, [2, 2, 5, 0, 0]));
    bytes.extend(message(0x2a, [100, 50, 20, 10, 1]));
    bytes.extend(message(0x2a, [200, 50, 20, 10, 0]));
    bytes.resize(bytes.len().next_multiple_of(16), 0xff);
    let mut transactions = vec![request()];
    transactions.extend(bytes.chunks(16).map(|chunk| Transaction::read(LENS, chunk.to_vec())));
    let mut learned = ClassSet::<1>::new();
    learned.insert(ClassId(1)).unwrap();
    for (options, classes) in [
        (PredictOptions::new(), &[ClassId(1), ClassId(0)][..]),
        (PredictOptions::new().with_classes(learned.as_filter()), &[ClassId(1)]),
    ] {
        // The header before the old answer is one of a message that never came; it costs that answer.
        let (result, results) = predict(&transactions, &options);
        assert_eq!(result, Ok(()));
        assert_eq!(results.view().class_idxs().collect::<Vec<_>>(), classes);
    }
}

#[test]
fn a_camera_that_is_silent_is_a_timeout() {
    let (result, _) =
        predict(&[request(), nothing(), nothing(), nothing(), nothing()], &PredictOptions::new());
    assert_eq!(result, Err(HuskyLensError::Timeout));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    // It stops in the middle of its answer.
    let (result, results) = predict(
        &[
            request(),
            info(2),
            Transaction::read(LENS, message(0x2a, [160, 120, 9, 9, 1])),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
        ],
        &PredictOptions::new(),
    );
    assert_eq!((result, results.view().len()), (Err(HuskyLensError::Timeout), 1));
}

#[test]
fn broken_messages_and_a_missing_camera() {
    let mut broken = message(0x29, [1, 1, 5, 0, 0]);
    broken[8] ^= 0x40;
    let (result, _) = predict(&[request(), Transaction::read(LENS, broken)], &PredictOptions::new());
    assert_eq!(result, Err(HuskyLensError::Checksum));
    let missing = I2cKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Address);
    let (result, _) = predict(&[request().with_error(missing)], &PredictOptions::new());
    assert_eq!(result, Err(HuskyLensError::I2c(missing)));
    assert!(result.unwrap_err().to_string().contains("0x32"));
}

#[test]
fn the_algorithm_is_set() {
    let mut answer = vec![0x55, 0xaa, 0x11, 0x00, 0x2e, 0x3e];
    answer.resize(16, 0xff);
    let mut bus = Mock::new(&[
        Transaction::write(LENS, vec![0x55, 0xaa, 0x11, 0x02, 0x2d, 0x01, 0x00, 0x40]),
        Transaction::read(LENS, answer),
    ]);
    HuskyLens::new(bus.clone(), NoopDelay, &LABELS).set_algorithm(Algorithm::ObjectTracking).unwrap();
    bus.done();
}

/// A camera that sends these bytes and then nothing.
struct Bytes(Vec<u8>, usize);

impl embedded_hal::i2c::ErrorType for Bytes {
    type Error = I2cKind;
}

impl embedded_hal::i2c::I2c for Bytes {
    fn transaction(
        &mut self,
        _: u8,
        operations: &mut [embedded_hal::i2c::Operation<'_>],
    ) -> Result<(), I2cKind> {
        for operation in operations {
            if let embedded_hal::i2c::Operation::Read(bytes) = operation {
                for byte in bytes.iter_mut() {
                    *byte = self.0.get(self.1).copied().unwrap_or(0xff);
                    self.1 += 1;
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_answer_ends(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 1..20),
                (prop_oneof![Just(0x29u8), Just(0x2a)], any::<[u16; 5]>()).prop_map(|(command, words)| message(command, words)),
            ],
            0..12,
        ),
    ) {
        let mut lens = HuskyLens::new(Bytes(pieces.concat(), 0), NoopDelay, &LABELS);
        let mut ticks = Ticks::new(320, 240, || 0).unwrap();
        let mut results = Predictions::<8>::new();
        let _ = lens.predict(&ticks.next_frame().unwrap().unwrap(), &PredictOptions::new(), results.view_mut());
        prop_assert!(results.view().detections().iter().all(eyespot_core::Detection::is_valid));
    }
}
