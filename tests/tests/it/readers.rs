//! Who looks on at a run may stop reading, or go away. None of them holds it up, and a reader that reads again is told
//! what it has missed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cogwork_process::contain;
use cogwork_schemas::{Entry, Fact, Isolation, RunSettings, Status};
use cogwork_store::NewRun;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use crate::place::{Place, signal, until};

const MINUTE: Duration = Duration::from_secs(60);
const AGENT: &str = "exec:touch $HOME/up; until [ -e $HOME/go ]; do sleep 0.05; done; echo work > f1";

fn one_feature() -> Place {
    Place::with_features(&json!({"features": [{"name": "a", "checks": ["test -e f1"]}]}))
}

fn until_up(place: &Place) {
    until("the agent's start", MINUTE, || place.beside("up").exists());
}

fn go(place: &Place) {
    std::fs::write(place.beside("go"), "").unwrap();
}

fn passes(place: &Place) -> bool {
    place.store().features().unwrap().iter().all(|feature| feature.status == Status::Passing)
}

fn is_recorded_over(place: &Place) -> bool {
    place.journal().iter().any(|entry| matches!(entry.fact, Fact::RunEnded { .. }))
}

/// Writes so much into the journal that no pipe and no terminal holds it, as a busy run of a day would.
fn flood(place: &Place, entries: usize, size: usize) {
    let store = place.store();
    let process = contain::own_identity();
    let settings =
        RunSettings { agent: "x".repeat(size), slots: 1, isolation: Isolation::Workspace, batch: None };
    let run = NewRun { process, node: None, settings, base_commit: None };
    for _ in 0..entries {
        store.begin_run(&run).unwrap();
    }
}

fn code_within(run: &mut Child, limit: Duration) -> Option<i32> {
    until("the end of the run", limit, || run.try_wait().unwrap().is_some());
    run.wait().unwrap().code()
}

/// Asserts that what was shown since an entry is all that happened, but for what it says that it did not show; returns
/// how many those were.
fn assert_accounted(place: &Place, shown: &[Entry]) -> u64 {
    let (mut last, mut lost) = (shown[0].seq, 0);
    for entry in &shown[1..] {
        if let Fact::NotShown { entries } = entry.fact {
            assert_eq!(entry.seq, last, "it stands behind what was shown last");
            last += i64::try_from(entries).unwrap();
            lost += entries;
        } else {
            last += 1;
            assert_eq!(entry.seq, last, "a gap that is not told");
        }
    }
    assert_eq!(last, place.store().last_seq().unwrap(), "all is told to the end");
    lost
}

#[test]
fn a_program_that_pauses_loses_entries_and_is_told_how_many() {
    let place = one_feature();
    let mut run = place.command(&["run", "--json", "--agent", AGENT]).stdout(Stdio::piped()).spawn().unwrap();
    until_up(&place);
    flood(&place, 60, 1 << 20);
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = memory.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 300_000, "what nobody reads stays bounded: {kilobytes} kB");
    go(&place);
    until("the landing", MINUTE, || passes(&place));
    until("the end of the run", MINUTE, || is_recorded_over(&place));
    let mut text = String::new();
    run.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let shown: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(assert_accounted(&place, &shown) > 20);
    assert!(matches!(shown[0].fact, Fact::RunStarted { .. }));
}

#[test]
fn a_program_that_pauses_and_reads_again_during_the_run_gets_the_rest() {
    let place = one_feature();
    let mut run = place.command(&["run", "--json", "--agent", AGENT]).stdout(Stdio::piped()).spawn().unwrap();
    until_up(&place);
    flood(&place, 40, 1 << 20);
    let mut stdout = run.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    std::thread::sleep(Duration::from_secs(1));
    flood(&place, 10, 10);
    go(&place);
    assert_eq!(code_within(&mut run, MINUTE), Some(0));
    let text = reading.join().unwrap();
    let shown: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_accounted(&place, &shown);
    assert!(matches!(shown.last().unwrap().fact, Fact::RunEnded { .. }));
}

#[test]
fn plain_lines_that_nobody_reads_hold_up_nothing() {
    let place = one_feature();
    let mut run = place.command(&["run", "--agent", AGENT]).stdout(Stdio::piped()).spawn().unwrap();
    until_up(&place);
    flood(&place, 1_500, 300);
    go(&place);
    // To the very end: the process does not wait for its reader for ever.
    assert_eq!(code_within(&mut run, MINUTE), Some(0));
    assert!(passes(&place) && is_recorded_over(&place));
}

