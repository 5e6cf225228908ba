//! Round trips, noise, versions: the receiving side over streams of made-up results.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::io::{self, Read};

use eyespot_core::{Error, ErrorKind, PredictionsStorage, Sink};
use eyespot_wire::{Decoder, Event, Message, Stream, StreamError, VERSION, WireSink};
use proptest::prelude::*;
use support::{HELLO, LABELS, Random, Seen, encode, results, seen};

/// Frames on the wire with what they say.
fn frames(random: &mut Random, count: u64, most: u64) -> Vec<(Vec<u8>, Seen)> {
    let mut sink = WireSink::new(Vec::new());
    (0..count)
        .map(|index| {
            let (info, predictions) = results(random, index, most);
            (encode(&mut sink, &info, predictions.view()), seen(info, predictions.view()))
        })
        .collect()
}

/// What a host makes of the bytes, and its counters.
fn receive(bytes: &[u8]) -> (Vec<Seen>, eyespot_wire::Counts) {
    let mut stream = Stream::new(bytes);
    let mut received = Vec::new();
    for event in &mut stream {
        if let Event::Results { info, predictions } = event.unwrap() {
            received.push(seen(info, predictions.view()));
        }
    }
    (received, stream.counts())
}

/// Gives the bytes in pieces of random sizes.
struct Pieces<'a>(&'a [u8], Random);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = 1 + self.1.below(90) as usize;
        let len = most.min(buffer.len()).min(self.0.len());
        let (piece, rest) = self.0.split_at(len);
        buffer[..len].copy_from_slice(piece);
        self.0 = rest;
        Ok(len)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every number comes back bit for bit, on a host and in fixed memory, however the stream is cut.
    #[test]
    fn results_come_back_as_they_were(seed: u64) {
        let mut random = Random(seed);
        let sent = frames(&mut random, 8, 12);
        let bytes: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let sent: Vec<Seen> = sent.into_iter().map(|(_, seen)| seen).collect();

        let (received, counts) = receive(&bytes);
        prop_assert_eq!(&received, &sent);
        prop_assert_eq!(counts, eyespot_wire::Counts { results: 8, ..Default::default() });

        let mut decoder = Decoder::new([0; 16 << 10]);
        let mut storage = Box::new(eyespot_core::Predictions::<12, { 8 << 10 }, 256>::new());
        let mut received = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (mut piece, after) = rest.split_at((1 + random.below(200) as usize).min(rest.len()));
            rest = after;
            while let Some(message) = decoder.next(&mut piece) {
                let Message::Results(mut results) = message.unwrap() else { panic!("no hello was sent") };
                results.unpack(storage.view_mut());
                received.push(seen(results.info(), storage.view()));
            }
        }
        prop_assert_eq!(received, sent);
    }

    /// One byte in a hundred is wrong: every frame whose bytes came through arrives, and nothing else.
    #[test]
    fn intact_frames_survive_wrong_bytes(seed: u64) {
        let mut random = Random(seed);
        let sent = frames(&mut random, 150, 4);
        let mut noisy = Vec::new();
        let mut intact = Vec::new();
        for (bytes, said) in &sent {
            let start = noisy.len();
            noisy.extend(bytes);
            for byte in &mut noisy[start..] {
                if random.below(100) == 0 {
                    *byte = random.next() as u8;
                }
            }
            if noisy[start..] == bytes[..] {
                intact.push(said.clone());
            }
        }
        let (received, counts) = receive(&noisy);
        prop_assert!(!intact.is_empty() && intact.len() < sent.len());
        prop_assert_eq!(counts.results as usize, intact.len());
        // The gaps in the numbers tell of every missing frame between the first and the last that came.
        let place = |said: &Seen| sent.iter().position(|(_, other)| other == said).unwrap();
        let span = place(&intact[intact.len() - 1]) - place(&intact[0]) + 1;
        prop_assert_eq!(counts.missed as usize, span - intact.len());
        prop_assert_eq!(received, intact);
    }

    /// Bytes are wrong, lost and added, and noise comes between frames.
    #[test]
    fn intact_frames_survive_noise(seed: u64) {
        let mut random = Random(seed);
        let sent = frames(&mut random, 100, 4);
        let mut noisy = Vec::new();
        let mut intact = Vec::new();
        for (bytes, said) in &sent {
            match random.below(4) {
                0 => (0..random.below(40)).for_each(|_| noisy.push(random.next() as u8)),
                1 => {
                    let mut broken = bytes.clone();
                    // Not at the very end, where it would be noise between two frames.
                    let at = 1 + random.below(bytes.len() as u64 - 2) as usize;
                    match random.below(3) {
                        0 => broken[at] ^= 1 + random.below(255) as u8,
                        1 => drop(broken.remove(at)),
                        _ => broken.truncate(at),
                    }
                    noisy.extend(broken);
                    continue;
                }
                _ => {}
            }
            noisy.extend(bytes);
            intact.push(said.clone());
        }
        let (received, _) = receive(&noisy);
        prop_assert_eq!(received, intact);
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..2000)) {
        let (received, _) = receive(&bytes);
        prop_assert!(received.is_empty());
    }

    /// The same content with wrong numbers in it, but a right checksum: no panic, and only valid detections.
    #[test]
    fn content_is_checked_behind_the_checksum(seed: u64) {
        let mut random = Random(seed);
        for (bytes, _) in frames(&mut random, 6, 6) {
            let mut message = cobs_decode(&bytes[1..bytes.len() - 1]);
            message.truncate(message.len() - 4);
            for _ in 0..=random.below(3) {
                let at = random.below(message.len() as u64) as usize;
                message[at] = random.next() as u8;
            }
            let (received, counts) = receive_any(&cobs_encode(&with_checksum(message)));
            prop_assert_eq!(counts.results + counts.malformed + counts.other_version + counts.hellos, 1);
            for (_, _, objects) in received {
                prop_assert!(objects.iter().all(|((bbox, ..), ..)| bbox.iter().all(|&x| f32::from_bits(x).is_finite())));
            }
        }
    }
}

