//! What stands between a run and who looks on: a queue with a bound, and a thread that writes.
//!
//! A pipe that nobody reads, or a terminal that was told to stand still, holds up this thread and nothing else. What
//! does not fit into the queue is lost for that reader, which is told how much in its place; the journal has it all.

mod queue;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cogwork_conductor::Progress;
use cogwork_conductor::ports::{Offered, Readers};
use cogwork_schemas::{AgentEvent, Entry, SessionId};
use cogwork_session::clock;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Reporter;
use queue::{Next, Queue};

/// How often a moving display moves.
const TICK: Duration = Duration::from_millis(100);
/// How long a run that is over waits for a reader that takes nothing.
const STUCK: Duration = Duration::from_secs(10);
/// How many times that a run that is over waits for a reader that is slow.
const SLOW: u32 = 30;
/// How long a run that is over and was told to stop waits for any reader.
const LAST_MOMENT: Duration = Duration::from_millis(250);

/// One thing to be shown.
#[derive(Debug)]
enum Shown {
    Entry(Box<Entry>),
    Said(SessionId, Box<AgentEvent>),
    Note(Timestamp, String),
    /// So many entries did not fit here.
    Lost(u64),
    /// The last words.
    Text(String),
}

/// The way to one reader.
pub(crate) struct Outbox {
    queue: Arc<Queue>,
    is_gone: Arc<AtomicBool>,
    wants_agents: bool,
    wants_progress: bool,
    written: oneshot::Receiver<()>,
}

impl Outbox {
    /// Starts the thread that shows everything by `reporter`.
    ///
    /// # Errors
    ///
    /// When there can be no thread.
    pub(crate) fn start(reporter: Box<dyn Reporter + Send>) -> std::io::Result<Self> {
        let (done, written) = oneshot::channel();
        let (queue, is_gone) = (Arc::<Queue>::default(), Arc::<AtomicBool>::default());
        let (wants_agents, wants_progress) = (reporter.wants_agents(), reporter.wants_progress());
        let writer = Writer { reporter, queue: Arc::clone(&queue), is_gone: Arc::clone(&is_gone) };
        std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            writer.write_all();
            // A run that did not wait for this is gone.
            done.send(()).ok();
        })?;
        Ok(Self { queue, is_gone, wants_agents, wants_progress, written })
    }

    /// Says the last words and waits until all is written: while the reader takes something, until a person says stop,
    /// and not for ever.
    pub(crate) async fn close<Stop>(mut self, last_words: Option<String>, stop: impl Future<Output = Stop>) {
        self.queue.close(last_words.map(Shown::Text));
        let mut stop = pin!(stop);
        for _ in 0..SLOW {
            let before = self.queue.taken();
            tokio::select! {
                _ = &mut self.written => return,
                _ = &mut stop => {
                    // A reader that reads loses nothing by a stop.
                    tokio::time::timeout(LAST_MOMENT, &mut self.written).await.ok();
                    return;
                }
                () = tokio::time::sleep(STUCK) => {}
            }
            if self.queue.taken() == before {
                return;
            }
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.queue.close(None);
    }
}

impl Readers for Outbox {
    fn offer(&mut self, entry: &Entry) -> Offered {
        if self.is_gone.load(Ordering::Relaxed) {
            return Offered::Gone;
        }
        if self.queue.push_entry(entry) { Offered::Taken } else { Offered::Full }
    }

    fn agent_event(&mut self, session: SessionId, event: &AgentEvent) {
        if self.wants_agents && !self.is_gone.load(Ordering::Relaxed) {
            self.queue.push_said(session, event);
        }
    }

    fn note(&mut self, at: Timestamp, text: &str) {
        if !self.is_gone.load(Ordering::Relaxed) {
            self.queue.push_note(at, text);
        }
    }

    fn wants_progress(&self) -> bool {
        self.wants_progress
    }

    fn progress(&mut self, progress: Progress) {
        self.queue.set_progress(progress);
    }
}

/// The thread's own part.
struct Writer {
    reporter: Box<dyn Reporter + Send>,
    queue: Arc<Queue>,
    is_gone: Arc<AtomicBool>,
}

impl Writer {
    fn write_all(mut self) {
        loop {
            let written = match self.queue.next(TICK) {
                Next::Item(item) => self.show(item),
                Next::Nothing => Ok(()),
                Next::Closed => return self.reporter.close(),
            };
            if written.is_err() {
                // The reader is gone; the run goes on and the journal has it all.
                self.is_gone.store(true, Ordering::Relaxed);
                return self.queue.clear();
            }
            if let Some(progress) = self.queue.progress() {
                self.reporter.tick(clock::now(), &progress);
            }
        }
    }

    fn show(&mut self, item: Shown) -> std::io::Result<()> {
        match item {
            Shown::Entry(entry) => self.reporter.entry(&entry),
            Shown::Said(session, event) => self.reporter.agent(session, &event),
            Shown::Note(at, text) => self.reporter.note(at, &text),
            Shown::Lost(entries) => self.reporter.lost(clock::now(), entries),
            Shown::Text(text) => {
                self.reporter.close();
                self.reporter.last_words(&text)
            }
        }
    }
}

#[cfg(test)]
mod tests;
