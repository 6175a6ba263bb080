//! What reaches a session from outside: control messages, signals, and the silence of a dead parent.
//!
//! It turns them into events for the machine and decides nothing.

use std::io::{self, BufRead, Read};

use cogwork_process::signals::SignalListener;
use cogwork_schemas::Control;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

use crate::machine::Event;

/// More than a parent ever says at once; a flood of control messages waits in the pipe.
const QUEUE: usize = 16;
/// The longest control message that is read, in bytes.
const MAX_LINE: u64 = 64 << 10;

/// Where the events of the outside arrive.
pub struct Inbox {
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
}

impl Inbox {
    /// Returns an inbox that hears SIGTERM, SIGINT and SIGHUP, and SIGUSR1, which tells of our warden's death. Needs a
    /// running runtime.
    ///
    /// # Errors
    /// When the kernel refuses to deliver signals.
    pub fn with_signals() -> io::Result<Self> {
        let (sender, events) = mpsc::channel(QUEUE);
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        for kind in signals {
            tokio::spawn(hear(SignalListener::new(kind)?, Event::Signal, sender.clone()));
        }
        tokio::spawn(hear(
            SignalListener::new(SignalKind::user_defined1())?,
            Event::ParentGone,
            sender.clone(),
        ));
        Ok(Self { events, sender })
    }

    /// Begins to read control messages from stdin, whose end means that the parent is gone.
    ///
    /// The thread is never joined: it may wait in `read` for ever, and ends with the process.
    pub fn read_stdin(&self) {
        let sender = self.sender.clone();
        std::thread::spawn(move || read_controls(io::stdin().lock(), &sender));
    }

    /// Returns a way to put events in, for what notices the outside by itself.
    pub fn sender(&self) -> mpsc::Sender<Event> {
        self.sender.clone()
    }

    /// Returns the next event. Cancel-safe.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // Never: we hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Returns an event that is there already.
    pub fn waiting(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

async fn hear(mut signal: SignalListener, meaning: Event, sender: mpsc::Sender<Event>) {
    loop {
        signal.recv().await;
        if sender.send(meaning.clone()).await.is_err() {
            return;
        }
    }
}

fn read_controls(mut stdin: impl BufRead, sender: &mpsc::Sender<Event>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdin.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => match serde_json::from_slice::<Control>(&line) {
                Ok(control) => {
                    if sender.blocking_send(Event::Control(control)).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::warn!("a control message was not understood: {error}"),
            },
        }
    }
    // Whoever receives may be gone; then nobody needs to know.
    sender.blocking_send(Event::ParentGone).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_read_and_the_end_means_that_the_parent_is_gone() {
        let (sender, mut events) = mpsc::channel(QUEUE);
        let stdin = "{\"control\":\"drain\"}\nnonsense\n{\"control\":\"stop\"}\n";
        read_controls(stdin.as_bytes(), &sender);
        let mut next = || events.try_recv().ok();
        assert_eq!(next(), Some(Event::Control(Control::Drain)));
        assert_eq!(next(), Some(Event::Control(Control::Stop)));
        assert_eq!(next(), Some(Event::ParentGone));
        assert_eq!(next(), None);
    }
}