fn receive_any(bytes: &[u8]) -> (Vec<Seen>, eyespot_wire::Counts) {
    let mut stream = Stream::new(bytes);
    let mut received = Vec::new();
    for event in &mut stream {
        if let Ok(Event::Results { info, predictions }) = event {
            received.push(seen(info, predictions.view()));
        }
    }
    (received, stream.counts())
}

fn cobs_decode(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&code, rest)) = bytes.split_first() {
        let (block, rest) = rest.split_at(usize::from(code) - 1);
        out.extend(block);
        if code != 255 && !rest.is_empty() {
            out.push(0);
        }
        bytes = rest;
    }
    out
}

fn cobs_encode(message: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    for block in message.split(|&byte| byte == 0) {
        let mut pieces = block.chunks(254).peekable();
        if pieces.peek().is_none() {
            out.push(1);
        }
        while let Some(piece) = pieces.next() {
            out.push(piece.len() as u8 + 1);
            out.extend(piece);
            if piece.len() == 254 && pieces.peek().is_none() {
                out.push(1);
            }
        }
    }
    out.push(0);
    out
}

fn with_checksum(mut message: Vec<u8>) -> Vec<u8> {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&message);
    message.extend(crc.to_le_bytes());
    message
}

#[test]
fn hello_comes_first_and_again() {
    let mut random = Random(1);
    let mut sink = WireSink::new(Vec::new()).with_hello(HELLO, 3);
    let mut bytes = Vec::new();
    for index in 0..7 {
        let (info, predictions) = results(&mut random, index, 2);
        bytes.extend(encode(&mut sink, &info, predictions.view()));
    }
    let order: String = Stream::new(Pieces(&bytes, Random(2)))
        .map(|event| match event.unwrap() {
            Event::Hello(info) => {
                assert_eq!((info.device.as_str(), info.model.as_str()), ("gate-3", "made-up"));
                assert_eq!(info.labels, LABELS);
                'h'
            }
            Event::Results { .. } => 'r',
        })
        .collect();
    assert_eq!(order, "hrrrhrrrhr");

    let mut sink = WireSink::new(Vec::new()).with_hello(HELLO, 0);
    let count = |bytes: Vec<u8>| Stream::new(&bytes[..]).count();
    let (info, predictions) = results(&mut random, 0, 2);
    let counts: Vec<_> = (0..3).map(|_| count(encode(&mut sink, &info, predictions.view()))).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn another_version_is_an_error_that_says_who_is_older() {
    for (version, advice) in [(VERSION + 1, "this receiver is older"), (0, "the sender is older")] {
        let (frame, said) = frames(&mut Random(3), 1, 2).remove(0);
        let mut message = cobs_decode(&frame[1..frame.len() - 1]);
        message.truncate(message.len() - 4);
        // What follows the version and the number may be anything in another version.
        message[0] = version as u8;
        message.truncate(9);
        let bytes = [cobs_encode(&with_checksum(message)), frame].concat();
        let events: Vec<_> = Stream::new(&bytes[..]).collect();
        let Err(error @ StreamError::Version(_)) = &events[0] else { panic!("{events:?}") };
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(advice), "{error}");
        let Ok(Event::Results { info, predictions }) = &events[1] else { panic!("{events:?}") };
        assert_eq!(seen(*info, predictions.view()), said);
    }
}

