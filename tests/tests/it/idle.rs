//! A slot that nothing is started in says why, to whoever asks while the run is under way and in its journal.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use cogwork_schemas::{Fact, StartHold};
use serde_json::{Value, json};

use crate::place::{Place, until};

const MINUTE: Duration = Duration::from_secs(60);
const AGENT: &str = "exec:until [ -e $HOME/go ]; do sleep 0.05; done; echo work > f$COGWORK_FEATURES";

#[test]
fn a_run_says_why_a_slot_of_it_is_free() {
    let feature = |n: u32, depends_on: &[&str]| {
        json!({"key": format!("k{n}"), "name": format!("feature {n}"), "checks": [format!("test -e f{n}")],
            "dependencies": depends_on})
    };
    let features = [feature(1, &[]), feature(2, &["k1"]), feature(3, &["k1"])];
    let place = Place::with_features(&json!({"features": features}));
    let mut run = place
        .command(&["run", "--agent", AGENT, "--concurrency", "2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let told = |args: &[&str]| String::from_utf8(place.cogwork(args).stdout).unwrap();
    let idle = || {
        let status: Value = serde_json::from_str(&told(&["status", "--json"])).unwrap();
        status["idle_slots"].clone()
    };
    until("a word of the second slot", MINUTE, || idle() != json!([]));
    assert_eq!((&idle()[0]["slot"], &idle()[0]["why"]), (&json!(2), &json!({"hold": "nothing_ready"})));
    let (line, reason) = ("nothing is started in slot 2 since ", ": nothing is ready\n");
    for text in [told(&["why"]), told(&["status"])] {
        assert!(text.contains(line) && text.contains(reason), "{text}");
    }
    std::fs::write(place.beside("go"), "").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(idle(), json!([]));
    let facts: Vec<_> = place.journal().into_iter().map(|entry| entry.fact).collect();
    let of_idle_slot = Fact::SlotIdle { slot: 2, hold: StartHold::NothingReady };
    assert!(facts.contains(&of_idle_slot), "{facts:?}");
    let slots = facts.iter().filter_map(|fact| match fact {
        Fact::SessionStarted { slot, .. } => *slot,
        _ => None,
    });
    assert_eq!(slots.collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
}
