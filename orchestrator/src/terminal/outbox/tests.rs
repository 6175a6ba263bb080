use std::future::{pending, ready};
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use cogwork_schemas::{CheckPhase, CheckReport, CheckVerdict, ENTRY_VERSION, Fact, FeatureId};

use super::queue::{BYTES, ITEMS};
use super::*;

/// What a reader was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Entry(i64),
    Said,
    Note(String),
    Lost(u64),
    Text(String),
    Closed,
}

/// A reader that takes one thing for each permit, and is gone when there will be no more.
struct Reader {
    permits: Receiver<()>,
    seen: Arc<Mutex<Vec<Seen>>>,
    moves: bool,
}

impl Reader {
    fn see(&self, seen: Seen) -> io::Result<()> {
        self.permits.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.seen.lock().unwrap().push(seen);
        Ok(())
    }
}

impl Reporter for Reader {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.see(Seen::Entry(entry.seq))
    }

    fn agent(&mut self, _: SessionId, _: &AgentEvent) -> io::Result<()> {
        self.see(Seen::Said)
    }

    fn note(&mut self, _: Timestamp, text: &str) -> io::Result<()> {
        self.see(Seen::Note(text.to_owned()))
    }

    fn lost(&mut self, _: Timestamp, entries: u64) -> io::Result<()> {
        self.see(Seen::Lost(entries))
    }

    fn last_words(&mut self, text: &str) -> io::Result<()> {
        self.see(Seen::Text(text.to_owned()))
    }

    fn wants_agents(&self) -> bool {
        self.moves
    }

    fn wants_progress(&self) -> bool {
        self.moves
    }

    fn tick(&mut self, _: Timestamp, _: &Progress) {}

    fn close(&mut self) {
        self.seen.lock().unwrap().push(Seen::Closed);
    }
}

struct Scene {
    outbox: Outbox,
    permits: Sender<()>,
    seen: Arc<Mutex<Vec<Seen>>>,
    last: i64,
}

fn scene(moves: bool) -> Scene {
    let (permits, received) = mpsc::channel();
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let reader = Reader { permits: received, seen: Arc::clone(&seen), moves };
    Scene { outbox: Outbox::start(Box::new(reader)).unwrap(), permits, seen, last: 0 }
}

impl Scene {
    fn offer_fact(&mut self, fact: Fact) -> Offered {
        self.last += 1;
        let (seq, at, feature) = (self.last, Timestamp::UNIX_EPOCH, Some(FeatureId(1)));
        self.outbox.offer(&Entry {
            seq,
            version: ENTRY_VERSION,
            at,
            run: None,
            feature,
            session: None,
            attempt: None,
            fact,
        })
    }

    fn offer(&mut self) -> Offered {
        self.offer_fact(Fact::Retried)
    }

    fn read(&self, count: usize) {
        for _ in 0..count {
            self.permits.send(()).unwrap();
        }
    }

    /// Waits until the writer is stuck in its reader, or has nothing to write.
    fn until_seen(&self, count: usize) {
        while self.seen.lock().unwrap().len() < count {
            std::thread::yield_now();
        }
    }

