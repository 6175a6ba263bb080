//! The signals of a person or a supervisor, as the commands that they are.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ports::Command;

/// All of them as one stream: the first Ctrl-C drains, the second or a supervisor's SIGTERM stops, the third abandons.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    times: u32,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            times: 0,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => self.times = self.times.max(1),
            // The terminal is gone and nobody can press anything any more.
            _ = self.hangup.recv() => self.times = self.times.max(1),
        }
        self.times += 1;
        match self.times {
            1 => Command::Drain,
            2 => Command::Stop,
            _ => Command::Abandon,
        }
    }
}
