//! The signals of a person or a supervisor, as one stream.

use cogwork_process::signals::SignalListener;
use tokio::signal::unix::SignalKind;

use crate::ports::Signal;

/// Hears the signals to this process from when it is made, each once: one that comes while nobody waits is kept.
pub struct Signals {
    interrupt: SignalListener,
    terminate: SignalListener,
    hangup: SignalListener,
}

impl Signals {
    /// Begins to hear, within a runtime.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to deliver them.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: SignalListener::new(SignalKind::interrupt())?,
            terminate: SignalListener::new(SignalKind::terminate())?,
            hangup: SignalListener::new(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            () = self.interrupt.recv() => Signal::Interrupt,
            () = self.terminate.recv() => Signal::Terminate,
            () = self.hangup.recv() => Signal::Hangup,
        }
    }
}
