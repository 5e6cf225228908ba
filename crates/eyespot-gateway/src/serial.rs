//! Serial ports.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::termios::{ControlModes, OptionalActions, isatty, tcgetattr, tcsetattr};

/// A serial port in raw mode, or anything else that can be opened and read: a pipe, a file.
#[derive(Debug)]
pub(crate) struct Serial {
    file: File,
    patience: Duration,
}

impl Serial {
    /// Opens a port; a read waits for `patience` and is then a timeout.
    pub(crate) fn open(path: &Path, baud: u32, patience: Duration) -> io::Result<Self> {
        // Not blocking: opening must not wait for a carrier, nor reading for bytes.
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = open(path, flags, Mode::empty())?;
        if isatty(&port) {
            let mut settings = tcgetattr(&port)?;
            settings.make_raw();
            settings.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
            settings.control_modes &= !(ControlModes::CSTOPB | ControlModes::CRTSCTS);
            settings.set_speed(baud)?;
            tcsetattr(&port, OptionalActions::Now, &settings)?;
        }
        Ok(Self { file: File::from(port), patience })
    }
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let timeout = Timespec::try_from(self.patience).map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&timeout))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(buffer)
    }
}
