//! Where results come from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use eyespot_core::{Error, ErrorKind};

/// Where results come from. Parses from and displays as the text of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A serial port: `/dev/ttyACM0` or `/dev/ttyUSB0@921600`.
    Serial {
        /// The device.
        path: PathBuf,
        /// Bits per second.
        baud: u32,
    },
    /// A server to connect to, host and port: `tcp://host:port`.
    Connect(String),
    /// An address to listen on: `tcp-listen://0.0.0.0:9000`.
    Listen(String),
    /// Topics of a broker: `mqtt://host:port/boards/+`. Each topic is a board.
    #[cfg(feature = "mqtt")]
    Mqtt(crate::mqtt::Broker),
    /// Standard input: `-`.
    Stdin,
}

/// A text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointError(String);

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is no endpoint: give a serial port (/dev/ttyACM0 or /dev/ttyACM0@115200), tcp://host:port, \
             tcp-listen://address:port, mqtt://host:port/topic, or - for stdin",
            self.0
        )
    }
}

impl std::error::Error for EndpointError {}

impl Error for EndpointError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

const BAUD: u32 = 115_200;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refused = || EndpointError(text.to_owned());
        let address = |address: &str| {
            let (host, port) = address.rsplit_once(':').ok_or_else(refused)?;
            let valid = !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok();
            if valid { Ok(address.to_owned()) } else { Err(refused()) }
        };
        if text == "-" {
            Ok(Self::Stdin)
        } else if let Some(rest) = text.strip_prefix("tcp://") {
            address(rest).map(Self::Connect)
        } else if let Some(rest) = text.strip_prefix("tcp-listen://") {
            address(rest).map(Self::Listen)
        } else if let Some(_rest) = text.strip_prefix("mqtt://") {
            #[cfg(feature = "mqtt")]
            return crate::mqtt::Broker::parse(_rest).map(Self::Mqtt).ok_or_else(refused);
            #[cfg(not(feature = "mqtt"))]
            Err(refused())
        } else if text.is_empty() || text.contains("://") {
            Err(refused())
        } else {
            let (path, baud) = match text.rsplit_once('@') {
                Some((path, baud)) => (path, baud.parse().ok().filter(|baud| *baud > 0).ok_or_else(refused)?),
                None => (text, BAUD),
            };
            Ok(Self::Serial { path: PathBuf::from(path), baud })
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { path, baud } => write!(f, "{}@{baud}", path.display()),
            Self::Connect(address) => write!(f, "tcp://{address}"),
            Self::Listen(address) => write!(f, "tcp-listen://{address}"),
            #[cfg(feature = "mqtt")]
            Self::Mqtt(broker) => broker.fmt(f),
            Self::Stdin => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endpoints_are_read_and_written() {
        let serial = |path: &str, baud| Endpoint::Serial { path: path.into(), baud };
        for (text, endpoint, canonical) in [
            ("/dev/ttyACM0", serial("/dev/ttyACM0", 115_200), "/dev/ttyACM0@115200"),
            (
                "/dev/serial/by-id/usb-a@b@9600",
                serial("/dev/serial/by-id/usb-a@b", 9600),
                "/dev/serial/by-id/usb-a@b@9600",
            ),
            ("tcp://[::1]:80", Endpoint::Connect("[::1]:80".into()), "tcp://[::1]:80"),
            (
                "tcp-listen://0.0.0.0:9000",
                Endpoint::Listen("0.0.0.0:9000".into()),
                "tcp-listen://0.0.0.0:9000",
            ),
            ("-", Endpoint::Stdin, "-"),
        ] {
            assert_eq!(text.parse(), Ok(endpoint.clone()));
            assert_eq!(endpoint.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(endpoint));
        }
        for bad in [
            "",
            "tcp://host",
            "tcp://:80",
            "tcp://host:99999",
            "http://host:80",
            "/dev/ttyS0@fast",
            "/dev/ttyS0@0",
        ] {
            let error = bad.parse::<Endpoint>().unwrap_err();
            assert!(error.to_string().contains("tcp://host:port"), "{bad}");
        }
    }

    proptest! {
        /// Any text is an endpoint or an error, and an endpoint is read as it is written.
        #[test]
        fn any_text_is_read(text in prop_oneof!["(tcp://|tcp-listen://|/dev/tty)?[a-z0-9.:@/\\[\\]-]{0,24}", ".*"]) {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
