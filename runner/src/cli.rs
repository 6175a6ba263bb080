//! The command line: which of the four programs is meant, its flags, its log, its runtime.

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

use crate::standalone::{self, StandaloneFlags};

enum Command {
    Standalone(StandaloneFlags),
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
    // Nothing to wait for, and many of them.
    let command = match command {
        Command::Hook(flags) => return hook::main(flags, &own),
        command @ (Command::Standalone(_) | Command::Session(_) | Command::Play(_) | Command::Logs(_)) => {
            command
        }
    };
    // The scripted agent is an agent: it has a runner above it. The reader of journals starts nothing.
    if !matches!(command, Command::Play(_) | Command::Logs(_))
        && let Err(error) = contain::under_warden()
    {
        tracing::warn!("nobody clears up if this process is killed: {error}");
    }
    // One thread: programs must be started on a thread that lives as long as this process, and there is little to do.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("this process cannot wait for anything: {error}")).into(),
    };
    runtime.block_on(async {
        match command {
            Command::Standalone(flags) => standalone::main(flags, &own, programs).await.into(),
            Command::Session(flags) => match own.get(environment::TOKEN) {
                Some(token) => {
                    let token = Token::new(token.to_string_lossy());
                    one::main(flags.with_token(token), &own, programs).await.into()
                }
                None => failed("COGWORK_TOKEN is not set: a session is started by `cogwork run`").into(),
            },
            Command::Play(flags) => play::main(&flags, &own).await,
            Command::Logs(command) => match logs::logs(&command.project_dir, &command.flags).await {
                Ok(status) => status.into(),
                Err(error) => failed(&chain(&error)).into(),
            },
            Command::Hook(flags) => hook::main(flags, &own),
        }
    })
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
            let flags = StandaloneFlags::command().bin_name(own_name(&words));
            let mut flags = flags.try_get_matches_from(words)?;
            StandaloneFlags::from_arg_matches_mut(&mut flags).map(Command::Standalone)
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
