//! A database that is gone from a used project is damage: it is not made anew, and its copies lead back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cogwork_store::{ImportLimits, OutsideCopy, RestoreError, StateHome, Store, StoreError, state_dir};
use tempfile::TempDir;

use crate::fixture::*;

/// A project and a home for copies outside it.
struct Used {
    root: TempDir,
    home: StateHome,
}

impl Used {
    /// A project that was worked on and copied, within and outside.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let used = Self { home: state_home(root.path()), root };
        fs::create_dir(used.project()).unwrap();
        let store = on_disk(&used.project());
        used.copy(&store, 10);
        used
    }

    fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    fn copy(&self, store: &Store, second: i64) -> PathBuf {
        store.at(second).file().back_up().unwrap().unwrap();
        store.file().back_up_outside(&self.home).unwrap().unwrap()
    }

    fn message(&self, error: &dyn std::error::Error) -> String {
        let root = self.root.path().to_str().unwrap();
        let text = error.to_string().replace(root, "[root]");
        // The id is random, and the place is the digest of a directory that is.
        let cut = |text: String, from: &str, length: usize| match text.find(from) {
            Some(at) => format!("{}[id]{}", &text[..at + from.len()], &text[at + from.len() + length..]),
            None => text,
        };
        let text = cut(text, "[root]/state/cogwork/", 32 + 1 + 16);
        // Named a second time, as the newest copy.
        text.replacen("[root]/state/cogwork/[id]", "[copies]", 1)
            .split_once("[root]/state/cogwork/")
            .map(|(before, after)| format!("{before}[copies]{}", &after[32 + 1 + 16..]))
            .unwrap_or(text)
    }

    fn remove_database(&self) {
        for name in ["features.db", "features.db-wal", "features.db-shm"] {
            drop(fs::remove_file(state_dir(&self.project()).join(name)));
        }
    }

    fn remove_state(&self) {
        fs::remove_dir_all(state_dir(&self.project())).unwrap();
    }
}

fn state_home(root: &Path) -> StateHome {
    let state = root.join("state");
    StateHome::of_variables(move |name| (name == "XDG_STATE_HOME").then(|| state.clone()))
}

fn add(store: &Store, name: &str) {
    store.import(&list(&format!(r#"{{"name": "{name}"}}"#)), &ImportLimits::default()).unwrap();
}

#[test]
fn a_missing_database_beside_what_a_used_project_has_is_no_new_project() {
    for trace in ["backups", "sessions", "workspaces", "landing.json", "features.db-wal"] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(state_dir(dir.path())).unwrap();
        fs::write(state_dir(dir.path()).join(trace), "x").unwrap();
        for error in [
            Store::create(dir.path(), clock()).unwrap_err(),
            Store::open(dir.path(), clock()).unwrap_err(),
            Store::open_or_adopt(dir.path(), clock()).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::DatabaseMissing { .. }), "{trace}: {error}");
        }
        assert!(!database(dir.path()).exists(), "{trace}");
        // Nor is one that was emptied.
        fs::write(database(dir.path()), "").unwrap();
        let error = Store::create(dir.path(), clock()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{trace}: {error}");
        assert_eq!(fs::metadata(database(dir.path())).unwrap().len(), 0, "{trace}");
    }
}

#[test]
fn what_may_lie_there_before_a_project_does_not_keep_it_from_being_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = state_dir(dir.path());
    fs::create_dir_all(state.join("prompts")).unwrap();
    for name in ["config.toml", "policy.toml", "write.lock", "run.lock", "features.db-shm"] {
        fs::write(state.join(name), "").unwrap();
    }
    state_home(dir.path()).create(dir.path(), clock()).unwrap();
}