#[test]
fn a_stop_is_heard_though_nobody_reads() {
    for args in [&["--json"][..], &[]] {
        let place = one_feature();
        let mut command = place.command(&["run", "--agent", AGENT]);
        let mut run = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_up(&place);
        flood(&place, 1_500, 300);
        signal(&run, Signal::INT);
        std::thread::sleep(Duration::from_millis(300));
        signal(&run, Signal::INT);
        let start = Instant::now();
        until("the end of the agent", Duration::from_secs(15), || place.processes().is_empty());
        until("the end of the run", Duration::from_secs(15), || is_recorded_over(&place));
        // The third is for what is left: a reader that is waited for.
        signal(&run, Signal::INT);
        assert_eq!(code_within(&mut run, Duration::from_secs(5)), Some(5), "{:?}", start.elapsed());
    }
}

/// A terminal of 24 lines: the side of the person, and the side of the program.
fn terminal() -> (File, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let path = ptsname(&person, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let program = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&program, size).unwrap();
    (File::from(person), program)
}

fn in_terminal(mut command: Command, program: &OwnedFd) -> Child {
    let side = || Stdio::from(program.try_clone().unwrap());
    command.env("TERM", "xterm").stdout(side()).stderr(side()).spawn().unwrap()
}

/// Reads what a terminal shows, for as long as anything is connected to it.
fn read_on(mut person: File) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut shown, mut bytes) = (Vec::new(), [0; 4096]);
        // Its end is an error of its own kind.
        while let Ok(count @ 1..) = person.read(&mut bytes) {
            shown.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    })
}

const XOFF: &[u8] = b"\x13";
const XON: &[u8] = b"\x11";

#[test]
fn a_terminal_that_stands_still_holds_up_nothing_and_shows_the_rest_when_it_goes_on() {
    let place = one_feature();
    let (mut person, program) = terminal();
    let reading = read_on(person.try_clone().unwrap());
    let mut run = in_terminal(place.command(&["run", "--agent", AGENT]), &program);
    until_up(&place);
    person.write_all(XOFF).unwrap();
    flood(&place, 300, 100);
    go(&place);
    until("the landing", MINUTE, || passes(&place));
    until("the end of the run", MINUTE, || is_recorded_over(&place));
    person.write_all(XON).unwrap();
    assert_eq!(code_within(&mut run, MINUTE), Some(0));
    drop((program, person));
    let shown = reading.join().unwrap();
    assert!(shown.contains("1 feature: 1 proven, after"), "{shown}");
    assert!(shown.contains("integrated"), "{shown}");
}

#[test]
fn a_stop_is_heard_though_the_terminal_stands_still() {
    let place = one_feature();
    let (mut person, program) = terminal();
    let reading = read_on(person.try_clone().unwrap());
    let mut run = in_terminal(place.command(&["run", "--agent", AGENT]), &program);
    until_up(&place);
    person.write_all(XOFF).unwrap();
    flood(&place, 300, 100);
    for _ in 0..2 {
        signal(&run, Signal::INT);
        std::thread::sleep(Duration::from_millis(300));
    }
    until("the end of the run", Duration::from_secs(15), || is_recorded_over(&place));
    signal(&run, Signal::INT);
    assert_eq!(code_within(&mut run, Duration::from_secs(5)), Some(5));
    drop((program, person));
    drop(reading.join().unwrap());
}

/// Returns every picture that a terminal of this size showed, row by row.
fn pictures(shown: &str) -> Vec<Vec<String>> {
    let mut terminal = vt100::Parser::new(24, 100, 0);
    let mut pictures = Vec::new();
    // Each stands until the program begins to clear it away.
    for part in shown.split("\u{1b}[2K") {
        terminal.process(part.as_bytes());
        pictures.push(terminal.screen().rows(0, 100).collect());
        terminal.process(b"\x1b[2K");
    }
    pictures
}

/// Whether anything has a colour: a code for it that is more than the end of one.
fn has_color(shown: &str) -> bool {
    let codes = shown.split("\u{1b}[").skip(1);
    codes.filter_map(|code| code.split_once('m')).any(|(code, _)| matches!(code, "31" | "32" | "33"))
}

