//! Checks as their callers see them.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use cogwork_process::check::{run, run_all};
use cogwork_process::{base_env, contain};
use cogwork_schemas::{Check, CheckReport, CheckVerdict};
use tokio::time::sleep;

use crate::alone::alone;
use crate::contained::within;

async fn report(command: &str) -> CheckReport {
    run(&Check::new(command), Path::new("/"), &base_env()).await
}

async fn verdict(command: &str) -> CheckVerdict {
    report(command).await.verdict
}

#[tokio::test]
async fn an_exit_code_decides() {
    assert_eq!(verdict("true").await, CheckVerdict::Green);
    assert_eq!(verdict("exit 3").await, CheckVerdict::Red { exit_code: 3 });
    assert_eq!(verdict("kill -TERM $$").await, CheckVerdict::Red { exit_code: 143 });
    assert_eq!(verdict("no-such-command").await, CheckVerdict::Red { exit_code: 127 });
    assert_eq!(verdict("read line").await, CheckVerdict::Red { exit_code: 1 }, "there is nothing to read");
}

#[tokio::test]
async fn a_check_runs_where_it_is_told_with_what_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("here"), "").unwrap();
    let env: Vec<(OsString, OsString)> =
        [("PATH", "/usr/bin:/bin"), ("ONLY", "this")].map(|(name, value)| (name.into(), value.into())).into();
    let check = Check::new("test -f here && test \"$ONLY\" = this && test -z \"$HOME\"");
    assert_eq!(run(&check, dir.path(), &env).await.verdict, CheckVerdict::Green);
    let missing = dir.path().join("missing");
    let report = run(&check, &missing, &env).await;
    let reason = format!("there is no directory {} to start `sh` in", missing.display());
    assert_eq!(report.verdict, CheckVerdict::NotStarted { reason });
}

#[tokio::test]
async fn output_is_kept_in_order_with_its_digest() {
    let first = report("echo one; echo two >&2; echo three").await;
    assert_eq!(first.output_tail, "one\ntwo\nthree\n");
    assert_eq!(first.output_digest.len(), 16);
    assert_eq!(report("printf 'one\\ntwo\\n'; echo three").await.output_digest, first.output_digest);
    assert_ne!(report("echo one; echo three; echo two").await.output_digest, first.output_digest);
    assert_eq!(report(":").await.output_digest, "cbf29ce484222325");
}

#[tokio::test]
async fn of_much_output_the_end_is_kept_and_all_is_digested() {
    let flood = |first: char| format!("printf {first}; head -c 3000000 /dev/zero | tr '\\0' x; echo end");
    let (a, b) = (report(&flood('a')).await, report(&flood('b')).await);
    assert!(a.output_tail.starts_with("…xxx") && a.output_tail.ends_with("xend\n"));
    assert_eq!(a.output_tail.chars().count(), 4001);
    assert_eq!(a.output_tail, b.output_tail);
    assert_ne!(a.output_digest, b.output_digest);
    assert_eq!(report("printf 'bad \\377 byte'").await.output_tail, "bad \u{FFFD} byte");
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_killed_and_says_so() {
    let check =
        Check { command: "trap '' TERM; echo before; while :; do sleep 0.05; done".into(), timeout_s: 1 };
    let report = within(10_000, run(&check, Path::new("/"), &base_env())).await;
    assert_eq!((report.verdict, report.output_tail.as_str()), (CheckVerdict::TimedOut, "before\n"));
    assert!((1000..4000).contains(&report.duration_ms), "{}", report.duration_ms);
}

#[tokio::test]
async fn a_server_that_a_check_leaves_is_gone_and_does_not_hold_it() {
    let dir = tempfile::tempdir().unwrap();
    let check = Check::new("sleep 60 & echo $! > server; echo started");
    let report = within(10_000, run(&check, dir.path(), &base_env())).await;
    assert_eq!((report.verdict, report.output_tail.as_str()), (CheckVerdict::Green, "started\n"));
    let server = std::fs::read_to_string(dir.path().join("server")).unwrap();
    assert_eq!(contain::identity(server.trim().parse().unwrap()), None);
}

#[tokio::test]
async fn all_checks_are_run_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let checks = ["echo 1 >> log", "echo 2 >> log; false", "echo 3 >> log"].map(Check::new);
    let reports = run_all(&checks, dir.path(), &base_env(), None).await;
    let greens: Vec<bool> = reports.iter().map(|report| report.verdict.is_green()).collect();
    assert_eq!(greens, [true, false, true]);
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "1\n2\n3\n");
    assert_eq!(reports[1].command, checks[1].command);
}

#[test]
fn checks_side_by_side_leave_each_other_alone_and_nothing_behind() {
    alone(async || {
        // Each needs the daemon that it started, which has a session and an environment of its own.
        let command =
            "(env -i PATH=\"$PATH\" setsid sleep 60 >/dev/null 2>&1 & echo $! > pid); sleep 0.SECONDS
                       kill -0 $(cat pid) && echo served";
        let env = base_env();
        let served = async |tenths: &str| {
            let dir = tempfile::tempdir().unwrap();
            let check = Check::new(command.replace("SECONDS", tenths));
            run(&check, dir.path(), &env).await.output_tail
        };
        let (a, b, c) = tokio::join!(served("1"), served("3"), served("6"));
        assert_eq!([a, b, c], ["served\n"; 3]);
        assert_eq!(contain::descendants(contain::own_identity().pid), [0; 0]);
    });
}

#[test]
fn a_check_whose_future_is_dropped_is_killed() {
    alone(async || {
        let check = Check::new("sleep 60 & sleep 60");
        let env = base_env();
        tokio::select! {
            _ = run(&check, Path::new("/"), &env) => panic!("it ended"),
            () = sleep(Duration::from_millis(200)) => {}
        }
        sleep(Duration::from_millis(100)).await;
        assert_eq!(contain::descendants(contain::own_identity().pid), [0; 0]);
    });
}
