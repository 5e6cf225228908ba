//! Opening an endpoint.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::endpoint::Endpoint;

/// After this time a read gives up, so that the gateway can look whether it shall stop.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
const CONNECT: Duration = Duration::from_secs(3);

/// An open line. Reads that wait for longer than [`PATIENCE`] are timeouts, but for stdin.
pub(crate) type Line = Box<dyn Read + Send>;

/// Opens the endpoint; `listener` is bound where it listens. A listener without a client is a timeout.
pub(crate) fn open(endpoint: &Endpoint, listener: Option<&TcpListener>) -> io::Result<Line> {
    match (endpoint, listener) {
        (Endpoint::Listen(_), Some(listener)) => match listener.accept() {
            Ok((stream, _)) => tcp(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(PATIENCE);
                Err(io::ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        },
        (Endpoint::Connect(address) | Endpoint::Listen(address), _) => tcp(connect(address)?),
        #[cfg(feature = "mqtt")]
        (Endpoint::Mqtt(_), _) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a broker has many boards: receive from it with a hub",
        )),
        (Endpoint::Stdin, _) => Ok(Box::new(io::stdin())),
        #[cfg(unix)]
        (Endpoint::Serial { path, baud }, _) => {
            Ok(Box::new(crate::serial::Serial::open(path, *baud, PATIENCE)?))
        }
        #[cfg(not(unix))]
        (Endpoint::Serial { .. }, _) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "serial ports are supported on Linux and macOS; bridge the port to TCP",
        )),
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

pub(crate) fn tcp(stream: TcpStream) -> io::Result<Line> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Box::new(stream))
}
