//! SIGKILL at random moments: nothing runs twice at once, nothing is lost, nothing is left, and it always ends.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogwork_schemas::{Fact, Status};
use serde_json::{Value, json};

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
        all_is_well(&place, &landed);
        assert!(place.cogwork(&["verify"]).status.success());
    });
}

/// Everything passes and was merged once, nothing that was ever on the main branch is gone, and nothing is left behind.
fn all_is_well(place: &Place, heads: &[String]) {
    place.assert_no_processes_within(Duration::ZERO);
    let journal = place.journal();
    assert_sound_journal(&journal);
    let recorded = journal.iter().filter_map(|entry| match &entry.fact {
        Fact::Integrated { commit, .. } => commit.as_ref(),
        _ => None,
    });
    for commit in heads.iter().chain(recorded) {
        place.git(&["merge-base", "--is-ancestor", commit, "HEAD"]);
    }
    for feature in place.store().features().unwrap() {
        assert_eq!(feature.status, Status::Passing, "{}", feature.name);
        let trailer = format!("Cogwork-Feature: {}$", feature.id.0);
        let merges = place.git(&["log", "--format=%h", "-E", "--grep", &trailer]);
        assert_eq!(merges.lines().count(), 1, "{} was merged {merges:?}", feature.name);
    }
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

const MANY: usize = 50;

/// Features of which two in five stand at the end of a chain of three.
fn many_features() -> Value {
    let feature = |number: usize| {
        let below = (number % 5 > 2).then(|| format!("f{}", number - 1));
        let mut feature = json!({"name": format!("f{number}"), "key": format!("f{number}"),
            "checks": [format!("test -e f{number}")]});
        feature["dependencies"] = json!(Vec::from_iter(below));
        feature
    };
    json!({"features": (1..=MANY).map(feature).collect::<Vec<_>>()})
}

/// Starts the run again and again, each time for a moment, until it comes to its end by itself.
fn killed_until_complete(seed: u64) {
    let place = Place::with_features(&many_features());
    let (over, start) = (AtomicBool::new(false), Instant::now());
    let mut rng = fastrand::Rng::with_seed(seed);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&place, &over));
        let (mut heads, mut kills) = (Vec::new(), 0);
        let status = loop {
            if start.elapsed() > MOST {
                break None;
            }
            let (life, begun) = (Duration::from_millis(rng.u64(200..800)), Instant::now());
            let agent = "exec:echo work > f$COGWORK_FEATURES";
            let mut run = spawn(&mut place.command(&["run", "--agent", agent, "--concurrency", "4"]));
            let status = loop {
                if let Some(status) = run.try_wait().unwrap() {
                    break Some(status);
                }
                if begun.elapsed() >= life {
                    break None;
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            if status.is_some() {
                break status;
            }
            kill(&mut run);
            kills += 1;
            heads.push(place.head());
        };
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
        let is_complete = status.is_some_and(|status| status.success());
        assert!(is_complete, "seed {seed}: {status:?} after {kills} kills");
        all_is_well(&place, &heads);
        println!("seed {seed}: complete after {kills} kills, {:.0} s", start.elapsed().as_secs_f64());
    });
}

/// A run that makes no progress is over in the end, too.
const MOST: Duration = Duration::from_secs(1_800);

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

// Ten runs that hardly live, in two lanes.

#[test]
#[ignore = "minutes; `just killed-runs` and the nightly workflow run it"]
fn ten_runs_survive_a_kill_at_every_moment_first_half() {
    (0..5).for_each(killed_until_complete);
}

#[test]
#[ignore = "minutes; `just killed-runs` and the nightly workflow run it"]
fn ten_runs_survive_a_kill_at_every_moment_second_half() {
    (5..10).for_each(killed_until_complete);
}
