//! A run as `cogwork run` makes it, but with a lease of a second or so: what comes of a process that gives no sign of
//! life can be seen within a test.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cogwork_conductor::ports::{Offered, Readers};
use cogwork_conductor::{Plan, Progress, RunLock, Scope, Signals};
use cogwork_schemas::{AgentEvent, Entry, Isolation, SessionId};
use cogwork_session::clock;
use cogwork_session::{AgentSettings, AgentSpec, Programs, SessionLimits};
use cogwork_store::{AttemptLimits, Store};
use jiff::Timestamp;

#[derive(Debug, Parser)]
struct Flags {
    #[arg(long)]
    project_dir: PathBuf,
    /// The program `cogwork`, which sessions are started with.
    #[arg(long)]
    cogwork: PathBuf,
    #[arg(long)]
    agent: AgentSpec,
    #[arg(long)]
    lease_s: u32,
    #[arg(long, default_value_t = 3)]
    concurrency: usize,
}

/// Every entry as a line of JSON, every note as it is.
struct Lines;

impl Readers for Lines {
    fn offer(&mut self, entry: &Entry) -> Offered {
        let line = serde_json::to_string(entry).unwrap_or_default();
        if writeln!(io::stdout(), "{line}").is_ok() { Offered::Taken } else { Offered::Gone }
    }

    fn agent_event(&mut self, _: SessionId, _: &AgentEvent) {}

    fn note(&mut self, _: Timestamp, text: &str) {
        drop(writeln!(io::stdout(), "note: {text}"));
    }

    fn wants_progress(&self) -> bool {
        false
    }

    fn progress(&mut self, _: Progress) {}
}

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(exit) => exit,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let store = Store::open(&flags.project_dir, clock::source())?;
    let mut lock = RunLock::acquire(&flags.project_dir, clock::now())?;
    let plan = Plan {
        scope: Scope::default(),
        slots: flags.concurrency,
        batch: 1,
        yolo: false,
        agent: flags.agent,
        script: None,
        isolation: Isolation::Workspace,
        limits: AttemptLimits::default(),
        session_limits: SessionLimits { lease_s: flags.lease_s, ..SessionLimits::default() },
        settings: AgentSettings::default(),
        pass_env: Vec::new(),
    };
    let programs = Programs::within(flags.cogwork);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut lines = Lines;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let dir = &flags.project_dir;
        cogwork_conductor::run(dir, &store, &plan, programs, &mut lines, &mut lock, &mut signals).await
    })?;
    drop(writeln!(io::stdout(), "outcome: {outcome:?}"));
    Ok(ExitCode::SUCCESS)
}
