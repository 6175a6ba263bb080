//! One suite for both sights, on real processes.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::*;
use crate::contain::{Contained, Exit, MARKER, Spawn, os, portable};

/// Has each sight take each of these tests.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod by_the_kernels_files {
            $(#[tokio::test] async fn $test() { super::$test(&super::os::SIGHT).await; })*
        }
        mod by_sysinfo {
            $(#[tokio::test] async fn $test() { super::$test(&super::portable::SIGHT).await; })*
        }
    };
}

on_both!(
    a_process_is_itself_and_no_other,
    a_stopped_process_is_alive,
    a_zombie_is_dead,
    a_process_is_judged_on_its_own_node_only,
    a_marker_finds_its_session_and_no_other,
    a_directory_finds_who_works_in_it,
    descent_is_followed_to_the_end,
    this_process_is_in_the_table,
    what_a_process_takes_is_told,
);

fn shell(script: &str) -> Spawn {
    let mut spawn = Spawn::new("sh", "/");
    (spawn.args, spawn.env) = (vec!["-c".into(), script.into()], crate::base_env());
    spawn
}

/// Starts it and waits for its first line.
async fn up(spawn: Spawn) -> Contained {
    let mut contained = spawn.start().unwrap();
    contained.next().await;
    contained
}

fn pid(contained: &Contained) -> i32 {
    contained.identity().pid
}

/// Waits until the kernel says that a process is in this state.
async fn in_state(pid: i32, state: char) {
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    for _ in 0..1_000 {
        if stat().contains(&format!(") {state} ")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{pid} is never {state}: {}", stat());
}

async fn a_process_is_itself_and_no_other(sight: &Sight) {
    let contained = up(shell("echo up; exec sleep 60")).await;
    let identity = sight.identity(pid(&contained)).unwrap();
    assert_eq!(sight.identity(identity.pid).as_ref(), Some(&identity));
    assert!(sight.is_alive(&identity));
    let later = ProcessIdentity { started: identity.started + 1, ..identity.clone() };
    assert!(!sight.is_alive(&later), "a later process with the same number");
    let unknown = ProcessIdentity { started: 0, ..identity.clone() };
    assert!(!sight.is_alive(&unknown), "one of which only the number is known");
    let other_boot = ProcessIdentity { boot_id: "another".into(), ..identity };
    assert!(!sight.is_alive(&other_boot), "the same number and time of another boot");
    assert_eq!(sight.identity(i32::MAX), None);
    assert_eq!(sight.identity(-1), None);
}

async fn a_stopped_process_is_alive(sight: &Sight) {
    let contained = up(shell("echo up; exec sleep 60")).await;
    let process = (sight.find)(pid(&contained)).unwrap();
    let exact = (os::SIGHT.find)(process.pid).unwrap();
    os::signal_exactly(exact, Signal::STOP);
    in_state(process.pid, 'T').await;
    assert_eq!((sight.find)(process.pid), Some(process));
    assert!(sight.is_alive(&sight.identified(process)));
}

async fn a_zombie_is_dead(sight: &Sight) {
    let contained = shell("exit 0").start().unwrap();
    in_state(pid(&contained), 'Z').await;
    assert_eq!(sight.identity(pid(&contained)), None);
    assert!(!sight.is_alive(contained.identity()));
}

async fn a_process_is_judged_on_its_own_node_only(sight: &Sight) {
    let mut contained = up(shell("echo up; exec sleep 60")).await;
    let identity = sight.identity(pid(&contained)).unwrap();
    let here = sight.node();
    let container = NodeIdentity { pid_namespace: Some(7), ..here.clone() };
    let other_boot = NodeIdentity { boot_id: "another".into(), ..here.clone() };
    let of_other_boot = ProcessIdentity { boot_id: "another".into(), ..identity.clone() };
    for expected in [Presence::Alive, Presence::Gone] {
        assert_eq!(sight.presence(&identity, Some(&here)), expected);
        assert_eq!(sight.presence(&identity, None), expected);
        assert_eq!(sight.presence(&identity, Some(&container)), Presence::OutOfSight);
        assert_eq!(sight.presence(&identity, Some(&other_boot)), Presence::OutOfSight);
        assert_eq!(sight.presence(&of_other_boot, None), Presence::OutOfSight);
        contained.terminate(Duration::from_millis(500)).await;
    }
}

async fn a_marker_finds_its_session_and_no_other(sight: &Sight) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let mut sessions = Vec::new();
    for marker in ["#s1", "#s12", "2#s1"] {
        let mut spawn = shell("sleep 60 & sleep 0.1; echo up; wait");
        spawn.env.push((MARKER.into(), format!("{state}{marker}").into()));
        sessions.push(up(spawn).await);
    }
    let found = |marker: &str| sight.marked(&(sight.table)(), MARKER, &format!("{state}{marker}"));
    assert!(found("#s1").contains(&pid(&sessions[0])));
    assert_eq!(found("#s1").len(), 2, "the shell and its sleep");
    assert_eq!(found("#s12").len(), 2);
    for marker in ["", "#"] {
        let all = found(marker);
        assert_eq!(all.len(), 4, "{marker}");
        let has = |session: usize| all.contains(&pid(&sessions[session]));
        assert!(has(0) && has(1) && !has(2));
    }
    assert_eq!(found("#s2"), [0; 0]);
}

async fn a_directory_finds_who_works_in_it(sight: &Sight) {
    let dir = tempfile::tempdir().unwrap();
    let (here, below) = (dir.path().join("s1"), dir.path().join("s1/deep"));
    fs::create_dir_all(&below).unwrap();
    fs::create_dir(dir.path().join("s12")).unwrap();
    let first = up(at(&here)).await;
    let second = up(at(&below)).await;
    let other = up(at(&dir.path().join("s12"))).await;
    let mut expected = vec![pid(&first), pid(&second)];
    expected.sort_unstable();
    let inside = |dir: &Path| sight.inside(&(sight.table)(), dir);
    assert_eq!(inside(&here), expected);
    assert!(inside(dir.path()).contains(&pid(&other)));
}

fn at(cwd: &Path) -> Spawn {
    let mut spawn = shell("echo up; exec sleep 60");
    spawn.cwd = cwd.into();
    spawn
}

async fn descent_is_followed_to_the_end(sight: &Sight) {
    let contained = up(shell("sh -c 'sleep 60 & echo up; wait' & wait")).await;
    let below = sight.descendants(pid(&contained));
    assert_eq!(below.len(), 2, "{below:?}");
    assert!(!below.contains(&pid(&contained)));
    assert!(sight.descendants(own()).contains(&below[0]));
}

async fn this_process_is_in_the_table(sight: &Sight) {
    let table = (sight.table)();
    assert_eq!(table.get(own()), (sight.find)(own()).as_ref());
    assert!(table.living().any(|pid| pid == own()));
    assert!(!(sight.boot_id)().is_empty());
    let (seen, exact) = (table.get(own()).unwrap(), (os::SIGHT.find)(own()).unwrap());
    assert_eq!((seen.parent, seen.session), (exact.parent, exact.session));
}

async fn what_a_process_takes_is_told(sight: &Sight) {
    let (taken, _) = (sight.resources)(own()).unwrap();
    assert_eq!(taken.processes, 1);
    assert!((1_000_000..10_000_000_000).contains(&taken.memory_bytes), "{taken:?}");
    assert!((sight.resources)(i32::MAX).is_none());
}

fn own() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

/// On Linux alone: how a deleted directory shows elsewhere is not known here.
#[tokio::test]
async fn a_deleted_directory_still_finds_who_works_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("s1");
    fs::create_dir(&here).unwrap();
    let worker = up(at(&here)).await;
    fs::remove_dir_all(&here).unwrap();
    assert_eq!(os::SIGHT.inside(&(os::SIGHT.table)(), &here), [pid(&worker)]);
}

