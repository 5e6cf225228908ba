#![no_main]

use eyespot_core::{Detection, PredictionsStorage, Record, Sink};
use eyespot_wire::{Event, Stream, WireSink};
use libfuzzer_sys::fuzz_target;

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

fn frame(content: &[u8]) -> Vec<u8> {
    // Version 1, number 0.
    let mut message = vec![1, 0];
    message.extend(content);
    message.extend(checksum(&message).to_le_bytes());
    let mut out = vec![0];
    for block in message.split(|&byte| byte == 0) {
        let mut pieces = block.chunks(254).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            out.push(piece.len() as u8 + 1);
            out.extend(piece);
            if piece.len() < 254 {
                break;
            }
        }
    }
    out.push(0);
    out
}

fuzz_target!(|content: &[u8]| {
    let bytes = frame(content);
    let mut stream = Stream::new(&bytes[..]);
    let event = stream.next();
    let counts = stream.counts();
    assert_eq!(counts.results + counts.hellos + counts.malformed, 1, "the frame has a right checksum");
    let Some(Ok(Event::Results { info, predictions })) = event else { return };
    let view = predictions.view();
    assert!(view.detections().iter().all(Detection::is_valid));

    let mut sink = WireSink::new(Vec::new());
    sink.write(&Record { info, name: None, image: None, predictions: view }).expect("a vector takes everything");
    let Some(Ok(Event::Results { info: again, predictions: copy })) = Stream::new(&sink.writer()[..]).next() else {
        panic!("what was received can't be sent");
    };
    assert_eq!((again, copy.view().losses(), copy.view().len()), (info, view.losses(), view.len()));
    for (a, b) in view.detections().iter().zip(copy.view().detections()) {
        assert_eq!((a.bbox, a.score, a.class, a.track, a.angle), (b.bbox, b.score, b.class, b.track, b.angle));
        assert_eq!(view.keypoints_of(a), copy.view().keypoints_of(b));
        let area = |mask: eyespot_core::MaskView<'_>| (mask.x(), mask.y(), mask.width(), mask.height(), mask.area());
        assert_eq!(view.mask(a).map(area), copy.view().mask(b).map(area));
    }
});
