//! `cogwork agent`, which is the program `cogwork-runner`: a session for a run, and a single agent for a person.
//!
//! Five programs behind one [`main`]: alone, a run with one session in the project's own directory; as `session`, exactly
//! one session of one feature for a run; as `play`, the built-in scripted agent; as `logs`, the reader of what a session
//! has written down; as `hook`, the judge of an agent's commands. All but the first are the crate `session`.

mod lone;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};
use cogwork_process::contain;
use cogwork_process::redact::Redactor;
use cogwork_schemas::Token;
use tracing_subscriber::EnvFilter;

use cogwork_session::hook::{self, HookFlags};
use cogwork_session::logs::{self, LogsCommand};
use cogwork_session::play::{self, PlayFlags};
use cogwork_session::{Environment, ExitStatus, Programs, SessionFlags, chain, environment, failed, one};

use crate::cli::{block_on, report};
use lone::LoneFlags;

enum Command {
    Lone(LoneFlags),
    Session(SessionFlags),
    Play(PlayFlags),
    Logs(LogsCommand),
    Hook(HookFlags),
}

/// Runs what the arguments ask for.
pub(crate) fn main(programs: &Programs, args: impl Iterator<Item = OsString>) -> ExitCode {
    let own = Environment::of_this_process();
    let command = match parse(args) {
        Ok(command) => command,
        Err(error) => return usage(&error),
    };
    start_log(&own);
    match command {
        // Nothing to wait for, and many of them.
        Command::Hook(flags) => hook::main(flags, &own),
        Command::Lone(flags) => lone::main(&flags, programs),
        Command::Session(flags) => {
            if let Err(error) = contain::under_warden() {
                tracing::warn!("nobody clears up if this process is killed: {error}");
            }
            waited_for(session(flags, &own, programs))
        }
        // The scripted agent is an agent: it has a runner above it.
        Command::Play(flags) => waited_for(play::main(&flags, &own)),
        Command::Logs(command) => waited_for(async {
            match logs::logs(&command.project_dir, &command.flags).await {
                Ok(status) => status.into(),
                Err(error) => failed(&chain(&error)).into(),
            }
        }),
    }
}

async fn session(flags: SessionFlags, own: &Environment, programs: &Programs) -> ExitCode {
    match own.get(environment::TOKEN) {
        Some(token) => {
            let token = Token::new(token.to_string_lossy());
            one::main(flags.with_token(token), own, programs).await.into()
        }
        None => failed("COGWORK_TOKEN is not set: a session is started by `cogwork run`").into(),
    }
}

/// Waits on this thread, which every started program is tied to.
fn waited_for(program: impl Future<Output = ExitCode>) -> ExitCode {
    match block_on(program) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

/// The word after the program's name decides; without one of ours it is the lone agent, whose help is the help.
fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, clap::Error> {
    let words: Vec<OsString> = args.collect();
    match words.get(1).and_then(|word| word.to_str()) {
        Some("session") => SessionFlags::try_parse_from(&words[1..]).map(Command::Session),
        Some("logs") => LogsCommand::try_parse_from(&words[1..]).map(Command::Logs),
        Some("hook") => HookFlags::try_parse_from(&words[1..]).map(Command::Hook),
        Some("play") => PlayFlags::try_parse_from(&words[1..]).map(Command::Play),
        Some(_) | None => {
            let name = own_name(&words);
            let flags = LoneFlags::command().bin_name(name.clone());
            let mut flags = flags.try_get_matches_from(words)?;
            LoneFlags::from_arg_matches_mut(&mut flags).map(|flags| Command::Lone(flags.called(name)))
        }
    }
}

/// Returns what this program is called, without the directory it lies in.
fn own_name(words: &[OsString]) -> String {
    let name = words.first().and_then(|word| Path::new(word).file_name());
    name.map_or_else(|| "cogwork-runner".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn usage(error: &clap::Error) -> ExitCode {
    // Where neither help nor complaint can be printed, the exit code has to do.
    error.print().ok();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        ExitStatus::Done.into()
    } else {
        ExitStatus::Usage.into()
    }
}

/// stdout belongs to the protocol or to the person; the log goes to stderr.
fn start_log(own: &Environment) {
    let wanted = own.get(environment::LOG).and_then(|value| value.to_str());
    let secrets = Arc::new(Redactor::of_variables(own.all()));
    let filter = EnvFilter::try_new(wanted.unwrap_or("warn")).unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || CleanStderr(secrets.clone()))
        .with_target(false)
        // Told on stderr by a macro that panics where stderr is closed, which is mostly why it could not be written.
        .log_internal_errors(false)
        .with_ansi(false);
    // A second log in one process, as tests may have it, changes nothing.
    log.try_init().ok();
}

/// stderr, to which no secret gets.
struct CleanStderr(Arc<Redactor>);

impl Write for CleanStderr {
    /// The log writes a line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = self.0.redact(String::from_utf8_lossy(line).into_owned());
        io::stderr().write_all(clean.as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