#[test]
fn a_time_of_boot_moves_with_the_clock_and_is_still_that_boot() {
    let is_same = portable::SIGHT.is_same_boot;
    assert!(is_same("booted-at-1700000000", "booted-at-1700000003"));
    assert!(!is_same("booted-at-1700000000", "booted-at-1700086400"));
    assert!(!is_same("booted-at-1700000000", ""));
    assert!(!is_same("5b1d4ab6-9f3c-4f6e-8f57-1b7d8d0c2f11", "booted-at-1700000000"));
    assert!(is_same("", ""));
    assert!(!(os::SIGHT.is_same_boot)("booted-at-1700000000", "booted-at-1700000003"));
}

/// How each sight hits one process and no other.
type SignalExactly = fn(Process, Signal);

#[tokio::test]
async fn a_signal_reaches_this_very_process_or_nobody() {
    let ways: [(&Sight, SignalExactly); 2] =
        [(&os::SIGHT, os::signal_exactly), (&portable::SIGHT, portable::signal_exactly)];
    for (sight, signal_exactly) in ways {
        let mut sleep = up(shell("echo up; exec sleep 60")).await;
        let process = (sight.find)(pid(&sleep)).unwrap();
        signal_exactly(Process { started: process.started + 1, ..process }, Signal::KILL);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!((sight.find)(process.pid), Some(process));
        signal_exactly(process, Signal::TERM);
        assert_eq!(sleep.wait().await, Exit::Signal(15));
    }
}
