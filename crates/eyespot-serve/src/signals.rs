//! Being told to end.

use std::io;

use tokio::runtime::{Builder, Runtime};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Ctrl-C, and SIGTERM where there is one, caught so that a server can be stopped gently: they don't end the process
/// any more.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(windows)]
    interrupt: CtrlC,
}

impl Signals {
    /// Catches them from now on, until the process ends.
    ///
    /// # Errors
    /// Where the system does not let them be caught.
    pub fn catch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        #[cfg(unix)]
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        #[cfg(windows)]
        let interrupt = ctrl_c()?;
        drop(entered);
        Ok(Self {
            runtime,
            interrupt,
            #[cfg(unix)]
            terminate,
        })
    }

    /// Waits for the next of them.
    pub fn wait(&mut self) {
        #[cfg(unix)]
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        });
        #[cfg(windows)]
        self.runtime.block_on(self.interrupt.recv());
    }
}
