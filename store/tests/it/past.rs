//! What the next attempt is told: the note that was left, and how earlier attempts failed.

use cogwork_schemas::{AttemptOutcome, CheckPhase, CheckReport, Fact, FeatureId, Token};
use cogwork_store::{AttemptRecord, NOTE_CHARS, Store};

use crate::fixture::*;

fn note(store: &Store, feature: FeatureId) -> Option<String> {
    store.note(feature).unwrap().map(|note| note.text)
}

fn fail(store: &Store, second: i64, token: &Token) {
    store.at(second).end_attempt(token, &not_finished(), &LIMITS).unwrap();
}

fn commands(reports: Vec<CheckReport>) -> Vec<String> {
    reports.into_iter().map(|report| report.command).collect()
}

#[test]
fn the_last_note_counts_and_stays_until_the_feature_passes() {
    both(|store| {
        let first = claim(store, 1, BASE);
        store.at(2).leave_note(&first.token, "  the parser is odd\n").unwrap();
        store.at(2).leave_note(&first.token, " \n").unwrap();
        fail(store, 3, &first.token);
        assert_eq!(note(store, BASE).as_deref(), Some("the parser is odd"));
        let second = claim(store, 4, BASE);
        store.at(5).leave_note(&second.token, "it is not, the file is").unwrap();
        let seq = store.last_seq().unwrap();
        assert_eq!(
            store.note(BASE).unwrap().map(|note| (note.attempt, note.at)),
            Some((second.attempt, at(5)))
        );
        assert_eq!(note(store, MIDDLE), None);
        fail(store, 6, &second.token);
        pass(store, 7, BASE);
        assert_eq!(note(store, BASE), None);
        let told = store.journal_since(0, usize::MAX).unwrap();
        let notes =
            told.iter().filter(|entry| entry.seq <= seq && matches!(entry.fact, Fact::NoteLeft { .. }));
        assert_eq!(notes.count(), 2);
    });
}

#[test]
fn last_words_never_replace_what_the_same_attempt_wrote() {
    both(|store| {
        let first = claim(store, 1, BASE);
        store.at(2).leave_last_words(&first.token, "I stop here.").unwrap();
        fail(store, 3, &first.token);
        let second = claim(store, 4, BASE);
        store.at(5).leave_last_words(&second.token, "I stop here, too.").unwrap();
        assert_eq!(note(store, BASE).as_deref(), Some("I stop here, too."));
        fail(store, 6, &second.token);
        let third = claim(store, 7, BASE);
        store.at(8).leave_note(&third.token, "Begin with the parser.").unwrap();
        store.at(9).leave_last_words(&third.token, "Bye.").unwrap();
        assert_eq!(note(store, BASE).as_deref(), Some("Begin with the parser."));
    });
}

#[test]
fn a_long_note_keeps_its_beginning_and_its_end() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let exact = "é".repeat(NOTE_CHARS);
        store.at(2).leave_note(&claim.token, &exact).unwrap();
        assert_eq!(note(store, BASE), Some(exact));
        store.at(2).leave_note(&claim.token, &format!("begin {} end", "é".repeat(NOTE_CHARS))).unwrap();
        let kept = note(store, BASE).unwrap();
        assert_eq!(kept.chars().count(), NOTE_CHARS);
        assert!(kept.starts_with("begin é") && kept.contains("é\n[…]\né") && kept.ends_with("é end"));
    });
}

#[test]
fn a_note_goes_with_its_feature() {
    both(|store| {
        let claim = claim(store, 1, PROSE);
        store.at(2).leave_note(&claim.token, "a note").unwrap();
        fail(store, 3, &claim.token);
        store.at(4).delete_feature(PROSE).unwrap();
        assert_eq!(note(store, PROSE), None);
        store.file().check_integrity().unwrap();
    });
}

#[test]
fn the_past_is_what_failed_by_its_own_fault_with_what_it_left_red() {
    both(|store| {
        let first = claim(store, 1, BASE);
        store.at(1).record_before(&first.token, None, &red(&["t1", "t2"])).unwrap();
        let after = |reports: &[CheckReport]| {
            store.at(2).record_checks(&first.token, CheckPhase::After, None, reports).unwrap();
        };
        after(&red(&["t1", "t2"]));
        after(&green(&["t1"]));
        fail(store, 3, &first.token);
        let second = claim(store, 4, BASE);
        store.at(5).end_attempt(&second.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        let past = store.past_of(BASE).unwrap();
        assert!(!past.has_passed);
        let told: Vec<u32> = past.failures.iter().map(|record| record.number).collect();
        assert_eq!(told, [1]);
        assert_eq!(commands(past.failures[0].left_red()), ["t2"]);
        let third = claim(store, 6, BASE);
        store.at(6).record_before(&third.token, None, &red(&["t1"])).unwrap_err();
        assert_eq!(store.past_of(BASE).unwrap().failures.len(), 1, "its own attempt is no past");
    });
}

#[test]
fn what_was_before_it_passed_is_forgotten_and_a_broken_one_is_to_be_repaired() {
    both(|store| {
        let first = claim(store, 1, BASE);
        fail(store, 2, &first.token);
        pass(store, 3, BASE);
        assert_eq!(store.past_of(BASE).unwrap().failures, Vec::<AttemptRecord>::new());
        let tester = store
            .at(10)
            .inspect(BASE, &session(cogwork_schemas::Isolation::Workspace), &secret(), LEASE)
            .unwrap();
        store.at(11).report_failing(&tester.token, "broken").unwrap();
        store.at(12).record_before(&tester.token, None, &red(&["t1", "t2"])).unwrap();
        fail(store, 13, &tester.token);
        let past = store.past_of(BASE).unwrap();
        assert!(past.has_passed);
        assert_eq!((past.failures.len(), commands(past.red)), (1, vec!["t1".to_owned(), "t2".to_owned()]));
    });
}
