//! Several operating system processes on one file, and what is left when they are killed.
//!
//! The children are this same test program, told to run one ignored test each; their task comes through stdin.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use cogwork_schemas::{Fact, FeatureId, Isolation, Status};
use cogwork_store::{ImportLimits, Store, StoreError};

use crate::fixture::*;

const RACERS: usize = 6;
const FEATURES: i64 = 50;

pub(crate) struct Racer {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

/// Starts a child and waits until it stands at the line.
pub(crate) fn start(test: &str, project: &Path, number: usize) -> Racer {
    #[expect(clippy::disallowed_methods, reason = "a test's own children; the crate itself starts nothing")]
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(process.stdin.as_mut().unwrap(), "{}\n{number}", project.display()).unwrap();
    let stdout = BufReader::new(process.stdout.take().unwrap());
    let mut racer = Racer { process, stdout };
    racer.wait_for("ready");
    racer
}

impl Racer {
    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the child ended before it was `{word}`"
            );
        }
    }

    pub(crate) fn go(&mut self) {
        drop(self.process.stdin.take());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it after it had a while.
    #[expect(clippy::disallowed_methods, reason = "at no moment that anybody could know")]
    pub(crate) fn kill_after(mut self, delay: Duration) {
        std::thread::sleep(delay);
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn finish(mut self) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success(), "{rest}");
    }
}

/// A child's side of [`start`] that stands at the line with what it made of the project; `None` when somebody runs
/// the ignored tests by hand.
pub(crate) fn wait<T>(make: impl FnOnce(&Path) -> T) -> Option<T> {
    let mut stdin = BufReader::new(std::io::stdin());
    let (mut project, mut number) = (String::new(), String::new());
    stdin.read_line(&mut project).unwrap();
    stdin.read_line(&mut number).unwrap();
    if number.is_empty() {
        return None;
    }
    let made = make(Path::new(project.trim_end()));
    println!("ready");
    stdin.read_to_end(&mut Vec::new()).unwrap();
    Some(made)
}

/// A child's side of [`start`]; `None` when somebody runs the ignored tests by hand.
fn task() -> Option<(Store, PathBuf)> {
    let mut stdin = BufReader::new(std::io::stdin());
    let (mut project, mut number) = (String::new(), String::new());
    stdin.read_line(&mut project).unwrap();
    stdin.read_line(&mut number).unwrap();
    if number.is_empty() {
        return None;
    }
    let project = PathBuf::from(project.trim_end());
    let store = Store::open(&project, clock()).unwrap();
    println!("ready");
    stdin.read_to_end(&mut Vec::new()).unwrap();
    Some((store, project.join(format!("done-{}", number.trim_end()))))
}

fn note(path: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn notes(project: &Path, number: usize) -> Vec<String> {
    let text = fs::read_to_string(project.join(format!("done-{number}"))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "a child of each_feature_has_exactly_one_winner"]
fn claims_everything() {
    let Some((store, done)) = task() else { return };
    for id in (1..=FEATURES).map(FeatureId) {
        match store.at(1).claim(id, &session(Isolation::Workspace), &secret(), LEASE) {
            Ok(claim) => note(&done, &format!("{id} {}", claim.attempt)),
            Err(StoreError::AlreadyClaimed { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_feature_has_exactly_one_winner() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path(), clock_at(0)).unwrap();
    let names: Vec<_> = (0..FEATURES).map(|n| format!(r#"{{"name": "n{n}"}}"#)).collect();
    store.at(0).import(&list(&names.join(",")), &ImportLimits::default()).unwrap();

    let mut racers: Vec<_> =
        (0..RACERS).map(|n| start("processes::claims_everything", dir.path(), n)).collect();
    racers.iter_mut().for_each(Racer::go);
    racers.into_iter().for_each(Racer::finish);

    let mut won: Vec<String> = (0..RACERS).flat_map(|n| notes(dir.path(), n)).collect();
    let mut live: Vec<String> =
        store.live_attempts().unwrap().iter().map(|a| format!("{} {}", a.feature, a.id)).collect();
    won.sort();
    live.sort();
    assert_eq!(won.len(), 50);
    assert_eq!(won, live, "a winner was told who the database does not know");
    assert!(store.features().unwrap().iter().all(|feature| feature.status == Status::Claimed));
    let claimed = facts(&store, 0).into_iter().filter(|fact| matches!(fact, Fact::Claimed { .. })).count();
    assert_eq!(claimed, 50);
    assert_eq!(store.live_sessions().unwrap().len(), 50);
}

#[test]
#[ignore = "a child of a_killed_writer_loses_nothing_that_it_was_told_is_done"]
fn writes_until_killed() {
    let Some((store, done)) = task() else { return };
    for n in 0.. {
        let key = format!("{}-{n}", done.file_name().unwrap().display());
        let feature = list(&format!(r#"{{"key": "{key}", "name": "n", "checks": ["t"]}}"#));
        store.at(1).import(&feature, &ImportLimits::default()).unwrap();
        note(&done, &key);
        println!("acknowledged {n};");
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_was_told_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path(), clock_at(0)).unwrap();
    for round in 0..4 {
        let mut writers = [0, 1].map(|n| start("processes::writes_until_killed", dir.path(), 2 * round + n));
        writers.iter_mut().for_each(Racer::go);
        for writer in &mut writers {
            writer.wait_for("acknowledged 5;");
        }
        for mut writer in writers {
            writer.process.kill().unwrap();
            writer.process.wait().unwrap();
        }
        // The lock and the database are free at once, and sound.
        let features = Store::open(dir.path(), clock()).unwrap().features().unwrap();
        store.file().check_integrity().unwrap();
        let keys: Vec<_> = features.iter().map(|feature| feature.key.clone().unwrap()).collect();
        let told: Vec<_> = (0..2 * round + 2).flat_map(|n| notes(dir.path(), n)).collect();
        assert!(told.len() >= 12 * (round + 1));
        for key in told {
            assert!(keys.contains(&key), "{key} was acknowledged and is gone");
        }
        // Nothing is there by half either.
        assert!(features.iter().all(|feature| feature.checks.len() == 1));
        assert_eq!(facts(&store, 0).len(), features.len());
    }
}