#[test]
fn the_sentence_names_the_newest_copy_and_both_ways() {
    let used = Used::new();
    used.remove_database();
    let error = used.home.create(&used.project(), clock()).unwrap_err();
    insta::assert_snapshot!(used.message(&error), @"[root]/project/.cogwork/features.db is missing, but [root]/project/.cogwork/backups says that there was one, and nothing was made in its place: stop all of cogwork and restore its newest copy, [root]/project/.cogwork/backups/features-20231114T221330Z.db: `cogwork restore --project-dir [root]/project`; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir [root]/project`");
    used.remove_state();
    let error = used.home.open_or_adopt(&used.project(), clock()).unwrap_err();
    insta::assert_snapshot!(used.message(&error), @"[root]/project/.cogwork/features.db is missing, but [copies]/features-20231114T221330Z.db says that there was one, and nothing was made in its place: stop all of cogwork and restore its newest copy, [copies]/features-20231114T221330Z.db: `cogwork restore --project-dir [root]/project`; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir [root]/project`");
    assert!(!state_dir(&used.project()).exists(), "nothing is made");
    let elsewhere = used.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    used.home.create(&elsewhere, clock()).unwrap();
}

#[test]
fn a_project_whose_state_is_gone_is_restored_from_outside() {
    let used = Used::new();
    let store = Store::open(&used.project(), clock()).unwrap();
    add(store.at(20), "later");
    let newest = used.copy(&store, 25);
    let (features, id) = (store.features().unwrap(), store.project_id().unwrap());
    drop(store);
    used.remove_state();
    let restored = used.home.restore(&used.project(), None, &clock()).unwrap();
    assert_eq!((restored.from, restored.passed_over, restored.aside), (Some(newest), Vec::new(), None));
    let (store, _) = used.home.open_or_adopt(&used.project(), clock()).unwrap();
    assert_eq!((store.features().unwrap(), store.project_id().unwrap()), (features, id));
    store.file().check_integrity().unwrap();
}

#[test]
fn a_sound_database_is_never_overwritten() {
    let used = Used::new();
    let before = all(&Store::open(&used.project(), clock()).unwrap());
    let copy = used.root.path().join("mine.db");
    fs::copy(database(&used.project()), &copy).unwrap();
    for file in [None, Some(copy.as_path())] {
        let error = used.home.restore(&used.project(), file, &clock()).unwrap_err();
        assert!(matches!(error, RestoreError::Sound { .. }), "{error}");
    }
    assert_eq!(all(&Store::open(&used.project(), clock()).unwrap()), before);
    assert_eq!(asides(&used.project()), Vec::<PathBuf>::new());
}

/// What was set aside in a project.
fn asides(project: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state_dir(project)).unwrap().map(|entry| entry.unwrap().path());
    let mut asides: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("aside-")).collect();
    asides.sort();
    asides
}

#[test]
fn a_damaged_database_is_set_aside_with_what_the_copy_does_not_know() {
    let used = Used::new();
    let store = Store::open(&used.project(), clock()).unwrap();
    claim(store.at(30), 1, BASE);
    drop(store);
    let state = state_dir(&used.project());
    for name in ["workspaces/s1/src", "sessions/s1", "workspaces/notes"] {
        fs::create_dir_all(state.join(name)).unwrap();
    }
    fs::write(state.join("workspaces/s1/src/main.rs"), "work").unwrap();
    let damaged = vec![7; 8192];
    fs::write(database(&used.project()), &damaged).unwrap();
    let restored = used.home.restore(&used.project(), None, &clock()).unwrap();
    let aside = restored.aside.unwrap();
    assert_eq!(asides(&used.project()), std::slice::from_ref(&aside));
    assert_eq!(fs::read(aside.join("features.db")).unwrap(), damaged);
    assert_eq!(fs::read_to_string(aside.join("workspaces/s1/src/main.rs")).unwrap(), "work");
    assert!(aside.join("sessions/s1").is_dir() && state.join("workspaces/notes").is_dir());
    assert!(!state.join("workspaces/s1").exists(), "the next session has its number");
    // The copy is from before the claim, and the feature can be claimed.
    let store = Store::open(&used.project(), clock()).unwrap();
    assert_eq!(claim(store.at(40), 1, BASE).session.0, 1);
}

