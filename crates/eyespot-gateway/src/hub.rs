//! Many boards at once.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eyespot_core::{PredictionsStorage as _, Record, Sink};
use eyespot_wire::{Counts, DeviceInfo};

use crate::endpoint::Endpoint;
use crate::gateway::{Event, Gateway, GatewayCounts, GatewayError, Notice, Options, Stop};

/// A board as the hub tells it from others: a port, a client that connected, a topic. A client that connects again is
/// another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardId(pub u64);

/// How a hub behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubOptions {
    /// How each line behaves. With `retry: None` an address to listen on takes one client.
    pub line: Options,
    /// Clients and topics at once; more are turned away and counted. 1024 by default.
    pub boards: usize,
    /// Events that wait to be taken; beyond that, lines are read no further. 1024 by default.
    pub queue: usize,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self { line: Options::default(), boards: 1024, queue: 1024 }
    }
}

/// What a hub has seen, over all boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubCounts {
    /// All lines together.
    pub lines: GatewayCounts,
    /// Boards that sent something.
    pub boards: u64,
    /// Clients and topics that were turned away.
    pub turned_away: u64,
}

pub(crate) enum Message {
    Event(BoardId, Event),
    Gone(BoardId, GatewayCounts),
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stop: Stop,
    pub(crate) options: HubOptions,
    next: AtomicU64,
    connected: AtomicUsize,
    turned_away: AtomicU64,
}

