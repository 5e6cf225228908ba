//! Gateways over loopback, a pseudo terminal and a pipe.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage, Record, Sink};
use eyespot_gateway::{Endpoint, Event, Gateway, Notice, Options, Retry, pump};
use eyespot_media::JsonLines;
use eyespot_wire::{Hello, WireSink};

const LABELS: [&str; 2] = ["person", "car"];
const HELLO: Hello<'static> = Hello::new("gate-3", "made-up", &LABELS);

fn options() -> Options {
    let retry = Retry { first: Duration::from_millis(5), most: Duration::from_millis(40) };
    Options { retry: Some(retry), ..Options::default() }
}

/// The bytes of each of these frames, the first with a hello before it.
fn frames(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    let mut sink = WireSink::new(Vec::new()).with_hello(HELLO, 0);
    range
        .map(|index| {
            let mut found = Predictions::<4>::new();
            found.view_mut().push(Detection::new(
                BBox::new(1.0, 2.0, 30.5, 40.0),
                0.75,
                ClassId((index % 2) as u16),
            ));
            let info = FrameInfo { index, width: 320, height: 240, ..FrameInfo::default() };
            sink.write(&Record { info, name: None, image: None, predictions: found.view() }).unwrap();
            std::mem::take(sink.writer_mut())
        })
        .collect()
}

/// The numbers of the frames that come, until the last one.
fn numbers(gateway: &mut Gateway, last: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for event in gateway {
        if let Event::Results { info, .. } = event {
            numbers.push(info.index);
            if info.index == last {
                break;
            }
        }
    }
    numbers
}

#[test]
fn noise_on_a_socket_costs_nothing_but_itself() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let device = thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        client.set_nodelay(true).unwrap();
        client.write_all(b"\x55boot: ok\r\n").unwrap();
        for (index, frame) in frames(0..50).into_iter().enumerate() {
            match index {
                // Broken in the middle.
                10 => {
                    let mut broken = frame;
                    broken[20] ^= 0x10;
                    client.write_all(&broken).unwrap();
                }
                20 => client.write_all(&[b"panicked at 'oops'\n".as_slice(), &frame].concat()).unwrap(),
                _ => {
                    // In two pieces.
                    let (head, tail) = frame.split_at(frame.len() / 2);
                    client.write_all(head).unwrap();
                    client.write_all(tail).unwrap();
                }
            }
        }
    });
    let mut gateway = Gateway::with_options(Endpoint::Connect(address), options()).unwrap();
    let expected: Vec<u64> = (0..50).filter(|index| *index != 10).collect();
    assert_eq!(numbers(&mut gateway, 49), expected);
    let counts = gateway.counts();
    assert_eq!(
        (counts.wire.results, counts.wire.hellos, counts.wire.missed, counts.connections),
        (49, 1, 1, 1)
    );
    device.join().unwrap();
}

#[test]
fn a_server_that_is_killed_and_comes_back() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let device = thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let first = frames(0..5).concat();
        // It dies in the middle of the last frame.
        client.write_all(&first[..first.len() - 10]).unwrap();
        drop((client, server));
        thread::sleep(Duration::from_millis(60));
        let server = loop {
            match TcpListener::bind(address) {
                Ok(server) => break server,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        let (mut client, _) = server.accept().unwrap();
        client.write_all(&frames(100..105).concat()).unwrap();
    });
    let mut gateway = Gateway::with_options(Endpoint::Connect(address.to_string()), options()).unwrap();
    let mut seen = Vec::new();
    let mut pauses = Vec::new();
    for event in &mut gateway {
        match event {
            Event::Results { info, .. } => seen.push(info.index),
            Event::Notice(Notice::Disconnected { retry: Some(retry), .. }) => pauses.push(retry.as_millis()),
            _ => {}
        }
        if seen.last() == Some(&104) {
            break;
        }
    }
    device.join().unwrap();
    assert_eq!(seen, [0, 1, 2, 3, 100, 101, 102, 103, 104]);
    // The pauses grow, up to the longest.
    assert!(pauses.starts_with(&[5, 10, 20]) && pauses.iter().all(|&pause| pause <= 40), "{pauses:?}");
    let counts = gateway.counts();
    assert_eq!((counts.connections, counts.wire.restarts, counts.wire.hellos), (2, 1, 2));
    assert_eq!(counts.failures, pauses.len() as u64);
}

