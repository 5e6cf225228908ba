#![no_main]

use arbitrary::Arbitrary;
use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage, Record, Sink};
use eyespot_wire::{Event, Stream, WireSink};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Change {
    None,
    Set { at: u16, byte: u8 },
    Remove { at: u16 },
    Insert { at: u16, byte: u8 },
    Cut { at: u16 },
}

#[derive(Debug, Arbitrary)]
struct Frame {
    objects: u8,
    noise_before: Vec<u8>,
    change: Change,
}

fuzz_target!(|frames: Vec<Frame>| {
    let mut sink = WireSink::new(Vec::new());
    let (mut wire, mut intact) = (Vec::new(), Vec::new());
    for (index, frame) in frames.iter().enumerate() {
        let mut found = Predictions::<12>::new();
        for object in 0..frame.objects % 12 {
            let bbox = BBox::from_xywh(f32::from(object) + 0.3, index as f32, 10.0, 20.0);
            found.view_mut().push(Detection::new(bbox, 0.5, ClassId(u16::from(object))));
        }
        let info = FrameInfo { index: index as u64, ..FrameInfo::default() };
        sink.write(&Record { info, name: None, image: None, predictions: found.view() }).expect("a vector takes everything");
        let mut bytes = std::mem::take(sink.writer_mut());
        let original = bytes.clone();
        // Not at the closing delimiter: what changes there may leave the frame intact.
        let place = |at: u16| usize::from(at) % (original.len() - 1);
        match frame.change {
            Change::None => {}
            Change::Set { at, byte } => bytes[place(at)] = byte,
            Change::Remove { at } => drop(bytes.remove(place(at).max(1))),
            Change::Insert { at, byte } => bytes.insert(place(at).max(1), byte),
            Change::Cut { at } => bytes.truncate(place(at)),
        }
        wire.extend(&frame.noise_before);
        wire.extend(&bytes);
        if bytes == original {
            intact.push((index as u64, found.view().len()));
        }
    }
    let received: Vec<_> = Stream::new(&wire[..])
        .filter_map(|event| match event {
            Ok(Event::Results { info, predictions }) => Some((info.index, predictions.view().len())),
            _ => None,
        })
        .collect();
    // A frame without its opening delimiter arrives when noise before it supplies one: it is whole all the same.
    assert!(intact.iter().all(|frame| received.contains(frame)));
    assert!(received.is_sorted());
    assert!(received.iter().all(|&(index, len)| len == usize::from(frames[index as usize].objects % 12)));
});
