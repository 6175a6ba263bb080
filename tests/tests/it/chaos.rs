//! SIGKILL at random moments: nothing runs twice at once, nothing is lost, nothing is left, and it always ends.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogwork_schemas::Status;

use crate::place::{Place, assert_sound_journal, kill, sessions_by_feature};

/// Watches the process table until told to stop: no feature may ever have two sessions.
fn watch(place: &Place, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for (feature, sessions) in sessions_by_feature(&place.dir) {
            if sessions.len() > 1 {
                // One look at the table is no moment: a session may have ended while it was read. Two are.
                let again = sessions_by_feature(&place.dir).remove(&feature).unwrap_or_default();
                assert!(again.len() <= 1, "two sessions at once on feature {feature}: {again:?}");
            }
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn spawn(command: &mut std::process::Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Lets the demo, and then runs, live for the given times, killing each; then one more run goes to the end.
fn killed_after(lives: &[Duration]) {
    killed_with(lives, &[]);
}

/// The same with further arguments for each of them.
fn killed_with(lives: &[Duration], args: &[&str]) {
    let place = Place::empty();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&place, &over));
        let mut landed: Vec<String> = Vec::new();
        for life in lives {
            let start = Instant::now();
            let mut cogwork = if place.dir.exists() {
                spawn(place.command(&["run"]).args(args))
            } else {
                spawn(place.demo().args(args))
            };
            while start.elapsed() < *life && cogwork.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            kill(&mut cogwork);
            if place.dir.exists() {
                landed.push(place.head());
            }
        }
        if !place.dir.exists() {
            // Killed before there was a project: no trace of one is left to work on.
            assert!(place.demo().stdout(Stdio::null()).status().unwrap().success());
        }
        let last = place.command(&["run"]).args(args).output().unwrap();
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
        let text = String::from_utf8_lossy(&last.stdout);
        assert!(last.status.success(), "lives {lives:?}: {text}{}", String::from_utf8_lossy(&last.stderr));
        place.assert_no_processes_within(Duration::ZERO);
        assert_sound_journal(&place.journal());
        for commit in landed {
            place.git(&["merge-base", "--is-ancestor", &commit, "HEAD"]);
        }
        for feature in place.store().features().unwrap() {
            assert_eq!(feature.status, Status::Passing, "{}", feature.name);
            let trailer = format!("Cogwork-Feature: {}$", feature.id.0);
            let merges = place.git(&["log", "--format=%h", "-E", "--grep", &trailer]);
            assert_eq!(merges.lines().count(), 1, "{} was merged {merges:?}", feature.name);
        }
        assert!(place.cogwork(&["verify"]).status.success());
    });
}

fn random_moments(seed: u64, count: usize, up_to_ms: u64) -> Vec<Duration> {
    let mut rng = fastrand::Rng::with_seed(seed);
    println!("seed {seed}");
    (0..count).map(|_| Duration::from_millis(rng.u64(0..up_to_ms))).collect()
}

// Ten demos, each killed once, in two lanes for two cores.

#[test]
fn ten_demos_survive_a_kill_first_half() {
    for life in random_moments(1, 5, 9_000) {
        killed_after(&[life]);
    }
}

#[test]
fn ten_demos_survive_a_kill_second_half() {
    for life in random_moments(2, 5, 9_000) {
        killed_after(&[life]);
    }
}

#[test]
fn two_demos_of_batches_survive_two_kills_each() {
    for seed in 4..6 {
        killed_with(&random_moments(seed, 2, 6_000), &["--batch-size", "3"]);
    }
}

#[test]
fn one_demo_survives_ten_kills() {
    killed_after(&random_moments(3, 10, 2_500));
}