#[test]
fn clients_come_and_go() {
    let mut gateway = Gateway::with_options(Endpoint::Listen("127.0.0.1:0".into()), options()).unwrap();
    let address = gateway.local_addr().unwrap();
    let devices = thread::spawn(move || {
        for start in [0, 10] {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&frames(start..start + 3).concat()).unwrap();
        }
    });
    assert_eq!(numbers(&mut gateway, 12), [0, 1, 2, 10, 11, 12]);
    devices.join().unwrap();
    // The address is taken.
    let error = Gateway::new(Endpoint::Listen(address.to_string())).unwrap_err();
    assert!(error.to_string().contains("another gateway"), "{error}");
}

#[test]
fn silence_is_a_lost_line_and_stop_ends_it() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let options = Options { idle: Some(Duration::from_millis(250)), ..options() };
    let mut gateway = Gateway::with_options(Endpoint::Connect(address), options).unwrap();
    assert!(matches!(gateway.next(), Some(Event::Notice(Notice::Connected { .. }))));
    let Some(Event::Notice(Notice::Disconnected { reason, .. })) = gateway.next() else {
        panic!("it is silent")
    };
    assert!(reason.contains("nothing came"), "{reason}");
    let stop = gateway.stop();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        stop.stop();
    });
    assert!(gateway.all(|event| matches!(event, Event::Notice(_))));
}

#[test]
fn results_become_json_lines_with_the_names_of_classes() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let device = thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        client.write_all(&frames(0..2).concat()).unwrap();
        // Another device on the same line.
        let mut sink = WireSink::new(Vec::new()).with_hello(Hello::new("gate-4", "made-up", &["dog"]), 0);
        let mut found = Predictions::<1>::new();
        found.view_mut().push(Detection::new(BBox::new(1.0, 2.0, 30.5, 40.0), 0.5, ClassId(0)));
        let info = FrameInfo { index: 9, ..FrameInfo::default() };
        sink.write(&Record { info, name: None, image: None, predictions: found.view() }).unwrap();
        client.write_all(sink.writer()).unwrap();
    });
    let once = Options { retry: None, ..Options::default() };
    let mut gateway = Gateway::with_options(Endpoint::Connect(address), once).unwrap();
    let mut output = Vec::new();
    let mut notices = Vec::new();
    let counts = {
        let output = std::cell::RefCell::new(&mut output);
        struct Shared<'a, 'b>(&'a std::cell::RefCell<&'b mut Vec<u8>>);
        impl Write for Shared<'_, '_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.borrow_mut().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        pump(
            &mut gateway,
            |device, _| Ok(JsonLines::new(Shared(&output), &device.labels)),
            |notice| notices.push(notice.to_string()),
        )
        .unwrap()
    };
    device.join().unwrap();
    let text = String::from_utf8(output).unwrap();
    let classes: Vec<&str> = text
        .lines()
        .map(|line| line.split("\"class\":\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!(classes, ["person", "car", "dog"]);
    assert_eq!((counts.wire.results, notices.len()), (3, 2));
    assert!(notices[0].starts_with("connected to tcp://") && notices[1].contains("closed"), "{notices:?}");
}

#[test]
fn a_port_that_is_not_there_is_a_notice() {
    let endpoint = Endpoint::Serial { path: "/dev/there-is-no-such-port".into(), baud: 9600 };
    let mut gateway = Gateway::with_options(endpoint, options()).unwrap();
    let Some(Event::Notice(notice)) = gateway.next() else { panic!("it is not there") };
    assert!(notice.to_string().contains("/dev/there-is-no-such-port@9600"), "{notice}");
}

/// A board on a pseudo terminal, that is unplugged.
#[cfg(target_os = "linux")]
#[test]
fn a_serial_port() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&board).unwrap();
    unlockpt(&board).unwrap();
    let path = ptsname(&board, Vec::new()).unwrap().into_string().unwrap();
    let mut gateway = Gateway::with_options(
        format!("{path}@230400").parse().unwrap(),
        Options { retry: None, ..options() },
    )
    .unwrap();
    assert!(matches!(gateway.next(), Some(Event::Notice(Notice::Connected { .. }))));
    // Raw mode: control characters pass, also those that would end a line or stop a program.
    let frames: Vec<u8> = frames(0..20).concat();
    assert!([3, 4, 10, 13, 17, 19].iter().any(|byte| frames.contains(byte)));
    let mut board = std::fs::File::from(board);
    board.write_all(&frames).unwrap();
    assert_eq!(numbers(&mut gateway, 19), (0..20).collect::<Vec<_>>());
    drop(board);
    assert!(matches!(gateway.next(), Some(Event::Notice(Notice::Disconnected { retry: None, .. }))));
    assert!(gateway.next().is_none());
}
