//! What stands between a run and who looks on: a queue with a bound, and a thread that writes.
//!
//! A pipe that nobody reads, or a terminal that was told to stand still, holds up this thread and nothing else. What
//! does not fit into the queue is lost for that reader, which is told how much once it reads again; the journal has
//! it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cogwork_conductor::Progress;
use cogwork_conductor::clock;
use cogwork_conductor::ports::{Offered, Readers};
use cogwork_schemas::{AgentEvent, Entry, SessionId};
use jiff::Timestamp;

use super::Reporter;

/// Entries that may wait. A reader that pauses for a minute misses nothing, and a run of a night stays small.
const QUEUE: usize = 8_192;
/// Room that is left for what must not be lost when agents chatter.
const RESERVE: usize = QUEUE / 2;
/// How often a moving display moves.
const TICK: Duration = Duration::from_millis(100);
/// How long the last words may take, once the run is over.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How often the last words are tried while the queue is full.
const AGAIN: Duration = Duration::from_millis(20);

/// One thing to be shown.
enum Shown {
    Entry(Box<Entry>),
    Said(SessionId, Box<AgentEvent>),
    Note(Timestamp, String),
    /// So many of these did not fit.
    Lost(u64),
    /// The last words.
    Text(String),
    Close,
}

/// The way to one reader.
pub(crate) struct Outbox {
    queue: SyncSender<Shown>,
    waiting: Arc<std::sync::atomic::AtomicUsize>,
    lost: u64,
    is_gone: Arc<AtomicBool>,
    progress: Option<Arc<Mutex<Progress>>>,
    written: Receiver<()>,
}

impl Outbox {
    /// Starts the thread that shows everything by `reporter`.
    ///
    /// # Errors
    ///
    /// When there can be no thread.
    pub(crate) fn start(reporter: Box<dyn Reporter + Send>) -> std::io::Result<Self> {
        let (queue, items) = mpsc::sync_channel(QUEUE);
        let (done, written) = mpsc::channel();
        let is_gone = Arc::new(AtomicBool::new(false));
        let waiting = Arc::default();
        let progress = reporter.wants_progress().then(Arc::default);
        let writer = Writer {
            reporter,
            items,
            waiting: Arc::clone(&waiting),
            is_gone: Arc::clone(&is_gone),
            progress: progress.clone(),
        };
        std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            writer.write_all();
            // Whoever waited may be gone.
            done.send(()).ok();
        })?;
        Ok(Self { queue, waiting, lost: 0, is_gone, progress, written })
    }

    /// Says the last words and waits until all is written, for a while.
    pub(crate) fn close(self, last_words: Option<String>) {
        let mut left = LAST_WORDS;
        let lost = (self.lost > 0).then_some(Shown::Lost(self.lost));
        for item in lost.into_iter().chain(last_words.map(Shown::Text)).chain([Shown::Close]) {
            let mut item = Some(item);
            while let Some(next) = item.take() {
                match self.queue.try_send(next) {
                    Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                    Err(TrySendError::Full(next)) if !left.is_zero() => {
                        pause(AGAIN);
                        left = left.saturating_sub(AGAIN);
                        item = Some(next);
                    }
                    Err(TrySendError::Full(_)) => return,
                }
            }
        }
        self.written.recv_timeout(left.max(AGAIN)).ok();
    }

    fn send(&mut self, shown: Shown) -> Offered {
        if self.is_gone.load(Ordering::Relaxed) {
            return Offered::Gone;
        }
        if self.lost > 0 && self.try_send(Shown::Lost(self.lost)) == Offered::Taken {
            self.lost = 0;
        }
        if self.lost > 0 {
            return Offered::Full;
        }
        self.try_send(shown)
    }

    fn try_send(&self, shown: Shown) -> Offered {
        match self.queue.try_send(shown) {
            Ok(()) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                Offered::Taken
            }
            Err(TrySendError::Full(_)) => Offered::Full,
            Err(TrySendError::Disconnected(_)) => Offered::Gone,
        }
    }
}

impl Readers for Outbox {
    fn offer(&mut self, entry: &Entry) -> Offered {
        let offered = self.send(Shown::Entry(Box::new(entry.clone())));
        if offered == Offered::Full {
            self.lost += 1;
        }
        offered
    }

    fn said(&mut self, session: SessionId, event: &AgentEvent) {
        // Only a display that moves shows it, and what it shows is only the last.
        if self.progress.is_some() && self.waiting.load(Ordering::Relaxed) < RESERVE {
            self.send(Shown::Said(session, Box::new(event.clone())));
        }
    }

    fn note(&mut self, at: Timestamp, text: &str) {
        self.send(Shown::Note(at, text.to_owned()));
    }

    fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(newest) = &self.progress {
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        }
    }
}

/// The thread's own part.
struct Writer {
    reporter: Box<dyn Reporter + Send>,
    items: Receiver<Shown>,
    waiting: Arc<std::sync::atomic::AtomicUsize>,
    is_gone: Arc<AtomicBool>,
    progress: Option<Arc<Mutex<Progress>>>,
}

impl Writer {
    fn write_all(mut self) {
        loop {
            let written = match self.items.recv_timeout(TICK) {
                Ok(item) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    match item {
                        Shown::Entry(entry) => self.reporter.entry(&entry),
                        Shown::Said(session, event) => self.reporter.agent(session, &event),
                        Shown::Note(at, text) => self.reporter.note(at, &text),
                        Shown::Lost(entries) => self.reporter.lost(clock::now(), entries),
                        Shown::Text(text) => {
                            self.reporter.close();
                            self.reporter.last_words(&text)
                        }
                        Shown::Close => return self.reporter.close(),
                    }
                }
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return self.reporter.close(),
            };
            if written.is_err() {
                // The reader is gone; the run goes on and the journal has it all.
                self.is_gone.store(true, Ordering::Relaxed);
                return;
            }
            if let Some(newest) = &self.progress {
                let progress = newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
                self.reporter.tick(clock::now(), &progress);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the run is over, and this is all that is left to wait for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
