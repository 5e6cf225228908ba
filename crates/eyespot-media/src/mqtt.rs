//! Results to an MQTT broker.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use eyespot_core::{ErrorType, Record, Sink};
use rumqttc::{Client, Connection, Event, EventLoop, Packet, QoS, Request};

use crate::{JsonLines, MediaError, Zones};

/// How results are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttOptions {
    /// Name or address of the broker.
    pub host: String,
    /// 1883 by default.
    pub port: u16,
    /// `eyespot` by default.
    pub topic: String,
    /// Must differ from that of every other client of the broker.
    pub client_id: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// How many results wait while the broker does not answer; beyond that new ones are lost. 1000 by default.
    pub queue: usize,
    /// How long flushing waits for the broker. 10 s by default.
    pub timeout: Duration,
}

impl MqttOptions {
    /// A broker by its name, the defaults for all else.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 1883,
            topic: "eyespot".into(),
            client_id: format!("eyespot-{}", std::process::id()),
            login: None,
            queue: 1000,
            timeout: Duration::from_secs(10),
        }
    }
}

impl FromStr for MqttOptions {
    type Err = MediaError;

    /// Reads `mqtt://[USER:PASSWORD@]HOST[:PORT][/TOPIC]`.
    fn from_str(address: &str) -> Result<Self, MediaError> {
        let wrong = || MediaError::Http {
            address: address.to_owned(),
            reason: "write mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC; there is no TLS".to_owned(),
        };
        let rest = address.strip_prefix("mqtt://").ok_or_else(wrong)?;
        let (server, topic) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, server) = match server.rsplit_once('@') {
            Some((login, server)) => (Some(login.split_once(':').ok_or_else(wrong)?), server),
            None => (None, server),
        };
        // The colons of an IPv6 address are within brackets.
        let (host, port) = match server.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (server, None),
        };
        // A broker closes the connection where a client publishes to a pattern.
        if host.is_empty() || topic.contains(['#', '+']) {
            return Err(wrong());
        }
        let mut options = Self::new(host.trim_matches(['[', ']']));
        options.port = port.unwrap_or(options.port);
        options.login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        if !topic.is_empty() {
            topic.clone_into(&mut options.topic);
        }
        Ok(options)
    }
}

/// Publishes a message per frame, in the words of [`JsonLines`], at least once (quality of service 1).
///
/// Writing never waits for the network. A lost connection is made anew, and what a broker had not acknowledged when it
/// stopped is sent again, in its order: a subscriber may get it twice. What finds no room in the queue is lost and
/// counted. Flushing waits for the acknowledgements, and tells of messages that have none.
pub struct MqttSink {
    lines: JsonLines<Vec<u8>>,
    client: Client,
    options: MqttOptions,
    sent: u64,
    lost: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    acknowledged: AtomicU64,
    /// Messages of broken connections for which there was no room.
    dropped: AtomicU64,
    stopped: AtomicBool,
    /// Why there is no connection.
    trouble: Mutex<Option<String>>,
}

impl core::fmt::Debug for MqttSink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MqttSink")
            .field("options", &self.options)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// Longer than connecting may take, which is 5 s.
const CONNECTING: Duration = Duration::from_secs(6);

/// Messages that may be under way without an acknowledgement.
const UNDER_WAY: u16 = 100;

/// The largest message: a frame full of masks.
const MAX_MESSAGE: usize = 64 << 20;

impl MqttSink {
    /// Connects in the background. `labels` are the class names; the index is the class.
    ///
    /// # Errors
    /// [`MediaError::Http`] where no thread can be started.
    pub fn new(options: MqttOptions, labels: &[impl AsRef<str>]) -> Result<Self, MediaError> {
        let mut mqtt = rumqttc::MqttOptions::new(&options.client_id, &options.host, options.port);
        mqtt.set_keep_alive(Duration::from_secs(15)).set_max_packet_size(MAX_MESSAGE, MAX_MESSAGE);
        mqtt.set_inflight(UNDER_WAY);
        if let Some((user, password)) = &options.login {
            mqtt.set_credentials(user, password);
        }
        let queue = options.queue.max(1);
        let (client, connection) = Client::new(mqtt, queue);
        let shared = Arc::new(Shared::default());
        let listening = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("eyespot-mqtt".into())
            .spawn(move || listen(connection, queue, &listening));
        let thread = thread.map_err(|error| failed(&options, error.to_string()))?;
        let lines = JsonLines::new(Vec::new(), labels);
        Ok(Self { lines, client, options, sent: 0, lost: 0, shared, thread: Some(thread) })
    }