    /// Closes it for a reader that reads on, and returns all that it was shown.
    fn all(self, last_words: Option<&str>) -> Vec<Seen> {
        self.read(4 * ITEMS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.outbox.close(last_words.map(str::to_owned), pending::<()>()));
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// Asserts that what was shown is in order, and that every gap has its true size; returns how many were lost.
fn assert_accounted(seen: &[Seen], offered: i64) -> u64 {
    let (mut last, mut lost) = (0, 0);
    for seen in seen {
        match seen {
            Seen::Entry(seq) => {
                last += 1;
                assert_eq!(*seq, last, "an entry is missing or out of order");
            }
            Seen::Lost(entries) => {
                lost += entries;
                last += i64::try_from(*entries).unwrap();
            }
            Seen::Said | Seen::Note(_) | Seen::Text(_) | Seen::Closed => {}
        }
    }
    assert_eq!(last, offered);
    lost
}

#[test]
fn a_reader_that_reads_again_gets_the_rest_and_the_count_in_its_place() {
    let mut scene = scene(false);
    let more = 1_000;
    let offered: Vec<_> = (0..ITEMS + more).map(|_| scene.offer()).collect();
    let full = offered.iter().filter(|offered| **offered == Offered::Full).count();
    assert!(full >= more - 1, "one may be in the reader's hands: {full}");
    scene.read(100);
    scene.until_seen(100);
    assert_eq!(scene.offer(), Offered::Taken);
    let offered = scene.last;
    let seen = scene.all(Some("over"));
    assert_eq!(assert_accounted(&seen, offered), full as u64);
    assert_eq!(seen[seen.len() - 3..], [Seen::Closed, Seen::Text("over".to_owned()), Seen::Closed]);
    assert!(
        matches!(seen[seen.len() - 4], Seen::Entry(_)),
        "what was offered after the gap is shown after it"
    );
}

#[test]
fn whatever_the_reader_does_every_gap_has_its_true_size() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut scene = scene(false);
    for _ in 0..200 {
        let count = rng.usize(0..200);
        for _ in 0..count {
            scene.offer();
        }
        scene.read(rng.usize(0..120));
    }
    let offered = scene.last;
    assert!(assert_accounted(&scene.all(None), offered) > 0, "some were lost");
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut scene = scene(false);
    let large = || {
        let report = CheckReport {
            command: "true".to_owned(),
            verdict: CheckVerdict::Green,
            duration_ms: 1,
            output_tail: "x".repeat(1 << 20),
            output_digest: String::new(),
        };
        Fact::Checked { phase: CheckPhase::After, commit: None, report }
    };
    let taken = (0..64).filter(|_| scene.offer_fact(large()) == Offered::Taken).count();
    assert!(taken <= BYTES / (1 << 20) + 1, "{taken} MB wait");
    let offered = scene.last;
    assert_accounted(&scene.all(None), offered);
}

#[test]
fn something_larger_than_all_is_shown_to_a_reader_that_has_nothing_else() {
    let mut scene = scene(false);
    let text = "x".repeat(2 * BYTES);
    assert_eq!(scene.offer_fact(Fact::NoteLeft { text }), Offered::Taken);
    assert_eq!(assert_accounted(&scene.all(None), 1), 0);
}

#[test]
fn agents_that_chatter_take_no_entry_its_room() {
    let mut scene = scene(true);
    let text = AgentEvent::Text { text: "I think".to_owned() };
    (0..2 * ITEMS).for_each(|_| scene.outbox.agent_event(SessionId(1), &text));
    (0..ITEMS / 2).for_each(|_| assert_eq!(scene.offer(), Offered::Taken));
    let offered = scene.last;
    assert_eq!(assert_accounted(&scene.all(None), offered), 0);
}

#[test]
fn a_display_that_stands_still_hears_no_agent() {
    let mut scene = scene(false);
    scene.outbox.agent_event(SessionId(1), &AgentEvent::Text { text: "I think".to_owned() });
    assert_eq!(scene.all(None), [Seen::Closed]);
}

#[test]
fn a_reader_that_is_gone_is_offered_nothing_and_holds_nothing() {
    let mut scene = scene(false);
    drop(std::mem::replace(&mut scene.permits, mpsc::channel().0));
    while scene.offer() != Offered::Gone {
        std::thread::yield_now();
    }
    assert_eq!(scene.offer(), Offered::Gone);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.outbox.close(Some("over".to_owned()), pending::<()>()));
    assert_eq!(*scene.seen.lock().unwrap(), []);
}

#[test]
fn last_words_to_a_reader_that_is_stuck_do_not_hold_up_the_end() {
    let mut scene = scene(false);
    for _ in 0..2 * ITEMS {
        scene.offer();
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    // Its clock stands at the next wait as soon as nothing else happens.
    runtime.block_on(scene.outbox.close(Some("over".to_owned()), pending::<()>()));
    assert_eq!(*scene.seen.lock().unwrap(), []);
}

#[test]
fn a_stop_ends_the_wait_for_a_reader_that_is_stuck() {
    let mut scene = scene(false);
    scene.offer();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let closing = async {
        // The clock stands still while anything else can happen.
        let closing = scene.outbox.close(Some("over".to_owned()), ready(()));
        tokio::time::timeout(STUCK / 2, closing).await
    };
    assert_eq!(runtime.block_on(closing), Ok(()), "it was waited for");
}

#[test]
fn a_reader_that_reads_loses_nothing_by_a_stop() {
    let mut scene = scene(false);
    scene.offer();
    scene.read(4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.outbox.close(Some("over".to_owned()), ready(())));
    let seen = std::mem::take(&mut *scene.seen.lock().unwrap());
    assert_eq!(seen, [Seen::Entry(1), Seen::Closed, Seen::Text("over".to_owned()), Seen::Closed]);
}
