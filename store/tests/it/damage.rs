//! Damage in real files: never a panic, never a wrong answer that a look would have found, always a sentence that
//! names the file and what to do.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cogwork_schemas::{Entry, Feature};
use cogwork_store::graph::Node;
use cogwork_store::{Attempt, ImportLimits, StateHome, Store, StoreError, state_dir};
use fastrand::Rng;

use crate::fixture::*;

const PAGE: usize = 4096;

/// A project with something in every table, large enough for every tree to have more than one page.
fn grown(project: &Path) -> Vec<u8> {
    let store = on_disk(project);
    pass(&store, 1, BASE);
    claim(&store, 5, PROSE);
    let features: Vec<_> = (0..300)
        .map(|n| {
            let prose = "what it does, and how it looks when it is done. ".repeat(4);
            format!(r#"{{"key": "key-{n}", "name": "n{n}", "description": "{prose}", "checks": ["t{n}"], "dependencies": ["top", "base"]}}"#)
        })
        .collect();
    store.at(9).import(&list(&features.join(",")), &ImportLimits::default()).unwrap();
    store.file().check_integrity().unwrap();
    drop(store);
    fs::read(database(project)).unwrap()
}

/// What readers are told.
#[derive(Debug)]
struct Answers {
    features: Result<Vec<Feature>, StoreError>,
    nodes: Result<Vec<Node>, StoreError>,
    attempts: Result<Vec<Attempt>, StoreError>,
    journal: Result<Vec<Entry>, StoreError>,
}

impl Answers {
    fn of(store: &Store) -> Self {
        Self {
            features: store.features(),
            nodes: store.nodes(),
            attempts: store.live_attempts(),
            journal: store.journal_since(0, usize::MAX >> 1),
        }
    }

    /// Asserts that whatever is answered of what decides is right.
    fn assert_none_wrong(&self, sound: &Self, what: &str) {
        fn same<T: PartialEq>(found: &Result<T, StoreError>, sound: &Result<T, StoreError>) -> bool {
            found.is_err() || found.as_ref().ok() == sound.as_ref().ok()
        }
        assert!(same(&self.features, &sound.features), "{what}: features");
        assert!(same(&self.nodes, &sound.nodes), "{what}: nodes");
        assert!(same(&self.attempts, &sound.attempts), "{what}: attempts");
    }
}

/// Opens a damaged file as the commands do, asserts that nothing is answered wrongly that a look would have found,
/// and returns whether it was found.
fn check(project: &Path, damaged: &[u8], sound: &Answers, what: &str) -> bool {
    fs::write(database(project), damaged).unwrap();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let store = Store::open(project, clock())?;
        Ok((store.file().check_features(), store.file().check_integrity(), Answers::of(&store)))
    }));
    for name in ["features.db-wal", "features.db-shm"] {
        drop(fs::remove_file(state_dir(project).join(name)));
    }
    let opened: Result<_, StoreError> = opened.unwrap_or_else(|_| panic!("{what}: a panic"));
    let (looked, all, answers) = match opened {
        Ok(found) => found,
        Err(error) => {
            assert!(error.to_string().contains("features.db"), "{what}: {error}");
            return true;
        }
    };
    for error in [&looked, &all].into_iter().filter_map(|looked| looked.as_ref().err()) {
        let sentence = error.to_string();
        let (named, remedy) =
            (sentence.contains("features.db is damaged ("), sentence.contains("restore it"));
        assert!(named && remedy, "{what}: {sentence}");
    }
    // A look at the deciding tables finds whatever makes them answer wrongly, if the full one does.
    if looked.is_ok() && all.is_err() {
        answers.assert_none_wrong(sound, what);
    }
    looked.is_err() || all.is_err()
}

fn with_project(test: impl Fn(&Path, &[u8], &Answers)) {
    let dir = tempfile::tempdir().unwrap();
    let sound = grown(dir.path());
    let expected = Answers::of(&Store::open(dir.path(), clock()).unwrap());
    assert!(expected.journal.is_ok());
    test(dir.path(), &sound, &expected);
}

#[test]
fn any_byte_of_any_page() {
    with_project(|project, sound, expected| {
        let mut rng = Rng::with_seed(7);
        let (mut tried, mut found) = (0, 0);
        for page in 0..sound.len() / PAGE {
            for _ in 0..4 {
                // Mostly where a page says what it holds.
                let within = if rng.bool() { rng.usize(0..32) } else { rng.usize(0..PAGE) };
                let place = page * PAGE + within;
                if place < 100 {
                    continue;
                }
                let mut damaged = sound.to_vec();
                damaged[place] ^= 1 << rng.u8(0..8);
                tried += 1;
                found += usize::from(check(project, &damaged, expected, &format!("byte {place}")));
            }
        }
        println!("{found} of {tried} were found");
        assert!(found * 3 > tried, "{found} of {tried}: a bit in a text is no damage, but one in a tree is");
    });
}

#[test]
fn any_byte_of_the_header() {
    with_project(|project, sound, expected| {
        for place in 0..100 {
            for bit in [0, 6] {
                let mut damaged = sound.to_vec();
                damaged[place] ^= 1 << bit;
                check(project, &damaged, expected, &format!("bit {bit} of byte {place}"));
            }
        }
    });
}