impl Shared {
    pub(crate) fn board(&self) -> BoardId {
        BoardId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Is there room for one more client or topic?
    pub(crate) fn admit(&self) -> bool {
        let admitted = self.connected.fetch_add(1, Ordering::Relaxed) < self.options.boards;
        if !admitted {
            self.connected.fetch_sub(1, Ordering::Relaxed);
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

/// Receives from any number of boards: serial ports, servers, clients that connect, topics of a broker.
///
/// Every line has a thread of its own, with the buffer of its decoder; memory is taken for what comes, up to 1 MiB each.
pub struct Hub {
    messages: Receiver<Message>,
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Stack of a thread that reads a line.
const STACK: usize = 256 << 10;
/// How soon a stop is noticed by who waits for clients.
const PATIENCE: Duration = Duration::from_millis(50);

impl Hub {
    /// Starts to receive.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn start(endpoints: Vec<Endpoint>, options: HubOptions) -> Result<Self, GatewayError> {
        let (sender, messages) = sync_channel(options.queue.max(1));
        let shared = Arc::new(Shared {
            stop: Stop::default(),
            options,
            next: AtomicU64::new(0),
            connected: AtomicUsize::new(0),
            turned_away: AtomicU64::new(0),
        });
        let mut hub =
            Self { messages, shared: Arc::clone(&shared), addresses: Vec::new(), threads: Vec::new() };
        for endpoint in endpoints {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            let run: Box<dyn FnOnce() + Send> = match &endpoint {
                Endpoint::Listen(address) => {
                    let listener = listen(address)?;
                    hub.addresses.extend(listener.local_addr());
                    Box::new(move || accept(&listener, &shared, &sender))
                }
                #[cfg(feature = "mqtt")]
                Endpoint::Mqtt(broker) => {
                    let broker = broker.clone();
                    Box::new(move || crate::mqtt::receive(&broker, &shared, &sender))
                }
                _ => {
                    let gateway = Gateway::stopped_by(endpoint, options.line, shared.stop.clone())?;
                    let board = shared.board();
                    Box::new(move || read(board, gateway, &sender))
                }
            };
            hub.threads.push(spawn(run)?);
        }
        Ok(hub)
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops this hub.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.shared.stop.clone()
    }

    /// Passes results on to a sink per board until all lines have ended.
    ///
    /// `open` makes the sink when the first results of a board come, and again when the board says hello with another
    /// name, model or classes; it is given what is known of the board and the sink before, flushed. A board that went away
    /// has its sink flushed and dropped.
    ///
    /// # Errors
    /// The first error of a sink.
    pub fn pump<K: Sink>(
        mut self,
        mut open: impl FnMut(&DeviceInfo, Option<K>) -> Result<K, K::Error>,
        mut notice: impl FnMut(&Notice),
    ) -> Result<HubCounts, K::Error> {
        let mut boards: HashMap<BoardId, Board<K>> = HashMap::new();
        let mut counts = HubCounts::default();
        // Ends when the last thread has dropped its sender; ours are in the threads only.
        while let Ok(message) = self.messages.recv() {
            match message {
                Message::Event(_, Event::Notice(what)) => notice(&what),
                Message::Event(id, Event::Hello(hello)) => {
                    let board = boards.entry(id).or_default();
                    board.stale |= hello != board.device;
                    board.device = hello;
                }
                Message::Event(id, Event::Results { info, predictions }) => {
                    let board = boards.entry(id).or_default();
                    if std::mem::take(&mut board.stale) {
                        counts.boards += u64::from(board.sink.is_none());
                        board.sink.flush()?;
                        board.sink = Some(open(&board.device, board.sink.take())?);
                    }
                    let name = Some(board.device.device.as_str()).filter(|name| !name.is_empty());
                    board.sink.write(&Record { info, name, image: None, predictions: predictions.view() })?;
                }
                Message::Gone(id, line) => {
                    add(&mut counts.lines, &line);
                    if let Some(mut board) = boards.remove(&id) {
                        board.sink.flush()?;
                    }
                }
            }
        }
        for board in boards.values_mut() {
            board.sink.flush()?;
        }
        counts.turned_away = self.shared.turned_away.load(Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
        Ok(counts)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.stop.stop();
    }
}

/// A board and its sink.
struct Board<K> {
    device: DeviceInfo,
    sink: Option<K>,
    /// The sink does not know this device.
    stale: bool,
}

impl<K> Default for Board<K> {
    fn default() -> Self {
        Self { device: DeviceInfo::default(), sink: None, stale: true }
    }
}

fn listen(address: &str) -> Result<TcpListener, GatewayError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| GatewayError::Listen { address: address.to_owned(), error })
}

fn spawn(run: Box<dyn FnOnce() + Send>) -> Result<JoinHandle<()>, GatewayError> {
    let builder = thread::Builder::new().name("eyespot-board".into()).stack_size(STACK);
    builder.spawn(run).map_err(|error| GatewayError::Thread { error })
}

/// Takes clients, each with a thread of its own, until the hub stops.
fn accept(listener: &TcpListener, shared: &Arc<Shared>, sender: &SyncSender<Message>) {
    while !shared.stop.is_set() {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            // Also where the system has no more sockets: some client may leave.
            Err(_) => {
                thread::sleep(PATIENCE);
                continue;
            }
        };
        if !shared.admit() {
            continue;
        }
        let board = shared.board();
        let gateway = Gateway::of_client(stream, peer, shared.options.line, shared.stop.clone());
        let (own, sender) = (Arc::clone(shared), sender.clone());
        let run = move |gateway: io::Result<Gateway>| {
            if let Ok(gateway) = gateway {
                read(board, gateway, &sender);
            }
            own.connected.fetch_sub(1, Ordering::Relaxed);
        };
        // Without a thread the client is turned away: its socket closes.
        if spawn(Box::new(move || run(gateway))).is_err() {
            shared.connected.fetch_sub(1, Ordering::Relaxed);
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        if shared.options.line.retry.is_none() {
            return;
        }
    }
}

/// Passes on what a line gives, until it ends or nobody listens.
fn read(board: BoardId, mut gateway: Gateway, sender: &SyncSender<Message>) {
    for event in &mut gateway {
        if sender.send(Message::Event(board, event)).is_err() {
            return;
        }
    }
    // Nobody may be left to count.
    let _ = sender.send(Message::Gone(board, gateway.counts()));
}

pub(crate) fn add(sum: &mut GatewayCounts, more: &GatewayCounts) {
    let Counts { results, hellos, corrupt, oversized, malformed, other_version, restarts, missed } =
        more.wire;
    sum.wire.results += results;
    sum.wire.hellos += hellos;
    sum.wire.corrupt += corrupt;
    sum.wire.oversized += oversized;
    sum.wire.malformed += malformed;
    sum.wire.other_version += other_version;
    sum.wire.restarts += restarts;
    sum.wire.missed += missed;
    sum.connections += more.connections;
    sum.failures += more.failures;
}
