#![no_main]

use eyespot_core::{Predictions, PredictionsStorage};
use eyespot_wire::{Counts, Decoder, Message};
use libfuzzer_sys::fuzz_target;

fn decode(bytes: &[u8], piece: usize) -> Counts {
    let mut decoder = Decoder::new([0; 512]);
    let mut storage = Predictions::<4, 64, 8>::new();
    for mut piece in bytes.chunks(piece) {
        while let Some(message) = decoder.next(&mut piece) {
            match message {
                Ok(Message::Results(mut results)) => results.unpack(storage.view_mut()),
                Ok(Message::Hello(hello)) => assert_eq!(hello.labels.iter().count(), hello.labels.len()),
                Err(_) => {}
            }
        }
    }
    decoder.counts()
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decode(bytes, bytes.len().max(1));
    let piece = bytes.first().map_or(1, |&first| usize::from(first).max(1));
    assert_eq!(decode(bytes, piece), whole);
    assert_eq!(decode(bytes, 1), whole);
});
