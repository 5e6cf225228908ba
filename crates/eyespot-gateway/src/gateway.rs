//! Events from an endpoint, over all its connections.

use std::fmt;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use eyespot_core::{Error, ErrorKind, FrameInfo, PredictionsBuf};
use eyespot_wire::{Counts, DeviceInfo, Stream, StreamError, VersionMismatch};

use crate::endpoint::Endpoint;
use crate::line::{self, Line, PATIENCE};

/// A gateway can't start.
#[derive(Debug)]
pub enum GatewayError {
    /// The address can't be listened on.
    Listen {
        /// The address.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// The system gives no thread.
    Thread {
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => {
                write!(f, "can't listen on {address}: {error}; is another gateway running?")
            }
            Self::Thread { error } => write!(f, "no thread for a line: {error}; listen to fewer boards"),
        }
    }
}

impl std::error::Error for GatewayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (Self::Listen { error, .. } | Self::Thread { error }) = self;
        Some(error)
    }
}

impl Error for GatewayError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Io
    }
}

/// Pauses between attempts to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

/// How a gateway behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Connect again after a disconnection; `None` ends instead.
    pub retry: Option<Retry>,
    /// A line without a byte for this time counts as lost. Longer than the longest pause of the device.
    pub idle: Option<Duration>,
}

impl Default for Options {
    /// 0.1 s to 5 s between attempts, lost after 30 s of silence.
    fn default() -> Self {
        let retry = Retry { first: Duration::from_millis(100), most: Duration::from_secs(5) };
        Self { retry: Some(retry), idle: Some(Duration::from_secs(30)) }
    }
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The line is open.
    Connected {
        /// Where.
        endpoint: Endpoint,
    },
    /// The line was lost or could not be opened.
    Disconnected {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        reason: String,
        /// The pause until the next attempt; `None` where it is the last.
        retry: Option<Duration>,
    },
    /// A frame came from a device with another version of the wire.
    Version(VersionMismatch),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { endpoint } => write!(f, "connected to {endpoint}"),
            Self::Disconnected { endpoint, reason, retry: Some(retry) } => {
                write!(f, "{endpoint}: {reason}; trying again in {:.1} s", retry.as_secs_f32())
            }
            Self::Disconnected { endpoint, reason, retry: None } => write!(f, "{endpoint}: {reason}"),
            Self::Version(mismatch) => mismatch.fmt(f),
        }
    }
}

/// What a gateway gives.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something happened to the connection.
    Notice(Notice),
    /// A device said who it is. Comes again from time to time.
    Hello(DeviceInfo),
    /// The results of a frame.
    Results {
        /// Number, time, source and size of the frame.
        info: FrameInfo,
        /// What was found in it.
        predictions: PredictionsBuf,
    },
}

/// What a gateway has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GatewayCounts {
    /// Frames that came, were corrupt or are missing.
    pub wire: Counts,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that were lost, and attempts that failed.
    pub failures: u64,
}

/// Stops a gateway from another thread or a signal handler.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The gateway ends within a fraction of a second; one that reads stdin, with the next bytes.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, but not beyond a stop.
    pub(crate) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_set() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(PATIENCE));
        }
    }
}

/// Reads results from an endpoint, and connects again when it is lost.
pub struct Gateway {
    endpoint: Endpoint,
    options: Options,
    listener: Option<TcpListener>,
    /// A line that is open already; used before any is opened.
    given: Option<Line>,
    stream: Stream<Watched>,
    counts: GatewayCounts,
    /// The pause before the next attempt.
    pause: Duration,
    /// The pause before the last one, while nothing has come since.
    last_pause: Duration,
    stop: Stop,
    ended: bool,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("endpoint", &self.endpoint)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// A line, or none, that remembers when it last gave a byte.
struct Watched {
    line: Option<Line>,
    last: Instant,
}

impl Watched {
    fn new(line: Option<Line>) -> Self {
        Self { line, last: Instant::now() }
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.line.as_mut().map_or(Ok(0), |line| line.read(buffer))?;
        self.last = Instant::now();
        Ok(len)
    }
}

impl Gateway {
    /// A gateway with the default options. It connects when the first event is asked for; an address to listen on is
    /// bound at once.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn new(endpoint: Endpoint) -> Result<Self, GatewayError> {
        Self::with_options(endpoint, Options::default())
    }

