//! Results at a real broker.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use eyespot_core::Sink as _;
use rumqttc::{Event, Packet, QoS};

use super::sinks::{results, write};
use crate::{MqttOptions, MqttSink};

struct Broker(Child);

impl Broker {
    /// `None`, said loudly, where there is no mosquitto.
    fn start(port: u16) -> Option<Self> {
        Self::with(&["-p", &port.to_string()])
    }

    fn with(arguments: &[&str]) -> Option<Self> {
        let broker = ["mosquitto", "/usr/sbin/mosquitto"].iter().find_map(|name| {
            let mut command = Command::new(name);
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().ok().map(Self)
        });
        if broker.is_none() {
            eprintln!("IGNORED: no mosquitto (`apt install mosquitto`)");
        }
        broker
    }
}

#[cfg(unix)]
impl Broker {
    /// A broker that remembers its subscriptions in a folder.
    fn remembering(port: u16, folder: &Path) -> Option<Self> {
        let settings = folder.join("broker.conf");
        // As root it would become a user who may not write there.
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n",
            folder.display()
        );
        std::fs::write(&settings, text).unwrap();
        Self::with(&["-c", settings.to_str().unwrap()])
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The messages of the topics `cam/#`.
fn subscribe(port: u16, remembered: bool) -> Receiver<Vec<u8>> {
    let mut settings = rumqttc::MqttOptions::new("reader", "127.0.0.1", port);
    settings.set_keep_alive(Duration::from_secs(15)).set_clean_session(!remembered);
    let (client, mut connection) = rumqttc::Client::new(settings, 10);
    client.subscribe("cam/#", QoS::AtLeastOnce).unwrap();
    let (sender, received) = channel();
    let (ready, subscribed) = channel();
    thread::spawn(move || {
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Packet::SubAck(_))) => ready.send(()).unwrap(),
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    if sender.send(message.payload.to_vec()).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                // The broker is starting.
                Err(_) if sender.send(Vec::new()).is_ok() => thread::sleep(Duration::from_millis(100)),
                Err(_) => return,
            }
        }
    });
    subscribed.recv_timeout(Duration::from_secs(20)).unwrap();
    received.try_iter().for_each(drop);
    received
}

#[test]
fn a_real_broker_gets_every_message() {
    let port = free_port();
    let Some(_broker) = Broker::start(port) else { return };
    let received = subscribe(port, false);
    let options: MqttOptions = format!("mqtt://127.0.0.1:{port}/cam/1").parse().unwrap();
    let options = MqttOptions { timeout: Duration::from_secs(30), ..options };
    let mut sink = MqttSink::new(options, &["person"]).unwrap();
    for index in 0..20 {
        write(&mut sink, "a.mp4", index, 0, &results());
    }
    sink.flush().unwrap();
    for index in 0..20 {
        let message = received.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(message.iter().filter(|&&byte| byte == b'\n').count(), 0);
        let line: serde_json::Value = serde_json::from_slice(&message).unwrap();
        assert_eq!((&line["frame"], &line["objects"][0]["class"]), (&index.into(), &"person".into()));
    }
    assert_eq!(sink.lost(), 0);
}

/// The broker stops answering, is killed with messages under way, and comes back after others were published.
#[cfg(unix)]
#[test]
fn a_broker_that_is_killed_gets_every_message_when_it_is_back() {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let Some(broker) = Broker::remembering(port, folder.path()) else { return };
    let received = subscribe(port, true);
    let options = MqttOptions { port, topic: "cam/1".into(), ..MqttOptions::new("127.0.0.1") };
    let options = MqttOptions { timeout: Duration::from_secs(30), ..options };
    let mut sink = MqttSink::new(options, &["person"]).unwrap();
    let publish = |range: std::ops::Range<u64>, sink: &mut MqttSink| {
        range.for_each(|index| write(sink, "a.mp4", index, 0, &results()));
    };
    publish(0..20, &mut sink);
    sink.flush().unwrap();
    // The subscription is on the disk; without this a restart forgets it.
    broker.signal("-USR1");
    let remembers = || folder.path().join("mosquitto.db").exists();
    assert!((0..100).any(|_| remembers() || {
        thread::sleep(Duration::from_millis(50));
        false
    }));
    thread::sleep(Duration::from_millis(200));
    // More than may be under way, and no answer.
    broker.signal("-STOP");
    publish(20..200, &mut sink);
    thread::sleep(Duration::from_millis(300));
    drop(broker);
    publish(200..300, &mut sink);
    thread::sleep(Duration::from_millis(700));
    let _broker = Broker::remembering(port, folder.path()).unwrap();
    publish(300..320, &mut sink);
    sink.flush().unwrap();
    assert_eq!(sink.lost(), 0);

    let mut frames: Vec<u64> = Vec::new();
    while frames.last() != Some(&319) {
        let message = received.recv_timeout(Duration::from_secs(20)).unwrap();
        // Nothing stands for a lost connection of the reader.
        if message.is_empty() {
            continue;
        }
        let line: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let frame = line["frame"].as_u64().unwrap();
        // Twice is allowed, in another order it is not.
        if !frames.contains(&frame) {
            frames.push(frame);
        }
    }
    assert_eq!(frames, (0..320).collect::<Vec<_>>());
}

#[test]
fn without_a_broker_the_queue_is_bounded_and_said() {
    let options = MqttOptions {
        port: 1,
        queue: 2,
        timeout: Duration::from_millis(300),
        ..MqttOptions::new("127.0.0.1")
    };
    let mut sink = MqttSink::new(options, &["person"]).unwrap();
    for index in 0..10 {
        write(&mut sink, "a.mp4", index, 0, &results());
    }
    assert!(sink.lost() > 0);
    assert!(sink.flush().unwrap_err().to_string().contains("mqtt://127.0.0.1:1"));
}

#[test]
fn addresses_are_read() {
    let read = |text: &str| text.parse::<MqttOptions>();
    let options = read("mqtt://me:p@ss:word@[::1]:1884/site/cam").unwrap();
    assert_eq!((options.host.as_str(), options.port, options.topic.as_str()), ("::1", 1884, "site/cam"));
    assert_eq!(options.login, Some(("me".into(), "p@ss:word".into())));
    let options = read("mqtt://broker").unwrap();
    assert_eq!((options.host.as_str(), options.port, options.topic.as_str()), ("broker", 1883, "eyespot"));
    assert_eq!(options.login, None);
    for wrong in ["broker", "mqtts://broker", "mqtt://", "mqtt://b:port/a", "mqtt://b/a/#", "mqtt://me@b"] {
        assert!(read(wrong).unwrap_err().to_string().contains("USER:PASSWORD"), "{wrong}");
    }
}