    /// Tells what tracks do in zones and at lines too.
    #[must_use]
    pub fn with_zones(mut self, zones: Zones) -> Self {
        self.lines.set_zones(zones);
        self
    }

    /// Results that were lost so far because the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost + self.shared.dropped.load(Ordering::Relaxed)
    }
}

fn failed(options: &MqttOptions, reason: String) -> MediaError {
    MediaError::Http {
        address: format!("mqtt://{}:{}/{}", options.host, options.port, options.topic),
        reason,
    }
}

impl ErrorType for MqttSink {
    type Error = MediaError;
}

impl Sink for MqttSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        self.lines.write(record)?;
        let mut message = self.lines.take();
        message.pop();
        match self.client.try_publish(&self.options.topic, QoS::AtLeastOnce, false, message) {
            Ok(()) => self.sent += 1,
            Err(_) => self.lost += 1,
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        let deadline = Instant::now() + self.options.timeout;
        loop {
            let settled = self.shared.acknowledged.load(Ordering::Relaxed)
                + self.shared.dropped.load(Ordering::Relaxed);
            let missing = self.sent.saturating_sub(settled);
            if missing == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let reason = trouble.unwrap_or_else(|| "the broker does not answer".into());
                return Err(failed(
                    &self.options,
                    format!("{missing} messages are not acknowledged: {reason}"),
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for MqttSink {
    fn drop(&mut self) {
        // A broker that is not there is not told.
        let _ = self.client.try_disconnect();
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keeps the connection up. `queue` is how many messages of broken connections are kept.
fn listen(mut connection: Connection, queue: usize, shared: &Shared) {
    let mut kept = Kept::default();
    while !shared.stopped.load(Ordering::Relaxed) {
        kept.feed(&mut connection.eventloop);
        // Connecting has a timeout of its own; one that is cut short each time would never succeed on a slow network.
        let connected = connection.eventloop.network.is_some();
        let patience = if connected { Duration::from_millis(200) } else { CONNECTING };
        match connection.recv_timeout(patience) {
            Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => {
                shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout) => {}
            Ok(Err(error)) => {
                let dropped = kept.take(&mut connection.eventloop, queue);
                shared.dropped.fetch_add(dropped, Ordering::Relaxed);
                *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                thread::sleep(Duration::from_millis(500));
            }
            Err(rumqttc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// The messages of a broken connection, in their order. The event loop collects them when the connection breaks, but
/// forgets them where the broker knows nothing of the session, as after a restart.
#[derive(Default)]
struct Kept(VecDeque<Request>);

impl Kept {
    /// Takes what the event loop collected; gives how many messages found no room.
    fn take(&mut self, events: &mut EventLoop, room: usize) -> u64 {
        // What was under way is older than what is kept, and that is older than what no connection has seen.
        let (mut sent, mut unsent) = (VecDeque::new(), VecDeque::new());
        for request in events.pending.drain(..) {
            let Request::Publish(mut message) = request else { continue };
            if message.pkid == 0 {
                unsent.push_back(Request::Publish(message));
            } else {
                // To the next broker it is a new one.
                message.pkid = 0;
                sent.push_back(Request::Publish(message));
            }
        }
        sent.append(&mut self.0);
        sent.append(&mut unsent);
        let dropped = sent.len().saturating_sub(room);
        sent.truncate(room);
        self.0 = sent;
        dropped as u64
    }

    /// Gives a connection the next one. It would take all at once, also more than may be under way.
    fn feed(&mut self, events: &mut EventLoop) {
        let connected = events.network.is_some();
        if connected && events.pending.is_empty() && events.state.inflight() < UNDER_WAY {
            events.pending.extend(self.0.pop_front());
        }
    }
}
