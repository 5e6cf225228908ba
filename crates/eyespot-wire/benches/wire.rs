//! Throughput of both sides: frames of 20 plain boxes, and frames of 5 objects with masks of 80 x 160 pixels.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eyespot_core::{
    BBox, ClassId, Detection, FrameInfo, MaskRect, Predictions, PredictionsStorage, Record, Sink, TrackId,
};
use eyespot_wire::{Decoder, Message, WireSink};

type Storage = Predictions<20, { 32 << 10 }>;

fn storage(objects: u16, mask: bool) -> Box<Storage> {
    let mut storage = Box::new(Storage::new());
    let mut out = storage.view_mut();
    // An ellipse.
    let mut bits = vec![0u8; 10 * 160];
    for y in 0..160 {
        for x in 0..80 {
            let (dx, dy) = ((x as f32 - 39.5) / 40.0, (y as f32 - 79.5) / 80.0);
            if dx * dx + dy * dy < 1.0 {
                bits[y * 10 + x / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    for index in 0..objects {
        let bbox = BBox::from_xywh(f32::from(index) * 7.3, 11.7, 80.3, 160.9);
        let mut detection = Detection::new(bbox, 0.5 + f32::from(index) * 0.01, ClassId(index % 3));
        detection.track = TrackId::new(u32::from(index) * 50 + 1);
        let at = out.push(detection);
        if let (true, Some(at)) = (mask, at) {
            assert!(out.set_mask(at, MaskRect { x: index * 7, y: 11, width: 80, height: 160 }, &bits));
        }
    }
    storage
}

fn wire(criterion: &mut Criterion) {
    for (name, objects, mask) in [("20 boxes", 20, false), ("5 masks", 5, true)] {
        let sent = storage(objects, mask);
        let info = FrameInfo {
            index: 1000,
            timestamp_us: 33_333_000,
            width: 640,
            height: 480,
            ..FrameInfo::default()
        };
        let record = Record { info, name: None, image: None, predictions: sent.view() };
        let mut sink = WireSink::new(Vec::new());
        assert!(sink.write(&record).is_ok());
        let bytes = sink.writer().clone();
        println!("{name}: {} bytes per frame", bytes.len());

        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("send", |bencher| {
            bencher.iter(|| {
                sink.writer_mut().clear();
                sink.write(&record)
            });
        });
        let mut decoder = Decoder::new(vec![0; 16 << 10]);
        let mut received = storage(0, false);
        group.bench_function("receive", |bencher| {
            bencher.iter(|| {
                let mut input = &bytes[..];
                if let Some(Ok(Message::Results(mut results))) = decoder.next(&mut input) {
                    results.unpack(received.view_mut());
                }
                received.view().len()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, wire);
criterion_main!(benches);