#[test]
fn a_reader_that_starts_in_the_middle_of_a_frame_counts_nothing() {
    let sent = frames(&mut Random(4), 3, 3);
    let bytes: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    let (received, counts) = receive(&bytes[sent[0].0.len() / 2..]);
    assert_eq!(received, [sent[1].1.clone(), sent[2].1.clone()]);
    assert_eq!(counts, eyespot_wire::Counts { results: 2, ..Default::default() });
}

#[test]
fn sequence_numbers_tell_of_gaps_and_restarts() {
    let mut random = Random(5);
    let (info, predictions) = results(&mut random, 0, 2);
    let mut bytes = Vec::new();
    // One number before the wrap, then 3 are missing, then the device starts again.
    for (next, _) in [(u32::MAX, ()), (3, ()), (0, ())] {
        let mut sink = WireSink::new(Vec::new()).with_sequence(next);
        bytes.extend(encode(&mut sink, &info, predictions.view()));
    }
    let (_, counts) = receive(&bytes);
    assert_eq!((counts.results, counts.missed, counts.restarts), (3, 3, 1));
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut random = Random(6);
    // A frame with several masks and keypoints.
    let (info, predictions) = loop {
        let (info, predictions) = results(&mut random, 0, 12);
        let view = predictions.view();
        if view.masks().flatten().count() >= 3 && view.keypoints().filter(|k| k.len() > 4).count() >= 2 {
            break (info, predictions);
        }
    };
    let bytes = encode(&mut WireSink::new(Vec::new()), &info, predictions.view());

    let mut decoder = Decoder::new(vec![0; 4096]);
    let Some(Ok(Message::Results(mut results))) = decoder.next(&mut &bytes[..]) else { panic!() };
    let mut small = eyespot_core::Predictions::<3, 4, 2>::new();
    results.unpack(small.view_mut());
    let mut best: Vec<f32> = predictions.view().scores().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let mut kept: Vec<f32> = small.view().scores().collect();
    kept.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(kept, best[..3]);
    let (sent, received) = (predictions.view().losses(), small.view().losses());
    assert_eq!((received.detections - sent.detections) as usize, best.len() - 3);
    assert!(received.masks > sent.masks);

    // A buffer that is too small for the frame drops it and says so; the next frame comes through.
    let next = frames(&mut Random(7), 1, 0).remove(0);
    let mut decoder = Decoder::new([0; 64]);
    let both = [bytes, next.0].concat();
    let mut input = &both[..];
    assert!(matches!(decoder.next(&mut input), Some(Ok(Message::Results(results))) if results.is_empty()));
    assert_eq!((decoder.counts().oversized, decoder.counts().results), (1, 1));
}

