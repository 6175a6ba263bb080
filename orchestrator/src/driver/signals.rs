//! The signals of a person or a supervisor, as what they ask for.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The first Ctrl-C: finish what runs.
    Drain,
    /// The second, or a supervisor's SIGTERM: stop what runs.
    Stop,
    /// The third: leave at once; the next start tidies up.
    Abandon,
}

/// All of them as one stream.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    times: u32,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            times: 0,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => self.times = self.times.max(1),
            // The terminal is gone and nobody can press anything any more.
            _ = self.hangup.recv() => self.times = self.times.max(1),
        }
        self.times += 1;
        match self.times {
            1 => Asked::Drain,
            2 => Asked::Stop,
            _ => Asked::Abandon,
        }
    }
}
