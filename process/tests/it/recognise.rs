//! Recognising processes: by identity, marker, working directory, descent.

use std::time::Duration;

use cogwork_process::contain::{self, Contained, MARKER, Spawn};
use tokio::time::sleep;

use crate::contained::script;

/// Starts it and waits for its first line.
async fn up(spawn: Spawn) -> Contained {
    let mut contained = spawn.start().unwrap();
    contained.next().await;
    contained
}

#[tokio::test]
async fn a_process_is_itself_and_no_other() {
    let contained = up(script("echo up; exec sleep 60")).await;
    let identity = contained.identity();
    assert_eq!(contain::identity(identity.pid).as_ref(), Some(identity));
    assert!(contain::is_alive(identity));
    let mut later = identity.clone();
    later.started += 1;
    assert!(!contain::is_alive(&later), "a later process with the same number");
    let mut other_boot = identity.clone();
    other_boot.boot_id = "another".into();
    assert!(!contain::is_alive(&other_boot), "the same number and time of another boot");
    assert!(contain::is_alive(&contain::own_identity()));
    assert_eq!(contain::identity(i32::MAX), None);
}

#[tokio::test]
async fn a_zombie_is_dead() {
    let contained = script("exit 0").start().unwrap();
    let pid = contained.identity().pid;
    sleep(Duration::from_millis(100)).await;
    assert!(std::fs::exists(format!("/proc/{pid}")).unwrap(), "not yet reaped");
    assert_eq!(contain::identity(pid), None);
    assert!(!contain::is_alive(contained.identity()));
}

#[tokio::test]
async fn a_marker_finds_its_session_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let mut sessions = Vec::new();
    for marker in ["#s1", "#s12", "2#s1"] {
        let mut spawn = script("echo up; sleep 60; :");
        spawn.env.push((MARKER.into(), format!("{state}{marker}").into()));
        sessions.push(up(spawn).await);
    }
    let found = |marker: &str| contain::marked(&format!("{state}{marker}"));
    let pid = |session: usize| sessions[session].identity().pid;
    sleep(Duration::from_millis(50)).await;
    assert!(found("#s1").contains(&pid(0)));
    assert_eq!(found("#s1").len(), 2, "the shell and its sleep");
    assert_eq!(found("#s12").len(), 2);
    for marker in ["", "#"] {
        let all = found(marker);
        assert_eq!(all.len(), 4, "{marker}");
        assert!(all.contains(&pid(0)) && all.contains(&pid(1)) && !all.contains(&pid(2)));
    }
    assert_eq!(found("#s2"), [0; 0]);
}

#[tokio::test]
async fn a_directory_finds_who_works_in_it_even_when_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (here, below) = (dir.path().join("s1"), dir.path().join("s1/deep"));
    std::fs::create_dir_all(&below).unwrap();
    std::fs::create_dir(dir.path().join("s12")).unwrap();
    let at = |cwd: &std::path::Path| {
        let mut spawn = script("echo up; exec sleep 60");
        spawn.cwd = cwd.into();
        spawn
    };
    let (first, second, other) =
        (up(at(&here)).await, up(at(&below)).await, up(at(&dir.path().join("s12"))).await);
    let mut expected = vec![first.identity().pid, second.identity().pid];
    expected.sort_unstable();
    assert_eq!(contain::inside(&here), expected);
    std::fs::remove_dir_all(&here).unwrap();
    assert_eq!(contain::inside(&here), expected, "deleted");
    assert!(contain::inside(dir.path()).contains(&other.identity().pid));
}

#[tokio::test]
async fn descent_is_followed_to_the_end() {
    let contained = up(script("sh -c 'sleep 60 & echo up; wait' & wait")).await;
    let pid = contained.identity().pid;
    let below = contain::descendants(pid);
    assert_eq!(below.len(), 2, "{below:?}");
    assert!(!below.contains(&pid));
    assert!(contain::descendants(contain::own_identity().pid).contains(&below[0]));
}
