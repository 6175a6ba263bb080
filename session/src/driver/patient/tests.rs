//! Waiting, with a clock that a test turns.

use std::path::PathBuf;

use cogwork_schemas::{Isolation, Role, SessionId};
use cogwork_store::{NewSession, TimeSource};
use jiff::Timestamp;

use super::*;

fn busy() -> StoreError {
    StoreError::Busy { path: PathBuf::from("db"), holder: Some(7), waited_s: 0 }
}

fn unknown() -> StoreError {
    StoreError::Unanswered { path: PathBuf::from("db"), source: "lost".into() }
}

fn replaced() -> StoreError {
    StoreError::Replaced { path: PathBuf::from("db") }
}

fn store() -> Store {
    Store::in_memory(TimeSource::new(|| Timestamp::UNIX_EPOCH)).unwrap()
}

/// Returns what became of a call that fails so often before it is done, how often it was tried, and how long it took.
async fn tried(
    patience: &Patience,
    fails: usize,
    error: fn() -> StoreError,
) -> (Result<(), StoreError>, usize, Duration) {
    #[expect(clippy::disallowed_methods, reason = "the clock that the test turns")]
    let began = tokio::time::Instant::now();
    let (store, mut tries) = (store(), 0);
    let answer = PatientStore::new(&store)
        .call_within(patience, |_| {
            tries += 1;
            if tries <= fails { Err(error()) } else { Ok(()) }
        })
        .await;
    (answer, tries, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn what_is_held_up_for_a_while_is_done_when_it_can_be() {
    for error in [busy, unknown] {
        let (answer, tries, took) = tried(&Patience::new(), 100, error).await;
        answer.unwrap();
        assert_eq!(tries, 101);
        // Seven waits grow from 10 ms to a second, all others are a second.
        assert_eq!(took.as_secs(), 94, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_lock_costs_little() {
    let (answer, _, took) = tried(&Patience::new(), 2, busy).await;
    answer.unwrap();
    assert!(took <= Duration::from_millis(33), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_ever_and_the_error_says_how_long_it_did() {
    let (answer, _, took) = tried(&Patience::new(), usize::MAX, busy).await;
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::Busy { holder: Some(7), waited_s: 900, .. }), "{error:?}");
    assert!(took >= OUTER_LIMIT && took < OUTER_LIMIT + Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_help_is_answered_at_once() {
    for error in [replaced, || StoreError::SessionOver { id: SessionId(1) }] {
        let (answer, tries, took) = tried(&Patience::new(), usize::MAX, error).await;
        answer.unwrap_err();
        assert_eq!((tries, took), (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_an_end_gets_it_soon() {
    let patience = Patience::new();
    let late = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        patience.hurry();
    };
    let ((answer, _, took), ()) = tokio::join!(tried(&patience, usize::MAX, busy), late);
    answer.unwrap_err();
    assert!(took < Duration::from_secs(60) + LAST_WAIT + LONGEST_WAIT, "{took:?}");
    assert!(took > Duration::from_secs(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_and_nothing_is_done_twice() {
    let store = store();
    let new = NewSession::new(Role::Initializer, "a", Isolation::Shared);
    let mut lost = 2;
    let patient = PatientStore::new(&store);
    let begin = |store: &Store| {
        let session = store.begin_session(&new)?;
        // It was done, and nobody heard of it. In a call, the operation counts as one that was not answered.
        if lost > 0 {
            lost -= 1;
            return Err(unknown());
        }
        Ok(session)
    };
    assert_eq!(patient.call(begin).await.unwrap(), SessionId(1));
    assert_eq!(patient.call(|store| store.begin_session(&new)).await.unwrap(), SessionId(2), "another call");
}
