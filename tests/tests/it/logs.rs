//! `cogwork logs`, on the sessions of a real run.

use std::fs;

use serde_json::json;

use crate::place::Place;

fn stdout(place: &Place, args: &[&str]) -> String {
    let output = place.cogwork(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_session_of_a_run_is_shown_and_played_again() {
    let place = Place::with_features(&json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e f1"]},
        {"key": "b", "name": "b", "checks": ["test -e f2"], "dependencies": ["a"]},
    ]}));
    stdout(&place, &["run", "--agent", "exec:echo I work; echo work > f$COGWORK_FEATURES"]);
    let page = stdout(&place, &["logs", "--feature", "2"]);
    for line in [
        "  | I work\n",
        "  attempt   1 of #2: landed\n",
        "  evidence  before the work: 0 of 1 checks green\n",
        "  evidence  when it landed: 1 of 1 checks green\n",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    assert_eq!(stdout(&place, &["logs", "s2", "--follow"]), page);
    for session in ["1", "s2"] {
        let replay = stdout(&place, &["logs", session, "--replay"]);
        assert!(replay.ends_with(" steps: the agent ended\n"), "{replay}");
    }
    let json = stdout(&place, &["logs", "--json"]);
    assert!(
        json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["session"] == 2)
    );
    // A database that cannot be read is no reason to keep silent about what is in a file.
    fs::write(place.dir.join(".cogwork/features.db"), "no database at all").unwrap();
    let page = stdout(&place, &["logs", "2"]);
    assert!(page.contains("  | I work\n") && page.contains("  attempt   not known: "), "{page}");
}

#[test]
fn where_there_is_nothing_to_show_that_is_said() {
    let place = Place::empty();
    fs::create_dir(&place.dir).unwrap();
    let none = place.cogwork(&["logs", "1"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no Cogwork project in "), "{none:?}");
    let place = Place::with_features(&json!({"features": [{"name": "a"}]}));
    let none = place.cogwork(&["logs"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there are no sessions in "), "{none:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn too_much_memory_is_a_failed_attempt() {
    let place = Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}));
    let eater = "exec:(head -c 100000000 /dev/zero; sleep 60) | tail > /dev/null";
    let run = place.cogwork(&["run", "--agent", eater, "--memory-limit-mb", "50", "--attempts", "1"]);
    assert_eq!(run.status.code(), Some(3), "{}", String::from_utf8_lossy(&run.stderr));
    let page = stdout(&place, &["logs", "1"]);
    assert!(page.contains("  attempt   1 of #1: not finished: the agent was stopped at "), "{page}");
}
