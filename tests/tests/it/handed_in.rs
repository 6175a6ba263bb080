//! Work that was handed in and has not landed yet: whatever ends the run then, it lands, and is paid for once.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cogwork_schemas::{FeatureId, Status};
use cogwork_store::Store;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::place::{Place, signal, until};

/// How a run ends while the work waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// These signals to the orchestrator, one after the other.
    Signals(&'static [Signal]),
    /// SIGKILL to the process of this place in the list of all that belong to the project.
    KillOne(usize),
    /// SIGKILL to all at once, the orchestrator first.
    KillAll,
}

const WAYS: &[Way] = &[
    Way::Signals(&[Signal::INT]),
    Way::Signals(&[Signal::INT, Signal::INT]),
    Way::Signals(&[Signal::TERM]),
    Way::Signals(&[Signal::HUP]),
    Way::Signals(&[Signal::INT, Signal::INT, Signal::INT]),
    Way::Signals(&[Signal::KILL]),
    Way::KillOne(0),
    Way::KillOne(1),
    Way::KillOne(2),
    Way::KillOne(3),
    Way::KillAll,
];

/// A project with a script: the first feature is handed in, then the agent goes on for as long as it is let.
fn place(batch: &str) -> (Place, Vec<String>) {
    let place = Place::with_features(&json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e a.txt"]},
        {"key": "b", "name": "b", "checks": ["test -e b.txt"]},
        {"key": "c", "name": "c", "checks": ["test -e c.txt"]},
    ]}));
    let wait = r#"{ move = "run", command = "test -e $COGWORK_PROJECT/../go || sleep 30" }"#;
    let work = |file: &str| {
        format!(
            r#"{{ move = "write", path = "{file}.txt", content = "{file}" }}, {{ move = "mark_passing" }}"#
        )
    };
    let script = format!("a = [{}, {wait}]\nb = [{}]\nc = [{}]\n", work("a"), work("b"), work("c"));
    let file = place.beside("script.toml");
    fs::write(&file, script).unwrap();
    let mut args: Vec<String> = ["run", "--agent", "scripted", "-c", "1", "--batch-size", batch, "--script"]
        .map(str::to_owned)
        .into();
    args.push(file.to_str().unwrap().to_owned());
    (place, args)
}

fn start(place: &Place, args: &[String]) -> Child {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut run = place.command(&args);
    run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn is_handed_in(store: &Store) -> bool {
    store.attempts_of(FeatureId(1)).unwrap().iter().any(|attempt| attempt.submitted.is_some())
}

fn end(place: &Place, run: &mut Child, way: Way) {
    // One that is gone meanwhile is what is wanted.
    let kill = |pid: i32| kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap_or(());
    match way {
        Way::Signals(signals) => {
            for one in signals {
                signal(run, *one);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Way::KillOne(at) => {
            let all = place.processes();
            if let Some(pid) = all.get(at) {
                kill(*pid);
            }
        }
        Way::KillAll => {
            signal(run, Signal::KILL);
            place.processes().into_iter().for_each(kill);
        }
    }
}

fn try_way(way: Way, batch: &str) {
    let (place, args) = place(batch);
    let mut run = start(&place, &args);
    let store = place.store();
    until("the first feature is handed in", Duration::from_secs(30), || is_handed_in(&store));
    end(&place, &mut run, way);
    // Whoever waits for the agent does so no longer.
    fs::write(place.beside("go"), "").unwrap();
    let began = Instant::now();
    while run.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "{way:?} in a batch of {batch}: the run hangs");
        if began.elapsed() > Duration::from_secs(8) {
            // One Ctrl-C waits for what runs, and the agent may sleep.
            signal(&run, Signal::INT);
            std::thread::sleep(Duration::from_millis(500));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let again = start(&place, &args).wait().unwrap();
    let said = format!("{way:?} in a batch of {batch}");
    assert_eq!(again.code(), Some(0), "{said}");
    let attempts = store.attempts_of(FeatureId(1)).unwrap();
    let outcomes: Vec<_> =
        attempts.iter().map(|attempt| attempt.outcome.as_ref().map(ToString::to_string)).collect();
    assert_eq!(outcomes.len(), 1, "{said}: paid once, not {outcomes:?}");
    for feature in store.features().unwrap() {
        assert_eq!(
            (feature.status, feature.failed_attempts),
            (Status::Passing, 0),
            "{said}: {}",
            feature.name
        );
    }
    assert_eq!(place.git(&["show", "HEAD:a.txt"]), "a", "{said}");
    assert_eq!(place.git(&["status", "--porcelain"]), "", "{said}");
    place.assert_no_processes_within(Duration::from_secs(5));
}

#[test]
fn finished_work_lands_however_a_run_ends() {
    for way in WAYS {
        try_way(*way, "1");
    }
}

#[test]
fn finished_work_of_a_batch_lands_however_a_run_ends() {
    for (way, batch) in WAYS.iter().zip(["2", "3"].iter().cycle()) {
        try_way(*way, batch);
    }
}

#[test]
#[ignore = "an hour; `just handed-in` and the nightly workflow run it"]
fn handed_in_twenty_times_each_way() {
    for _ in 0..20 {
        for batch in ["1", "2", "3"] {
            WAYS.iter().for_each(|way| try_way(*way, batch));
        }
        WAYS.iter().for_each(|way| try_way_of_a_lone_agent(*way));
    }
}

/// One agent alone hands in and works on in the person's own directory.
fn try_way_of_a_lone_agent(way: Way) {
    let (place, args) = place("1");
    fs::write(place.dir.join("mine"), "a person's, not committed\n").unwrap();
    let script = args.last().unwrap().clone();
    let args: Vec<String> = ["agent", "--agent", "scripted", "--script", &script].map(str::to_owned).into();
    let mut run = start(&place, &args);
    let store = place.store();
    until("the first feature is handed in", Duration::from_secs(30), || is_handed_in(&store));
    end(&place, &mut run, way);
    fs::write(place.beside("go"), "").unwrap();
    run.wait().unwrap();
    // What was below a killed one holds the project for the moment that it takes to end.
    let mut code = None;
    until("the next one begins", Duration::from_secs(20), || {
        code = start(&place, &args).wait().unwrap().code();
        code != Some(1)
    });
    assert_eq!(code, Some(0), "{way:?}");
    assert_eq!(store.attempts_of(FeatureId(1)).unwrap().len(), 1, "{way:?}: paid once");
    for (feature, file) in store.features().unwrap().iter().zip(["a", "b", "c"]) {
        assert_eq!((feature.status, feature.failed_attempts), (Status::Passing, 0), "{way:?}: {file}");
        assert_eq!(
            place.git(&["show", &format!("HEAD:{file}.txt")]),
            file,
            "{way:?}: what passes is committed"
        );
    }
    assert_eq!(place.git(&["status", "--porcelain"]), "?? mine", "{way:?}: and nothing else");
}

#[test]
fn finished_work_of_a_lone_agent_lands_however_it_ends() {
    WAYS.iter().for_each(|way| try_way_of_a_lone_agent(*way));
}