#[test]
fn a_damaged_copy_is_passed_over_and_one_that_is_none_refused() {
    let used = Used::new();
    let store = Store::open(&used.project(), clock()).unwrap();
    add(store.at(20), "later");
    let outside = used.copy(&store, 25);
    drop(store);
    used.remove_database();
    let inside = state_dir(&used.project()).join("backups").join(outside.file_name().unwrap());
    fs::write(&inside, vec![7; 8192]).unwrap();
    fs::write(&outside, "").unwrap();
    let text = used.root.path().join("notes.txt");
    fs::write(&text, "these are my notes. ".repeat(100)).unwrap();
    let nowhere = used.root.path().join("nowhere.db");
    for file in [&text, &nowhere, &outside] {
        let error = used.home.restore(&used.project(), Some(file), &clock()).unwrap_err();
        assert!(matches!(error, RestoreError::BadCopy(_)), "{error}");
        assert!(!database(&used.project()).exists());
    }
    let restored = used.home.restore(&used.project(), None, &clock()).unwrap();
    assert_eq!(restored.passed_over.len(), 2, "{restored:?}");
    assert_eq!(Store::open(&used.project(), clock()).unwrap().features().unwrap().len(), 4);
}

#[test]
fn without_a_copy_the_sentence_says_what_is_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("it's mine");
    fs::create_dir_all(state_dir(&project).join("sessions")).unwrap();
    let home = state_home(dir.path());
    let redact = |text: String| text.replace(dir.path().to_str().unwrap(), "[root]");
    let error = home.create(&project, clock()).unwrap_err();
    insta::assert_snapshot!(redact(error.to_string()), @r"[root]/it's mine/.cogwork/features.db is missing, but [root]/it's mine/.cogwork/sessions says that there was one, and nothing was made in its place: restore it from a copy: `cogwork restore --project-dir '[root]/it'\''s mine'` looks for one outside the project, `cogwork restore FILE --project-dir '[root]/it'\''s mine'` takes yours; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir '[root]/it'\''s mine'`");
    let error = home.restore(&project, None, &clock()).unwrap_err();
    insta::assert_snapshot!(redact(error.to_string()), @r"there is no copy of [root]/it's mine/.cogwork/features.db: name one, `cogwork restore FILE --project-dir '[root]/it'\''s mine'`, or begin anew, `cogwork restore --begin-anew --project-dir '[root]/it'\''s mine'`");
    assert_eq!(fs::read_dir(state_dir(&project)).unwrap().count(), 1, "nothing is made");
}

#[test]
fn beginning_anew_deletes_nothing_and_takes_another_id() {
    let used = Used::new();
    let project = used.project();
    let before = Store::open(&project, clock()).unwrap().project_id().unwrap();
    let state = state_dir(&project);
    fs::create_dir_all(state.join("workspaces/s1")).unwrap();
    fs::write(state.join("config.toml"), "").unwrap();
    used.remove_database();
    let restored = used.home.begin_anew(&project, &clock()).unwrap();
    let aside = restored.aside.unwrap();
    assert!(aside.join("workspaces/s1").is_dir() && aside.join("backups").is_dir(), "{aside:?}");
    assert!(state.join("config.toml").is_file(), "settings stay");
    let store = used.home.create(&project, clock()).unwrap();
    assert_ne!(store.project_id().unwrap(), before);
    assert_eq!(store.features().unwrap(), []);
    add(store.at(50), "new");
    used.copy(&store, 55);
    drop(store);
    // What is restored now is the new one, and the old one's copies are all there still.
    used.remove_state();
    used.home.restore(&project, None, &clock()).unwrap();
    assert_eq!(Store::open(&project, clock()).unwrap().features().unwrap().len(), 1);
    let old = fs::read_dir(used.root.path().join("state/cogwork").join(before)).unwrap();
    let old: Vec<_> = old.map(|place| fs::read_dir(place.unwrap().path()).unwrap().count()).collect();
    assert_eq!(old, [2], "its name and one copy");
}

