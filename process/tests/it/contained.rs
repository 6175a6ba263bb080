//! Starting, reading, feeding and ending one program.

use std::time::Duration;

use cogwork_process::base_env;
use cogwork_process::contain::{
    Asking, Bond, Contained, Exit, Output, Spawn, StartError, Stderr, Stdin, is_alive,
};
#[cfg(target_os = "linux")]
use cogwork_process::lines::{LINE_LIMIT, Line};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

#[cfg(target_os = "linux")]
use crate::alone::alone;

/// A shell script with the basic environment, in the root directory.
pub(crate) fn script(text: &str) -> Spawn {
    let mut spawn = Spawn::new("sh", "/");
    spawn.args = vec!["-c".into(), text.into()];
    spawn.env = base_env();
    spawn
}

/// Its lines, stderr's with a leading `!`, and its end.
pub(crate) async fn outcome(contained: &mut Contained) -> (Vec<String>, Exit) {
    let mut lines = Vec::new();
    loop {
        match contained.next().await {
            Output::Stdout(line) => lines.push(line.to_string()),
            Output::Stderr(line) => lines.push(format!("!{line}")),
            Output::Ended(exit) => return (lines, exit),
        }
    }
}

/// Fails the test when `future` takes longer than it may.
pub(crate) async fn within<T>(limit_ms: u64, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_millis(limit_ms);
    timeout(limit, future).await.unwrap_or_else(|_| panic!("took longer than {limit_ms} ms"))
}

#[tokio::test]
async fn lines_and_exit_code_come_out() {
    let mut contained = script("echo one; echo two >&2; printf half; exit 3").start().unwrap();
    let (mut lines, exit) = outcome(&mut contained).await;
    lines.sort();
    assert_eq!((lines, exit), (vec!["!two".into(), "half".into(), "one".into()], Exit::Code(3)));
    assert_eq!(contained.next().await, Output::Ended(Exit::Code(3)), "the end is repeated");
    assert_eq!(contained.stderr_tail(), "two\n");
    assert_eq!(contained.bytes_read(), 12);
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    assert_eq!(script("kill -USR1 $$").start().unwrap().wait().await, Exit::Signal(10));
    assert_eq!(script("exit 138").start().unwrap().wait().await, Exit::Code(138));
}

