//! The journal tells everything that happened, in order, and can be read from anywhere in it.

use cogwork_schemas::{AttemptOutcome, Fact, Isolation, RunOutcome, SessionOutcome};
use cogwork_store::{ImportLimits, Store};

use crate::fixture::*;

#[test]
fn a_whole_life_is_told() {
    both(|store| {
        let run = store.at(0).begin_run(&run()).unwrap();
        let lost = claim(store, 1, BASE);
        store.at(2).end_attempt(&lost.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        let claim = pass(store, 3, BASE);
        store.at(8).end_session(claim.session, &SessionOutcome::Completed, 5).unwrap();
        store.at(9).end_run(run, &RunOutcome::Complete).unwrap();
        insta::assert_snapshot!(kinds(store, 0).join("\n"), @r"
        #1 created
        #2 created
        #3 created
        #4 created
        run_started
        #1 session_started
        #1 claimed
        #1 attempt_ended
        #1 session_started
        #1 claimed
        #1 checked
        #1 checked
        #1 checks_red
        #1 checked
        #1 checked
        #1 checks_green
        #1 checked
        #1 checked
        #1 integrated
        #1 session_ended
        run_ended
        ");
        let entries = store.journal_since(0, usize::MAX).unwrap();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=21).collect::<Vec<_>>());
        assert!(entries.is_sorted_by_key(|entry| entry.at));
        let claimed = &entries[9];
        assert_eq!(claimed.fact, Fact::Claimed { number: 2 });
        assert_eq!((claimed.session, claimed.attempt), (Some(claim.session), Some(claim.attempt)));
        assert_eq!((entries[4].fact.clone(), entries[4].at), (run_started(), at(0)));
    });
}

#[test]
fn it_is_read_in_pieces() {
    both(|store| {
        assert_eq!(store.last_seq().unwrap(), 4);
        let piece = store.journal_since(1, 2).unwrap();
        assert_eq!(piece.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(store.journal_since(4, 10).unwrap(), []);
    });
    assert_eq!(Store::in_memory(clock()).unwrap().last_seq().unwrap(), 0);
}

#[test]
fn a_refused_change_leaves_no_entry() {
    both(|store| {
        let bad = list(r#"{"name": "good"}, {"name": ""}"#);
        store.at(1).import(&bad, &ImportLimits::default()).unwrap_err();
        store.at(1).claim(TOP, &session(Isolation::Workspace), &secret(), LEASE).unwrap_err();
        assert_eq!(store.last_seq().unwrap(), 4);
        // And no gap after it.
        claim(store, 2, BASE);
        assert_eq!(store.last_seq().unwrap(), 6);
    });
}

/// Writes entries past the store, as a later program would.
fn later(project: &std::path::Path, rows: &str) {
    let sql = format!("INSERT INTO journal (at, version, feature_id, fact) VALUES {rows}");
    raw(&database(project)).execute_batch(&sql).unwrap();
}

#[test]
fn what_a_later_program_wrote_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    // The graph is kept from before.
    assert_eq!(store.graph().unwrap().ready().count(), 2);
    later(
        dir.path(),
        r#"(1, 1, 3, '{"kind": "dreamt", "of": 7}'), (1, 3, NULL, '{"kind": "run_ended", "result": 7}'),
           (1, 1, NULL, '{"kind": "pondered"}')"#,
    );
    raw(&database(dir.path()))
        .execute_batch("UPDATE features SET status = 'parked', parked_because = 'x' WHERE id = 1")
        .unwrap();
    assert_eq!(store.journal_since(4, 9).unwrap(), []);
    // Whoever follows the journal comes past it and hears which features it named.
    let page = store.journal_page(3, 9).unwrap();
    assert_eq!((page.entries.len(), page.through), (1, 7));
    assert_eq!(page.features.into_iter().collect::<Vec<_>>(), [TOP, PROSE]);
    // What it changed is seen, though what it means is not known.
    assert_eq!(store.graph().unwrap().ready().collect::<Vec<_>>(), [PROSE]);
    // And the work goes on.
    let claim = claim(&store, 2, PROSE);
    store.at(3).submit(&claim.token, None, &[]).unwrap();
    store.at(4).land(&claim.token, &merge("c", Vec::new())).unwrap();
    let seqs: Vec<i64> = store.journal_since(2, 4).unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [3, 4, 8, 9]);
    store.file().check_integrity().unwrap();
    assert_eq!(Store::open(dir.path(), clock()).unwrap().features().unwrap().len(), 4);
}

#[test]
fn an_entry_that_should_be_known_and_is_not_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    later(dir.path(), r#"(1, 1, 3, '{"kind": "claimed", "number": "seven"}')"#);
    store.journal_since(0, 9).unwrap_err();
}

#[test]
fn what_checks_printed_is_in_the_file_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    pass(&store, 1, BASE);
    let mut seen = Vec::new();
    for fact in facts(&store, 4) {
        if let Fact::Checked { report, .. } = fact {
            seen.push(report.output_tail);
        }
    }
    assert_eq!(seen, ["it says so"; 6]);
    let count =
        |sql: &str| -> i64 { raw(&database(dir.path())).query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM outputs"), 1);
    assert_eq!(count("SELECT count(*) FROM evidence JOIN outputs o ON o.id = output_id"), 6);
    assert_eq!(count("SELECT count(*) FROM journal WHERE fact LIKE '%it says so%'"), 0);
}
