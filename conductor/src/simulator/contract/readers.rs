//! The readers, as far as the simulator plays them. The real ones are the caller's, and held to the same there.

use cogwork_schemas::{Entry, Fact};
use jiff::Timestamp;

use super::super::world::Night;
use crate::ports::{Offered, Readers};

/// Whoever has left does not come back.
fn one_that_has_left_takes_nothing_more(readers: &mut dyn Readers) -> bool {
    let mut has_left = false;
    for seq in 1..=1_000 {
        let offered = readers.offer(&entry(seq));
        assert!(!has_left || offered == Offered::Gone, "{offered:?} after it has left");
        has_left |= offered == Offered::Gone;
    }
    has_left
}

fn entry(seq: i64) -> Entry {
    Entry {
        seq,
        version: 1,
        at: Timestamp::UNIX_EPOCH,
        run: None,
        feature: None,
        session: None,
        attempt: None,
        fact: Fact::Created { name: "n".to_owned() },
    }
}

#[test]
fn simulated_readers_leave_for_good() {
    assert!(one_that_has_left_takes_nothing_more(&mut Night::new(7).port()));
}
