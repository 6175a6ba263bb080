//! The way to stdout that never holds up a session.
//!
//! A thread of its own writes, so that a parent that reads slowly, or not at all, stops neither the clock nor the
//! lease. What must arrive waits without a bound, which is small because there is little of it; what an agent says
//! is only offered, and dropped while too much waits.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::machine::Event;

/// How many bytes may wait before offers are dropped. Enough for a burst, little enough for a small process.
const MAX_WAITING: usize = 256 << 10;
/// How long the last lines may take to be written, once nothing is left to be said.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Lines on their way to stdout.
pub struct Outbox {
    lines: std::sync::mpsc::Sender<String>,
    waiting: Arc<AtomicUsize>,
    dropped: Cell<u64>,
    written: oneshot::Receiver<()>,
}

impl Outbox {
    /// Returns an outbox that writes to `target`, and tells `inbox` when nobody reads it any more.
    pub fn new(target: impl Write + Send + 'static, inbox: mpsc::Sender<Event>) -> Self {
        let (lines, queue) = std::sync::mpsc::channel();
        let (done, written) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&waiting);
        std::thread::spawn(move || {
            write_all(target, &queue, &counter, &inbox);
            // Nobody waits when the process is on its way out.
            done.send(()).ok();
        });
        Self { lines, waiting, dropped: Cell::new(0), written }
    }

    /// Writes a line, however long it has to wait.
    pub fn say(&self, line: String) {
        self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        // The thread ends after us.
        self.lines.send(line).ok();
    }

    /// Writes a line unless too much is waiting. Returns how many were dropped since the last one that was not.
    pub fn offer(&self, line: String) -> Option<u64> {
        if self.waiting.load(Ordering::Relaxed) + line.len() > MAX_WAITING {
            self.dropped.set(self.dropped.get() + 1);
            return None;
        }
        self.say(line);
        Some(self.dropped.replace(0))
    }

    /// Waits until all is written, for a while.
    pub async fn close(self) {
        let Self { lines, written, .. } = self;
        drop(lines);
        if tokio::time::timeout(LAST_WORDS, written).await.is_err() {
            tracing::warn!("nobody reads the last lines of this process");
        }
    }
}

fn write_all(
    mut target: impl Write,
    queue: &std::sync::mpsc::Receiver<String>,
    waiting: &AtomicUsize,
    inbox: &mpsc::Sender<Event>,
) {
    let mut open = true;
    for mut line in queue {
        let length = line.len();
        line.push('\n');
        if open && write_line(&mut target, &line).is_err() {
            open = false;
            inbox.blocking_send(Event::ParentGone).ok();
        }
        waiting.fetch_sub(length, Ordering::Relaxed);
    }
}

fn write_line(target: &mut impl Write, line: &str) -> io::Result<()> {
    target.write_all(line.as_bytes())?;
    target.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A reader that takes nothing while it is locked.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_reader_that_stands_still_loses_offers_and_nothing_else() {
        let (sender, _events) = mpsc::channel(1);
        let slow = Slow::default();
        let outbox = Outbox::new(slow.clone(), sender);
        let (offered, long) = (1000, "x".repeat(10_000));
        let accepted = {
            let _still = slow.0.lock().unwrap();
            outbox.say("first".into());
            let accepted = (0..offered).filter(|_| outbox.offer(long.clone()).is_some()).count();
            outbox.say("last".into());
            accepted
        };
        assert!((1..50).contains(&accepted), "{accepted}");
        outbox.close().await;
        let text = String::from_utf8(slow.0.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("first\n") && text.ends_with("\nlast\n"));
        assert_eq!(text.lines().count(), accepted + 2);
    }

    #[tokio::test]
    async fn a_closed_stdout_is_an_event_and_no_panic() {
        let (sender, mut events) = mpsc::channel(1);
        let outbox = Outbox::new(Closed, sender);
        outbox.say("a".into());
        outbox.say("b".into());
        assert_eq!(events.recv().await, Some(Event::ParentGone));
        outbox.close().await;
        assert_eq!(events.recv().await, None);
    }
}