    /// A gateway with options.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn with_options(endpoint: Endpoint, options: Options) -> Result<Self, GatewayError> {
        Self::stopped_by(endpoint, options, Stop::default())
    }

    /// A gateway that is stopped together with others.
    pub(crate) fn stopped_by(endpoint: Endpoint, options: Options, stop: Stop) -> Result<Self, GatewayError> {
        let listener = match &endpoint {
            Endpoint::Listen(address) => Some(
                TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                    .map_err(|error| GatewayError::Listen { address: address.clone(), error })?,
            ),
            _ => None,
        };
        Ok(Self {
            endpoint,
            options,
            listener,
            given: None,
            stream: Stream::new(Watched::new(None)),
            counts: GatewayCounts::default(),
            pause: Duration::ZERO,
            last_pause: Duration::ZERO,
            stop,
            ended: false,
        })
    }

    /// A gateway for a client that has connected; it ends when the client goes away.
    pub(crate) fn of_client(
        stream: TcpStream,
        peer: SocketAddr,
        options: Options,
        stop: Stop,
    ) -> io::Result<Self> {
        let line = line::tcp(stream)?;
        let (endpoint, options) = (Endpoint::Connect(peer.to_string()), Options { retry: None, ..options });
        let gateway = Self::stopped_by(endpoint, options, stop).map_err(io::Error::other)?;
        Ok(Self { given: Some(line), ..gateway })
    }

    /// Stops this gateway.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Where it listens, if it does.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What was seen so far, over all connections.
    #[must_use]
    pub const fn counts(&self) -> GatewayCounts {
        GatewayCounts { wire: self.stream.counts(), ..self.counts }
    }

    fn is_connected(&self) -> bool {
        self.stream.reader().line.is_some()
    }

    fn set_line(&mut self, line: Option<Line>) {
        self.stream.reconnect(Watched::new(line));
    }

    /// Tries once; `None` while a listener waits for a client.
    fn connect(&mut self) -> Option<Event> {
        self.stop.pause(std::mem::take(&mut self.pause));
        if self.stop.is_set() {
            return None;
        }
        let line = match self.given.take() {
            Some(line) => Ok(line),
            None => line::open(&self.endpoint, self.listener.as_ref()),
        };
        match line {
            Ok(line) => {
                self.set_line(Some(line));
                self.counts.connections += 1;
                Some(Event::Notice(Notice::Connected { endpoint: self.endpoint.clone() }))
            }
            Err(error) if self.listener.is_some() && error.kind() == io::ErrorKind::TimedOut => None,
            Err(error) => Some(self.disconnected(error.to_string())),
        }
    }

    fn disconnected(&mut self, reason: String) -> Event {
        self.set_line(None);
        self.counts.failures += 1;
        // Bytes of stdin that are gone do not come back.
        let retry =
            self.options.retry.filter(|_| self.endpoint != Endpoint::Stdin).map(|Retry { first, most }| {
                let pause = if self.last_pause.is_zero() { first } else { self.last_pause * 2 };
                pause.min(most)
            });
        self.ended = retry.is_none();
        self.pause = retry.unwrap_or_default();
        self.last_pause = self.pause;
        Event::Notice(Notice::Disconnected { endpoint: self.endpoint.clone(), reason, retry })
    }

    /// What the open line gives; `None` for nothing yet.
    fn receive(&mut self) -> Option<Event> {
        let event = match self.stream.next() {
            None => return Some(self.disconnected("the other side has closed the line".into())),
            Some(Err(StreamError::Io(error)))
                if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) =>
            {
                let silence = self.stream.reader().last.elapsed();
                let lost = self.options.idle.is_some_and(|idle| silence > idle);
                return lost
                    .then(|| self.disconnected(format!("nothing came for {:.0} s", silence.as_secs_f32())));
            }
            Some(Err(StreamError::Io(error))) => return Some(self.disconnected(error.to_string())),
            Some(Err(StreamError::Version(mismatch))) => Event::Notice(Notice::Version(mismatch)),
            Some(Ok(eyespot_wire::Event::Hello(device))) => Event::Hello(device),
            Some(Ok(eyespot_wire::Event::Results { info, predictions })) => {
                Event::Results { info, predictions }
            }
        };
        // The line works: the next pause is a short one.
        self.last_pause = Duration::ZERO;
        Some(event)
    }
}

impl Iterator for Gateway {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while !self.ended && !self.stop.is_set() {
            let event = if self.is_connected() { self.receive() } else { self.connect() };
            if event.is_some() {
                return event;
            }
        }
        None
    }
}
