//! The signals of a person or a supervisor, as one stream.

use cogwork_process::signals::SignalListener;
use tokio::signal::unix::SignalKind;

use crate::ports::Signal;

pub(crate) struct Signals {
    interrupt: SignalListener,
    terminate: SignalListener,
    hangup: SignalListener,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: SignalListener::new(SignalKind::interrupt())?,
            terminate: SignalListener::new(SignalKind::terminate())?,
            hangup: SignalListener::new(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = self.interrupt.recv() => Signal::Interrupt,
            () = self.terminate.recv() => Signal::Terminate,
            () = self.hangup.recv() => Signal::Hangup,
        }
    }
}