#[tokio::test]
async fn it_sees_only_the_environment_it_is_given() {
    let mut spawn = Spawn::new("/usr/bin/env", "/tmp");
    spawn.env = vec![("ONLY".into(), "this".into())];
    assert_eq!(outcome(&mut spawn.start().unwrap()).await.0, ["ONLY=this"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_leads_a_session_of_its_own() {
    let mut contained = script("cut -d' ' -f1,5,6 /proc/$$/stat").start().unwrap();
    let pid = contained.identity().pid;
    assert_eq!(outcome(&mut contained).await.0, [format!("{pid} {pid} {pid}")]);
}

#[tokio::test]
async fn one_pipe_for_both_keeps_their_order() {
    let mut spawn = script("for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    spawn.stderr = Stderr::WithStdout;
    let (lines, exit) = outcome(&mut spawn.start().unwrap()).await;
    assert_eq!(lines, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]);
    assert_eq!(exit, Exit::Code(0));
}

#[cfg(target_os = "linux")]
#[test]
fn one_line_of_50_megabytes_takes_little_memory() {
    alone(async || {
        let size = 50_000_000;
        let flood = script(&format!("head -c {size} /dev/zero | tr '\\0' a; echo; echo next"));
        let mut contained = flood.start().unwrap();
        let Output::Stdout(Line { text, cut }) = contained.next().await else {
            panic!("no line");
        };
        assert_eq!((text.len(), cut), (LINE_LIMIT, (size - LINE_LIMIT) as u64));
        assert_eq!(outcome(&mut contained).await, (vec!["next".into()], Exit::Code(0)));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < 32 << 10, "{peak_kib} KiB");
    });
}

#[tokio::test]
async fn bytes_that_are_not_text_are_replaced() {
    let mut contained = script(r"printf 'a\377\376b\nlast\303'").start().unwrap();
    assert_eq!(outcome(&mut contained).await.0, ["a\u{FFFD}\u{FFFD}b", "last\u{FFFD}"]);
}

#[tokio::test]
async fn only_the_end_of_stderr_is_kept() {
    let mut contained = script("head -c 100000 /dev/zero | tr '\\0' e >&2; echo end >&2").start().unwrap();
    contained.wait().await;
    let tail = contained.stderr_tail();
    assert!(tail.ends_with("ee\nend\n".trim_start_matches("ee\n")) && tail.starts_with("…ee"), "{tail}");
    assert!(tail.chars().count() <= 4097, "{}", tail.len());
}

#[tokio::test]
async fn a_program_that_does_not_read_does_not_hold_us() {
    let mut spawn = script("exec sleep 0.2");
    spawn.stdin = Stdin::Bytes(vec![b'x'; 10 << 20]);
    assert_eq!(within(10_000, spawn.start().unwrap().wait()).await, Exit::Code(0));
    let mut spawn = script("exec <&-; sleep 0.2; echo still here");
    spawn.stdin = Stdin::Bytes(vec![b'x'; 10 << 20]);
    assert_eq!(within(10_000, outcome(&mut spawn.start().unwrap())).await.0, ["still here"]);
}

#[tokio::test]
async fn input_is_fed_while_output_is_read() {
    let mut spawn = script("cat");
    let line = "y".repeat(99);
    spawn.stdin = Stdin::Bytes(format!("{line}\n").repeat(20_000).into_bytes());
    let (lines, exit) = within(10_000, outcome(&mut spawn.start().unwrap())).await;
    assert_eq!((lines.len(), exit), (20_000, Exit::Code(0)));
    assert!(lines.iter().all(|read| *read == line));
}

#[tokio::test]
async fn input_ends_whichever_way_it_is_given() {
    for stdin in [Stdin::Null, Stdin::Bytes(Vec::new())] {
        let mut spawn = script("cat; echo over");
        spawn.stdin = stdin.clone();
        let lines = within(10_000, outcome(&mut spawn.start().unwrap())).await.0;
        assert_eq!(lines, ["over"], "{stdin:?}");
    }
    let mut spawn = script("read line; echo got $line; cat; echo over");
    spawn.stdin = Stdin::Piped;
    let mut contained = spawn.start().unwrap();
    let mut stdin = contained.take_stdin().unwrap();
    assert!(contained.take_stdin().is_none());
    stdin.write_all(b"hello\n").await.unwrap();
    assert!(matches!(contained.next().await, Output::Stdout(line) if line.text == "got hello"));
    drop(stdin);
    assert_eq!(within(10_000, outcome(&mut contained)).await.0, ["over"]);
}

#[tokio::test]
async fn a_program_can_be_talked_to() {
    let mut spawn = script("while read line; do echo got $line; done; echo over");
    spawn.stdin = Stdin::Open(b"hello\n".to_vec());
    let mut contained = spawn.start().unwrap();
    for word in ["hello", "you", "there"] {
        let line = within(10_000, contained.next()).await;
        assert!(matches!(&line, Output::Stdout(line) if line.text == format!("got {word}")), "{line:?}");
        assert!(contained.say(if word == "hello" { b"you\n" } else { b"there\n" }));
    }
    contained.end_input();
    assert!(!contained.say(b"too late\n"));
    let (lines, exit) = within(10_000, outcome(&mut contained)).await;
    assert_eq!((lines.join(","), exit), ("got there,over".to_owned(), Exit::Code(0)));
}

#[tokio::test]
async fn a_program_that_does_not_listen_is_told_no_more() {
    let mut spawn = script("echo up; exec sleep 60");
    spawn.stdin = Stdin::Open(Vec::new());
    let mut contained = spawn.start().unwrap();
    within(10_000, contained.next()).await;
    let said = (0..100).take_while(|_| contained.say(&[b'x'; 100_000])).count();
    assert!((10..50).contains(&said), "{said}");
    contained.kill();
    assert_eq!(within(10_000, contained.wait()).await, Exit::Signal(9));
    let mut spawn = script("read line");
    spawn.stdin = Stdin::Bytes(b"all\n".to_vec());
    assert!(!spawn.start().unwrap().say(b"more\n"), "its input ends with what it was given");
}

#[tokio::test]
async fn a_program_is_asked_to_end_by_the_signal_that_it_knows() {
    for (asking, word) in [(Asking::Interrupt, "int"), (Asking::Terminate, "term")] {
        let traps = "exec 2>/dev/null; trap 'echo int; exit 1' INT; trap 'echo term; exit 1' TERM; echo up; while :; do sleep 0.1; done";
        let mut contained = script(traps).start().unwrap();
        within(10_000, contained.next()).await;
        contained.ask_to_end(asking, Duration::from_secs(60));
        let (lines, exit) = within(10_000, outcome(&mut contained)).await;
        assert_eq!((lines.join(","), exit), (word.to_owned(), Exit::Code(1)));
    }
}

#[tokio::test]
async fn its_end_is_its_own_and_not_that_of_its_pipes() {
    // Pipes closed long before the end.
    let mut contained = script("exec >&- 2>&-; sleep 0.3; exit 7").start().unwrap();
    assert_eq!(within(10_000, contained.wait()).await, Exit::Code(7));
    // Pipes held long after the end, silently, and by a flood.
    let mut contained = script("sleep 60 & echo up").start().unwrap();
    assert_eq!(within(10_000, outcome(&mut contained)).await, (vec!["up".into()], Exit::Code(0)));
    let mut contained = script("yes flood & exit 4").start().unwrap();
    assert_eq!(within(10_000, contained.wait()).await, Exit::Code(4));
}

#[tokio::test]
async fn what_a_pipe_still_holds_at_the_end_is_read() {
    let mut contained = script("(sleep 0.1; echo late) & echo early").start().unwrap();
    assert_eq!(outcome(&mut contained).await.0, ["early", "late"]);
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_either() {
    for _ in 0..5 {
        let text = "(sleep 0.05; echo one; sleep 0.05; echo two; echo half >&2; printf three) & exit 0";
        let mut contained = script(text).start().unwrap();
        assert!(matches!(contained.next().await, Output::Stdout(line) if line.text == "one"));
        #[expect(clippy::disallowed_methods, reason = "a caller that blocks, and the runtime with it")]
        std::thread::sleep(Duration::from_millis(400));
        let (mut lines, _) = outcome(&mut contained).await;
        lines.sort();
        assert_eq!(lines, ["!half", "three", "two"]);
    }
}

#[tokio::test]
async fn losing_a_future_loses_no_line() {
    let mut contained =
        script("for i in $(seq 300); do echo line $i; done; sleep 0.1; echo end").start().unwrap();
    let mut lines = Vec::new();
    loop {
        match timeout(Duration::from_micros(200), contained.next()).await {
            Ok(Output::Stdout(line)) => lines.push(line.text),
            Ok(Output::Stderr(line)) => panic!("{line}"),
            Ok(Output::Ended(exit)) => break assert_eq!(exit, Exit::Code(0)),
            Err(_) => {}
        }
    }
    let expected: Vec<String> = (1..=300).map(|i| format!("line {i}")).chain(["end".into()]).collect();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_interrupted_program_may_say_its_last_words() {
    let polite = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done";
    let mut contained = script(polite).start().unwrap();
    assert!(matches!(contained.next().await, Output::Stdout(line) if line.text == "up"));
    contained.interrupt(Duration::from_secs(10));
    let (mut lines, exit) = within(10_000, outcome(&mut contained)).await;
    // The shell may tell on stderr that its `sleep` was terminated.
    lines.retain(|line| !line.starts_with('!'));
    assert_eq!((lines, exit), (vec!["bye".into()], Exit::Code(5)));
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_its_grace() {
    let stubborn = "trap '' TERM; echo up; while :; do sleep 0.02; done";
    let mut contained = script(stubborn).start().unwrap();
    contained.next().await;
    let exit = within(10_000, contained.terminate(Duration::from_millis(300))).await;
    assert_eq!(exit, Exit::Signal(9));
    assert!(!is_alive(contained.identity()));
}

#[tokio::test]
async fn a_shorter_grace_wins_over_a_longer_one() {
    let mut contained = script("trap '' TERM; echo up; while :; do sleep 0.02; done").start().unwrap();
    contained.next().await;
    contained.interrupt(Duration::from_millis(100));
    contained.interrupt(Duration::from_secs(100));
    assert_eq!(within(10_000, contained.wait()).await, Exit::Signal(9));
}

#[tokio::test]
async fn dropping_the_handle_does_what_the_bond_says() {
    for (bond, survives) in [(Bond::Killed, false), (Bond::Asked, false), (Bond::Free, true)] {
        let mut spawn = script("echo up; exec sleep 60");
        spawn.bond = bond;
        let mut contained = spawn.start().unwrap();
        contained.next().await;
        let identity = contained.identity().clone();
        assert!(is_alive(&identity));
        drop(contained);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(is_alive(&identity), survives, "{bond:?}");
        if survives {
            let pid = rustix::process::Pid::from_raw(identity.pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_told_apart() {
    let error = Spawn::new("no-such-agent", "/").start().unwrap_err();
    assert!(matches!(&error, StartError::NoProgram { program } if program == "no-such-agent"), "{error}");
    assert_eq!(
        error.to_string(),
        "there is no program `no-such-agent`: install it, or check its name and the PATH"
    );
    let error = Spawn::new("sh", "/no/such/dir").start().unwrap_err();
    assert_eq!(error.to_string(), "there is no directory /no/such/dir to start `sh` in");
    let error = Spawn::new("/etc/passwd", "/").start().unwrap_err();
    assert!(error.to_string().starts_with("`/etc/passwd` cannot be started: Permission denied"), "{error}");
}
