//! Boards that publish to an MQTT broker.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use eyespot_wire::{Stream, StreamError};
use rumqttc::{Client, Event as Heard, MqttOptions, Packet, QoS, RecvTimeoutError};

use crate::gateway::{Event, GatewayCounts, Notice};
use crate::hub::{BoardId, Message, Shared};
use crate::{Endpoint, Retry};

/// Topics of a broker. The messages of a topic are the bytes of one board, as it would send them over a line: a message
/// may hold a frame, several or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its name or address.
    pub host: String,
    /// 1883 unless told otherwise.
    pub port: u16,
    /// What is subscribed to, with `+` and `#` as MQTT has them.
    pub topic: String,
}

impl Broker {
    /// Reads `host:port/topic` or `host/topic`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, topic) = text.split_once('/')?;
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (address, 1883),
        };
        let valid = !host.is_empty() && !host.contains('@') && rumqttc::valid_filter(topic);
        valid.then(|| Self { host: host.to_owned(), port, topic: topic.to_owned() })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}/{}", self.host, self.port, self.topic)
    }
}

/// The largest message: that of a line and what it is wrapped in.
const LARGEST: usize = (1 << 20) + (64 << 10);
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that a topic gave and its decoder has not read yet.
#[derive(Debug, Clone, Default)]
struct Feed(Rc<RefCell<VecDeque<u8>>>);

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.borrow_mut().read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

struct Topic {
    board: BoardId,
    feed: Feed,
    stream: Stream<Feed>,
}

/// Receives until the hub stops, or, without `retry`, the broker is lost.
pub(crate) fn receive(broker: &Broker, shared: &Arc<Shared>, sender: &SyncSender<Message>) {
    let endpoint = Endpoint::Mqtt(broker.clone());
    let connection_id = shared.board();
    let mut counts = GatewayCounts::default();
    // Two gateways of one name would throw each other out. What comes while this is away is lost: a broker keeps it only for
    // names that stay the same.
    let mut options =
        MqttOptions::new(format!("eyespot-gateway-{}", std::process::id()), &broker.host, broker.port);
    options.set_keep_alive(Duration::from_secs(15)).set_max_packet_size(LARGEST, LARGEST);
    let (client, mut connection) = Client::new(options, 16);
    let mut topics: HashMap<String, Topic> = HashMap::new();
    let mut pause = Duration::ZERO;
    let notice = |notice| sender.send(Message::Event(connection_id, Event::Notice(notice))).is_ok();
    while !shared.stop.is_set() {
        let goes_on = match connection.recv_timeout(PATIENCE) {
            Ok(Ok(Heard::Incoming(Packet::ConnAck(_)))) => {
                counts.connections += 1;
                pause = Duration::ZERO;
                // A queue of 16 that is empty has room.
                let _ = client.try_subscribe(&broker.topic, QoS::AtLeastOnce);
                notice(Notice::Connected { endpoint: endpoint.clone() })
            }
            Ok(Ok(Heard::Incoming(Packet::Publish(message)))) => {
                heard(&mut topics, &message.topic, &message.payload, shared, sender)
            }
            Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) => true,
            Ok(Err(error)) => {
                counts.failures += 1;
                let retry =
                    shared.options.line.retry.map(|Retry { first, most }| (pause * 2).clamp(first, most));
                pause = retry.unwrap_or_default();
                let (endpoint, reason) = (endpoint.clone(), error.to_string());
                let told = notice(Notice::Disconnected { endpoint, reason, retry });
                shared.stop.pause(pause);
                told && retry.is_some()
            }
            Err(RecvTimeoutError::Disconnected) => false,
        };
        if !goes_on {
            break;
        }
    }
    for topic in topics.into_values() {
        let counts = GatewayCounts { wire: topic.stream.counts(), ..GatewayCounts::default() };
        let _ = sender.send(Message::Gone(topic.board, counts));
    }
    // Nobody may be left to count.
    let _ = sender.send(Message::Gone(connection_id, counts));
}

/// A message of a topic; `false` where nobody listens any more.
fn heard(
    topics: &mut HashMap<String, Topic>,
    name: &str,
    payload: &[u8],
    shared: &Shared,
    sender: &SyncSender<Message>,
) -> bool {
    if !topics.contains_key(name) {
        if !shared.admit() {
            return true;
        }
        let feed = Feed::default();
        let topic = Topic { board: shared.board(), feed: feed.clone(), stream: Stream::new(feed) };
        topics.insert(name.to_owned(), topic);
    }
    let Some(topic) = topics.get_mut(name) else { return true };
    topic.feed.0.borrow_mut().extend(payload);
    for event in &mut topic.stream {
        let event = match event {
            Ok(eyespot_wire::Event::Hello(device)) => Event::Hello(device),
            Ok(eyespot_wire::Event::Results { info, predictions }) => Event::Results { info, predictions },
            Err(StreamError::Version(mismatch)) => Event::Notice(Notice::Version(mismatch)),
            // Everything was read.
            Err(StreamError::Io(_)) => return true,
        };
        if sender.send(Message::Event(topic.board, event)).is_err() {
            return false;
        }
    }
    true
}