#[test]
fn a_project_and_its_copy_have_one_id_and_two_places() {
    let used = Used::new();
    let other = used.root.path().join("other");
    fs::create_dir_all(state_dir(&other)).unwrap();
    fs::copy(database(&used.project()), database(&other)).unwrap();
    let (first, second) =
        (Store::open(&used.project(), clock()).unwrap(), Store::open(&other, clock()).unwrap());
    assert_eq!(first.project_id().unwrap(), second.project_id().unwrap());
    add(first.at(60), "in the first");
    let newest = used.copy(&first, 65);
    for n in 0..8 {
        add(second.at(70 + 10 * n), &format!("in the second {n}"));
        used.copy(&second, 75 + 10 * n);
    }
    assert!(newest.is_file(), "the other project's copies do not drive it out");
    drop((first, second));
    used.remove_state();
    let restored = used.home.restore(&used.project(), None, &clock()).unwrap();
    assert_eq!(restored.from, Some(newest));
    assert_eq!(Store::open(&used.project(), clock()).unwrap().features().unwrap().len(), 5);
}

#[test]
fn copies_outside_are_private_few_and_named_after_their_project() {
    let used = Used::new();
    let store = Store::open(&used.project(), clock()).unwrap();
    for n in 3..10 {
        add(store.at(10 * n), &format!("n{n}"));
        used.copy(&store, 10 * n + 5);
    }
    assert_eq!(store.file().back_up_outside(&used.home).unwrap(), None, "it is there already");
    let id = used.root.path().join("state/cogwork").join(store.project_id().unwrap());
    let place = fs::read_dir(&id).unwrap().next().unwrap().unwrap().path();
    let named = fs::read_to_string(place.join("project")).unwrap();
    assert_eq!(named, format!("{}\n", used.project().canonicalize().unwrap().display()));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1 + 5);
    for dir in [&place, &id] {
        assert_eq!(fs::metadata(dir).unwrap().permissions().mode() & 0o777, 0o700, "{dir:?}");
    }
}

#[test]
fn without_a_place_outside_nothing_is_copied_and_it_is_known_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    store.at(10).file().back_up().unwrap().unwrap();
    let none = StateHome::of_variables(|_| None::<&str>);
    let relative = StateHome::of_variables(|_| Some("state"));
    for home in [none, relative] {
        assert_eq!(store.file().back_up_outside(&home).unwrap(), None);
        let standing = store.file().outside_copy(&home).unwrap();
        assert!(matches!(&standing, OutsideCopy::Impossible(why) if why.contains("HOME")), "{standing:?}");
    }
    let file = dir.path().join("a file");
    fs::write(&file, "").unwrap();
    let home = StateHome::of_variables(|name| (name == "HOME").then(|| file.clone()));
    store.file().back_up_outside(&home).unwrap_err();
    let standing = store.file().outside_copy(&home).unwrap();
    assert!(
        matches!(&standing, OutsideCopy::Impossible(why) if why.contains("is not a directory")),
        "{standing:?}"
    );
    let home = state_home(dir.path());
    assert_eq!(store.file().outside_copy(&home).unwrap(), OutsideCopy::Behind(None));
    let copy = store.file().back_up_outside(&home).unwrap().unwrap();
    assert_eq!(store.file().outside_copy(&home).unwrap(), OutsideCopy::Current(copy));
}

#[test]
fn a_copy_of_an_earlier_version_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("old.db");
    raw(&copy).execute_batch(include_str!("migrating/version_5.sql")).unwrap();
    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    StateHome::none().restore(&project, Some(&copy), &clock()).unwrap();
    let store = Store::open(&project, clock()).unwrap();
    store.file().check_integrity().unwrap();
    assert_eq!(store.project_id().unwrap().len(), 32);
}