#[test]
fn a_file_that_was_cut_off() {
    with_project(|project, sound, expected| {
        let mut rng = Rng::with_seed(3);
        let random = (0..12).map(|_| rng.usize(1..sound.len()));
        for length in [1, 15, 16, 99, 100, 512, PAGE - 1, PAGE, PAGE + 1].into_iter().chain(random) {
            let found = check(project, &sound[..length], expected, &format!("{length} bytes"));
            assert!(found, "{length} bytes of {} were taken for the whole", sound.len());
        }
    });
}

#[test]
fn pages_of_others_and_of_nothing() {
    with_project(|project, sound, expected| {
        let pages = sound.len() / PAGE;
        for page in 0..pages {
            for (what, other) in [("zeros", None), ("the next", Some((page + 1) % pages))] {
                let mut damaged = sound.to_vec();
                match other {
                    None => damaged[page * PAGE..][..PAGE].fill(0),
                    Some(other) => {
                        damaged[page * PAGE..][..PAGE].copy_from_slice(&sound[other * PAGE..][..PAGE]);
                    }
                }
                let what = format!("page {page} is {what}");
                let found = check(project, &damaged, expected, &what);
                // Two indexes without an entry look alike; nothing looks like a page of nothing.
                assert!(found || other.is_some(), "{what}");
            }
        }
    });
}

#[test]
fn garbage_in_the_log_costs_no_more_than_the_log() {
    let (writer, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = on_disk(writer.path());
    let connection = raw(&database(writer.path()));
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    for n in 0..20 {
        store.at(n).import(&list(r#"{"name": "in the log"}"#), &ImportLimits::default()).unwrap();
    }
    let part = |project: &Path, name: &str| state_dir(project).join(name);
    let (file, log) = ("features.db", "features.db-wal");
    let (sound, written) =
        (fs::read(part(writer.path(), file)).unwrap(), fs::read(part(writer.path(), log)).unwrap());
    fs::create_dir(state_dir(dir.path())).unwrap();
    let mut rng = Rng::with_seed(5);
    for round in 0..60 {
        let mut damaged = written.clone();
        match round % 3 {
            0 => damaged[rng.usize(0..32)] ^= 1 << rng.u8(0..8),
            1 => damaged.truncate(rng.usize(1..written.len())),
            _ => {
                let place = rng.usize(0..written.len() - 400);
                damaged[place..place + 400].fill_with(|| rng.u8(..));
            }
        }
        fs::write(part(dir.path(), file), &sound).unwrap();
        fs::write(part(dir.path(), log), &damaged).unwrap();
        drop(fs::remove_file(part(dir.path(), "features.db-shm")));
        let store = Store::open(dir.path(), clock()).unwrap();
        store.file().check_integrity().unwrap();
        let (features, entries) = (store.features().unwrap().len(), store.last_seq().unwrap());
        assert!(
            (4..=24).contains(&features) && usize::try_from(entries).unwrap() == features,
            "{features} {entries}"
        );
    }
}

#[test]
fn a_schema_that_somebody_changed_is_found() {
    let after = |change: &str| {
        let dir = tempfile::tempdir().unwrap();
        drop(on_disk(dir.path()));
        raw(&database(dir.path())).execute_batch(change).unwrap();
        Store::open(dir.path(), clock())
            .and_then(|store| store.file().check_integrity())
            .unwrap_err()
            .to_string()
    };
    for (change, name) in [
        ("DROP INDEX dependents", "dependents"),
        ("DROP INDEX dependents; CREATE INDEX dependents ON dependencies (feature_id)", "dependents"),
        ("DROP TRIGGER journal_is_never_cut", "journal_is_never_cut"),
        ("CREATE TABLE theirs (n)", "theirs"),
    ] {
        assert!(after(change).contains(&format!("look at `{name}`")), "{change}");
    }
    let gone = after("DROP TABLE calls");
    assert!(gone.contains("is damaged (no such table: calls"), "{gone}");
}

#[test]
fn copies_are_made_when_something_happened_and_the_newest_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let names = || {
        let entries = fs::read_dir(state_dir(dir.path()).join("backups")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let first = store.at(10).file().back_up().unwrap().unwrap();
    assert!(first.ends_with(".cogwork/backups/features-20231114T221330Z.db"), "{first:?}");
    assert_eq!(store.at(20).file().back_up().unwrap(), None, "nothing happened");
    for n in 3..10 {
        let name = format!(r#"{{"name": "n{n}"}}"#);
        store.at(10 * n).import(&list(&name), &ImportLimits::default()).unwrap();
        store.at(10 * n + 5).file().back_up().unwrap().unwrap();
    }
    assert_eq!(names().len(), 5);
    let features = store.features().unwrap();
    drop(store);

    fs::write(database(dir.path()), "not a database, but long enough to be looked at as one".repeat(90))
        .unwrap();
    let error = Store::open(dir.path(), clock()).unwrap_err();
    let StoreError::Corrupt { backup: Some(backup), .. } = &error else { panic!("{error:?}") };
    insta::assert_snapshot!(error.to_string().replace(dir.path().to_str().unwrap(), "[project]"), @"[project]/.cogwork/features.db is damaged (file is not a database); it was left as it is: stop all of cogwork and restore its newest copy, [project]/.cogwork/backups/features-20231114T221455Z.db: `cogwork restore --project-dir [project]`; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir [project]`");
    // The sentence is followed to the letter.
    let done = StateHome::none().restore(dir.path(), None, &clock()).unwrap();
    assert_eq!(done.from.as_ref(), Some(backup));
    let restored = Store::open(dir.path(), clock()).unwrap();
    restored.file().check_integrity().unwrap();
    assert_eq!(restored.features().unwrap(), features);
}