#[test]
fn lines_that_move_fit_the_terminal_and_have_colours_unless_somebody_says_no() {
    for (no_color, is_colored) in [(None, true), (Some("1"), false)] {
        let place = one_feature();
        let (person, program) = terminal();
        let reading = read_on(person.try_clone().unwrap());
        std::fs::write(place.beside("words"), "a long line of an agent ".repeat(20)).unwrap();
        let agent = "exec:cat $COGWORK_PROJECT/../words; echo; sleep 0.4";
        let mut command = place.command(&["run", "--agent", agent]);
        command.env_remove("NO_COLOR");
        no_color.map(|value| command.env("NO_COLOR", value));
        let mut run = in_terminal(command, &program);
        assert_eq!(code_within(&mut run, MINUTE), Some(3));
        drop((program, person));
        let shown = reading.join().unwrap();
        let rows: Vec<_> = pictures(&shown).into_iter().flatten().collect();
        let of_agent: Vec<_> = rows.iter().filter(|row| row.contains("a long line of an agent")).collect();
        assert!(!of_agent.is_empty(), "{shown}");
        for row in of_agent {
            let is_whole =
                row.starts_with("#1 a") || row.trim_start().starts_with(|c: char| c.is_ascii_digit());
            assert!(is_whole && row.trim_end().ends_with('…'), "a line has wrapped: {row}");
        }
        assert!(rows.iter().any(|row| row.contains("0/1 · 0 running · 1 given up")), "{shown}");
        assert_eq!(has_color(&shown), is_colored, "NO_COLOR {no_color:?}: {shown:?}");
    }
}

#[test]
fn status_is_shown_again_whenever_it_changes_and_ends_with_its_reader() {
    let place = one_feature();
    for args in [&["status", "--watch", "--json"][..], &["status", "--watch"]] {
        let mut command = place.command(args);
        let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(watching.stdout.take().unwrap()));
        let count = place.store().features().unwrap().len();
        let is_told = |line: &str, count: usize| {
            line.contains(&format!("{count} ready")) || line.contains(&format!("\"ready\":{count},"))
        };
        assert!(is_told(&lines.next().unwrap().unwrap(), count), "{args:?}");
        drop(place.import(&json!({"features": [{"name": format!("for {}", args.len())}]})));
        assert!(lines.any(|line| is_told(&line.unwrap(), count + 1)), "{args:?}");
        drop(lines);
        drop(place.import(&json!({"features": [{"name": format!("again {}", args.len())}]})));
        assert_eq!(code_within(&mut watching, MINUTE), Some(0), "{args:?}: nobody reads it any more");
    }
}

/// Returns the writing side of a pipe whose reader is gone.
fn without_reader() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Returns the same command, started without some of its files.
fn closed(command: &Command, redirections: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirections}")]).arg(command.get_program());
    shell.args(command.get_args()).current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn a_run_whose_output_is_closed_goes_on() {
    for redirections in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        for args in [&["run", "--json"][..], &["run"]] {
            let place = one_feature();
            go(&place);
            let mut command = place.command(args);
            command.args(["--agent", AGENT]).env("COGWORK_LOG", "trace");
            let output = closed(&command, redirections).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{redirections} {args:?}: {output:?}");
            assert!(passes(&place), "{redirections} {args:?}");
        }
    }
}

#[test]
fn a_run_whose_readers_are_gone_goes_on() {
    for args in [&["run", "--json"][..], &["run"]] {
        let place = one_feature();
        go(&place);
        let mut run = place.command(args);
        run.args(["--agent", AGENT]).env("COGWORK_LOG", "trace");
        let status = run.stdout(without_reader()).stderr(without_reader()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
        assert!(passes(&place), "{args:?}");
    }
}

#[test]
fn commands_without_readers_fail_as_they_should_and_do_not_panic() {
    let place = one_feature();
    let cases: [(&[&str], i32); 6] = [
        (&["show", "9"], 1),
        (&["run"], 2),
        (&["no-such-word"], 2),
        (&["status"], 0),
        (&["mcp", "--no-such-flag"], 2),
        (&["agent", "--agent", "exec:no-such-program-anywhere; exit 127", "--max-iterations", "0"], 2),
    ];
    for (args, code) in cases {
        let mut command = place.command(args);
        let status = command.stdout(without_reader()).stderr(without_reader()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_lone_agent_whose_readers_are_gone_is_no_panic() {
    let place = one_feature();
    go(&place);
    let mut agent = place.command(&["agent", "--agent", AGENT, "--max-iterations", "1"]);
    agent.env("COGWORK_LOG", "trace").stderr(without_reader());
    let output = agent.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(passes(&place));
}

#[test]
fn a_server_whose_stderr_is_gone_still_answers() {
    let place = one_feature();
    let mut command = place.command(&["mcp"]);
    command.env("COGWORK_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.stderr(without_reader()).spawn().unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let mut stdin = server.stdin.take().unwrap();
    writeln!(stdin, "{call}").unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
    drop(stdin);
    assert_eq!(code_within(&mut server, MINUTE), Some(0));
}
