//! Hundreds of boards at once.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorType, FrameInfo, Predictions, PredictionsStorage as _, Record, Sink,
};
use eyespot_gateway::{Endpoint, Hub, HubCounts, HubOptions, Options};
use eyespot_wire::{Hello, WireSink};

/// The bytes that a board sends, a hello first.
fn frames(device: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut sink = WireSink::new(Vec::new()).with_hello(Hello::new(device, "made-up", &["person"]), 0);
    for index in range {
        let mut found = Predictions::<1>::new();
        found.view_mut().push(Detection::new(BBox::new(1.0, 2.0, 30.5, 40.0), 0.75, ClassId(0)));
        let info = FrameInfo { index, width: 320, height: 240, ..FrameInfo::default() };
        sink.write(&Record { info, name: None, image: None, predictions: found.view() }).unwrap();
    }
    sink.into_inner()
}

type Seen = Rc<RefCell<BTreeMap<String, Vec<u64>>>>;

/// Notes which frames came from which device.
struct Notes(Seen);

impl ErrorType for Notes {
    type Error = Infallible;
}

impl Sink for Notes {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        let name = record.name.unwrap_or_default().to_owned();
        self.0.borrow_mut().entry(name).or_default().push(record.info.index);
        Ok(())
    }
}

fn pump(hub: Hub, seen: &Seen) -> HubCounts {
    let open = |_: &_, _: Option<Notes>| Ok(Notes(Rc::clone(seen)));
    let Ok(counts) = hub.pump(open, |_| ());
    counts
}

fn listening(boards: usize) -> (Hub, std::net::SocketAddr) {
    let options = HubOptions { boards, ..HubOptions::default() };
    let hub = Hub::start(vec![Endpoint::Listen("127.0.0.1:0".into())], options).unwrap();
    let address = hub.local_addrs()[0];
    (hub, address)
}

const BOARDS: usize = 300;
const FRAMES: u64 = 40;

#[test]
fn hundreds_of_boards_lose_nothing_and_are_not_mixed_up() {
    let (hub, address) = listening(BOARDS);
    let stop = hub.stop();
    let senders = thread::spawn(move || {
        let mut lines: Vec<_> = (0..BOARDS)
            .map(|board| (TcpStream::connect(address).unwrap(), frames(&format!("board-{board}"), 0..FRAMES)))
            .collect();
        // All at the same time, in pieces that end in the middle of frames; each tenth sends noise in between.
        for piece in 0..10 {
            for (number, (line, bytes)) in lines.iter_mut().enumerate() {
                let size = bytes.len().div_ceil(10);
                let end = bytes.len().min((piece + 1) * size);
                line.write_all(&bytes[piece * size..end]).unwrap();
                if number % 10 == 0 && piece == 9 {
                    line.write_all(b"\0panicked at 'oops'\n\0").unwrap();
                }
            }
        }
        // The other side has read everything when it closes; it never writes.
        for (line, _) in &lines {
            line.shutdown(std::net::Shutdown::Write).unwrap();
        }
        for (line, _) in &mut lines {
            assert_eq!(line.read(&mut [0]).unwrap(), 0);
        }
        stop.stop();
    });
    let seen = Seen::default();
    let counts = pump(hub, &seen);
    senders.join().unwrap();
    let seen = seen.borrow();
    assert_eq!(seen.len(), BOARDS);
    for (board, frames) in &*seen {
        assert_eq!(*frames, (0..FRAMES).collect::<Vec<_>>(), "{board}");
    }
    assert_eq!((counts.boards, counts.turned_away), (BOARDS as u64, 0));
    let wire = counts.lines.wire;
    assert_eq!((wire.results, wire.missed, wire.corrupt), (BOARDS as u64 * FRAMES, 0, BOARDS as u64 / 10));
    assert_eq!(counts.lines.connections, BOARDS as u64);
}

#[test]
fn more_boards_than_allowed_are_turned_away_until_one_leaves() {
    let (hub, address) = listening(2);
    let stop = hub.stop();
    let clients = thread::spawn(move || {
        let mut first: Vec<_> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
        // They are in before the third comes.
        thread::sleep(Duration::from_millis(300));
        let mut third = TcpStream::connect(address).unwrap();
        assert_eq!(third.read(&mut [0]).unwrap_or(0), 0);
        first.remove(0);
        let seen = Duration::from_secs(2);
        thread::sleep(seen);
        let mut fourth = TcpStream::connect(address).unwrap();
        fourth.write_all(&frames("late", 0..1)).unwrap();
        fourth.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(fourth.read(&mut [0]).unwrap(), 0);
        stop.stop();
    });
    let seen = Seen::default();
    let counts = pump(hub, &seen);
    clients.join().unwrap();
    assert_eq!(seen.borrow()["late"], [0]);
    assert_eq!(counts.turned_away, 1);
}

#[test]
fn without_retry_the_hub_ends_with_its_lines() {
    let line = Options { retry: None, ..Options::default() };
    let options = HubOptions { line, ..HubOptions::default() };
    let servers: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let endpoint =
        |server: &std::net::TcpListener| Endpoint::Connect(server.local_addr().unwrap().to_string());
    let hub = Hub::start(servers.iter().map(endpoint).collect(), options).unwrap();
    let boards = thread::spawn(move || {
        for (number, server) in servers.iter().enumerate() {
            let (mut line, _) = server.accept().unwrap();
            line.write_all(&frames(&format!("b{number}"), 0..3)).unwrap();
        }
    });
    let seen = Seen::default();
    let counts = pump(hub, &seen);
    boards.join().unwrap();
    assert_eq!((seen.borrow().len(), counts.lines.wire.results), (3, 9));
    assert_eq!((counts.lines.connections, counts.lines.failures), (3, 3));
}

/// Two boards publish through a real broker.
#[cfg(feature = "mqtt")]
#[test]
fn boards_publish_their_frames() {
    use rumqttc::{Client, MqttOptions, QoS};
    use std::process::{Child, Command, Stdio};

    struct Ended(Child);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let broker = ["mosquitto", "/usr/sbin/mosquitto"].iter().find_map(|name| {
        let mut command = Command::new(name);
        command.args(["-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().ok().map(Ended)
    });
    let Some(_broker) = broker else {
        eprintln!("IGNORED: no mosquitto");
        return;
    };
    let endpoint = format!("mqtt://127.0.0.1:{port}/boards/+").parse().unwrap();
    let hub = Hub::start(vec![endpoint], HubOptions::default()).unwrap();
    let stop = hub.stop();
    let boards = thread::spawn(move || {
        // The hub may take a moment to subscribe.
        thread::sleep(Duration::from_secs(3));
        let (client, mut connection) = Client::new(MqttOptions::new("boards", "127.0.0.1", port), 100);
        thread::spawn(move || connection.iter().for_each(drop));
        let streams = [("a", frames("gate-a", 0..20)), ("b", frames("gate-b", 0..20))];
        for piece in 0..10 {
            for (topic, bytes) in &streams {
                let size = bytes.len().div_ceil(10);
                let part = &bytes[piece * size..bytes.len().min((piece + 1) * size)];
                client.publish(format!("boards/{topic}"), QoS::AtLeastOnce, false, part).unwrap();
            }
        }
        thread::sleep(Duration::from_secs(2));
        stop.stop();
    });
    let seen = Seen::default();
    let counts = pump(hub, &seen);
    boards.join().unwrap();
    let all: Vec<u64> = (0..20).collect();
    assert_eq!((&seen.borrow()["gate-a"], &seen.borrow()["gate-b"]), (&all, &all));
    assert_eq!((counts.boards, counts.lines.wire.results), (2, 40));
}
