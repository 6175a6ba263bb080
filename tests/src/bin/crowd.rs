//! Measures what a runner costs beside the agent that it drives: `cargo build --release && cargo run --release -p
//! cogwork-tests --bin crowd -- --claude PATH [--sessions N]`.
//!
//! As many real sessions of Claude Code as are asked for, at once, each with a feature of its own to build, against a
//! model API on loopback. Memory is the largest that was seen, CPU the last; it looks five times a second.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its table is what it is for")]
#![expect(clippy::disallowed_methods, reason = "it starts programs, waits for them and looks at the clock")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use cogwork_process::contain;
use cogwork_tests::model_api::thread::Model;
use serde_json::json;

/// Lets many sessions of Claude Code run at once and prints what their runners cost.
#[derive(Parser)]
struct Flags {
    /// The real Claude Code
    #[arg(long, value_name = "PROGRAM")]
    claude: PathBuf,
    /// Sessions at once
    #[arg(long, default_value_t = 16)]
    sessions: usize,
}

/// What one process was seen to take.
#[derive(Default, Clone)]
struct Taken {
    part: Part,
    resident_kib: u64,
    /// What would be free without it: pages that several processes share count by their share.
    proportional_kib: u64,
    /// Of an agent with that of the children that it has waited for.
    cpu_ticks: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    Runner,
    Warden,
    #[default]
    Agent,
}

fn main() -> ExitCode {
    match measured(&Flags::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table; returns whether every feature passes.
fn measured(flags: &Flags) -> Result<bool, Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let dir = root.path().join("project");
    fs::create_dir(&dir)?;
    let program = std::env::current_exe()?.with_file_name("cogwork");
    let features: Vec<_> = (1..=flags.sessions)
        .map(|number| json!({"name": format!("file {number}"), "checks": [format!("test -e f{number}")]}))
        .collect();
    fs::write(root.path().join("features.json"), json!({ "features": features }).to_string())?;
    let git = "git init -q -b main && git -c user.name=T -c user.email=t@localhost commit -q --allow-empty -m first";
    shell(&dir, root.path(), git)?;
    shell(&dir, root.path(), &format!("{} import ../features.json", program.display()))?;

    let model = Model::start(&script())?;
    let start = Instant::now();
    let mut run = Command::new(&program)
        .args(["run", "--agent", "claude", "--concurrency", &flags.sessions.to_string(), "--program"])
        .arg(&flags.claude)
        .current_dir(&dir)
        .env("HOME", root.path())
        .env("ANTHROPIC_BASE_URL", model.url())
        .env("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy")
        .env_remove("PROJECT_DIR")
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let mut taken = BTreeMap::new();
    let mut at_once = 0;
    let status = loop {
        if let Some(status) = run.try_wait()? {
            break status;
        }
        at_once = at_once.max(look(i32::try_from(run.id())?, &mut taken));
        std::thread::sleep(Duration::from_millis(200));
    };
    print(flags.sessions, at_once, start.elapsed(), &taken);
    Ok(status.success())
}

/// What each session's model does: a few seconds of work, as the sessions of real models begin.
fn script() -> serde_json::Value {
    let number = r"{{first:Feature (\d+):}}";
    let call = |tool: &str| json!({"tool": {"name": format!("*{tool}"), "input": {"feature_id": number}}});
    json!({"turns": [
        call("feature_get_by_id"), {"shell": "ls -la && sleep 3"}, {"shell": "git log --oneline && sleep 3"},
        {"shell": format!("echo done > f{number} && git add . && git commit -q -m 'Make f{number}'")},
        call("feature_mark_passing"), {"text": "The feature passes."},
    ]})
}

fn shell(dir: &Path, home: &Path, command: &str) -> Result<(), Box<dyn std::error::Error>> {
    let output = Command::new("sh").args(["-c", command]).current_dir(dir).env("HOME", home).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into())
}

/// Looks at every process below the run; returns how many agents there are at this moment.
fn look(run: i32, taken: &mut BTreeMap<i32, Taken>) -> usize {
    let mut agents = 0;
    for pid in contain::descendants(run) {
        let Some(part) = part(run, pid) else { continue };
        agents += usize::from(part == Part::Agent);
        let known = taken.entry(pid).or_default();
        known.part = part;
        known.resident_kib = known.resident_kib.max(field(pid, "status", "VmRSS:"));
        known.proportional_kib = known.proportional_kib.max(field(pid, "smaps_rollup", "Pss:"));
        // What a runner waited for at its end is the agent's.
        let fields = if part == Part::Agent { 4 } else { 2 };
        known.cpu_ticks = known.cpu_ticks.max(cpu_ticks(pid, fields));
    }
    agents
}

/// A warden is a child of the run, a runner one of its warden, an agent one of its runner.
fn part(run: i32, pid: i32) -> Option<Part> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let is_runner = line.split(|byte| *byte == 0).any(|word| word == b"session");
    let is_agent =
        line.windows(6).any(|word| word == b"claude") && line.windows(11).any(|word| word == b"stream-json");
    let parent = stat(pid)?.get(1)?.parse::<i32>().ok()?;
    match (is_runner, is_agent) {
        (true, _) if parent == run => Some(Part::Warden),
        (true, _) => Some(Part::Runner),
        (false, true) => Some(Part::Agent),
        (false, false) => None,
    }
}

fn field(pid: i32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The fields of `/proc/PID/stat` behind the name.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// User and system time of a process; with four fields, of its children that have ended, too.
fn cpu_ticks(pid: i32, fields: usize) -> u64 {
    let all = stat(pid).unwrap_or_default();
    all.iter().skip(11).take(fields).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn print(sessions: usize, at_once: usize, elapsed: Duration, taken: &BTreeMap<i32, Taken>) {
    println!("{sessions} sessions, {at_once} agents at once, {:.1} s in all\n", elapsed.as_secs_f64());
    println!("| | processes | resident, median and largest | proportional, median | CPU, all together |");
    println!("| --- | --- | --- | --- | --- |");
    for (part, name) in [(Part::Runner, "runner"), (Part::Warden, "warden"), (Part::Agent, "Claude Code")] {
        let of: Vec<&Taken> = taken.values().filter(|taken| taken.part == part).collect();
        let sorted = |value: fn(&Taken) -> u64| {
            let mut values: Vec<u64> = of.iter().map(|taken| value(taken)).collect();
            values.sort_unstable();
            values
        };
        let (resident, shared, cpu) = (
            sorted(|taken| taken.resident_kib),
            sorted(|taken| taken.proportional_kib),
            sorted(|taken| taken.cpu_ticks),
        );
        let middle = |values: &[u64]| values.get(values.len() / 2).copied().unwrap_or(0);
        println!(
            "| {name} | {} | {:.1} and {:.1} MB | {:.1} MB | {:.2} s |",
            of.len(),
            mb(middle(&resident)),
            mb(resident.last().copied().unwrap_or(0)),
            mb(middle(&shared)),
            // A tick is 10 ms on every Linux that Cogwork runs on.
            cpu.iter().sum::<u64>() as f64 / 100.0,
        );
    }
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1_024.0 / 1e6
}