#[test]
fn a_failing_writer_loses_its_frame_only() {
    /// Takes a number of bytes, then fails once.
    struct Breaks(Vec<u8>, Option<usize>);
    impl embedded_io::ErrorType for Breaks {
        type Error = embedded_io::ErrorKind;
    }
    impl embedded_io::Write for Breaks {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            match &mut self.1 {
                Some(left) if *left < bytes.len() => {
                    self.1 = None;
                    Err(embedded_io::ErrorKind::TimedOut)
                }
                Some(left) => {
                    *left -= bytes.len();
                    self.0.extend(bytes);
                    Ok(bytes.len())
                }
                None => {
                    self.0.extend(bytes);
                    Ok(bytes.len())
                }
            }
        }
        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    let mut random = Random(8);
    let mut sink = WireSink::new(Breaks(Vec::new(), Some(2000)));
    let mut failed = 0;
    let mut sent = Vec::new();
    for index in 0..12 {
        let (info, predictions) = results(&mut random, index, 12);
        let record = eyespot_core::Record { info, name: None, image: None, predictions: predictions.view() };
        match sink.write(&record) {
            Ok(()) => sent.push(seen(info, predictions.view())),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Timeout);
                failed += 1;
            }
        }
    }
    let (received, counts) = receive(&sink.writer().0);
    assert_eq!((failed, counts.missed, sent.len()), (1, 1, 11));
    assert_eq!(received, sent);
}

#[test]
fn a_timeout_is_no_end() {
    struct Slow<'a>(Pieces<'a>, bool);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::ErrorKind::TimedOut.into()) } else { self.0.read(buffer) }
        }
    }
    let sent = frames(&mut Random(9), 4, 3);
    let bytes: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    let (results, timeouts): (Vec<_>, Vec<_>) =
        Stream::new(Slow(Pieces(&bytes, Random(10)), false)).partition(Result::is_ok);
    assert_eq!(results.len(), 4);
    assert!(
        timeouts.iter().all(|error| error.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout))
    );
    assert!(timeouts.len() >= 4);
}

/// The figures of the README.
#[test]
fn bytes_on_the_line() {
    use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Keypoint, Predictions, TrackId};
    let bytes = |index: u64, count: u16, track: Option<u32>, keypoints: usize| {
        let mut found = Box::new(Predictions::<20, 0, 17>::new());
        let mut out = found.view_mut();
        for object in 0..count {
            let bbox = BBox::from_xywh(f32::from(object) * 7.3, 11.7, 80.3, 160.9);
            let mut detection = Detection::new(bbox, 0.77, ClassId(object % 80));
            detection.track = track.and_then(TrackId::new);
            let at = out.push(detection).unwrap();
            assert!(out.set_keypoints(at, &vec![Keypoint { x: 1.5, y: 2.5, score: 0.3 }; keypoints]));
        }
        let info = FrameInfo {
            index,
            timestamp_us: index * 33_333,
            width: 640,
            height: 480,
            ..FrameInfo::default()
        };
        let sequence = index as u32;
        encode(&mut WireSink::new(Vec::new()).with_sequence(sequence), &info, found.view()).len()
    };
    // The first frame, and one after a day at 30 frames per second.
    assert_eq!((bytes(0, 0, None, 0), bytes(2_592_000, 0, None, 0)), (22, 33));
    // A detection without a track, with a small and with a large number of its track.
    let one = |track| bytes(0, 1, track, 0) - bytes(0, 0, None, 0);
    assert_eq!((one(None), one(Some(100)), one(Some(1_000_000))), (25, 25, 27));
    assert_eq!(bytes(0, 1, None, 17) - bytes(0, 1, None, 0), 17 * 12);
    // 115200 baud, 10 bits per byte.
    assert!(115_200 / 10 / bytes(2_592_000, 20, Some(1000), 0) >= 20);
}
