//! The command line: one file per subcommand, errors as sentences, exit codes in one enum.

mod answer;
mod delete;
mod demo;
mod depend;
mod doctor;
mod error;
mod exit;
mod export;
mod import;
mod kept;
mod list;
mod logs;
mod mcp;
pub(crate) mod plan;
mod prompt;
mod question;
mod restore;
mod retry;
pub(crate) mod run;
mod show;
mod status;
mod steer;
mod verify;
mod why;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cogwork_schemas::Command as Asked;
use serde::Serialize;

pub(crate) use error::CliError;
pub(crate) use exit::Exit;
pub(crate) use run::block_on;

use crate::agent;

/// Drives coding agents through a graph of features until every one of them provably passes.
#[derive(Debug, Parser)]
#[command(name = "cogwork", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  cogwork demo                                    see a whole run, without any agent or key
  cogwork plan --project-dir .                    turn app_spec.md, any prose, into features
  cogwork import features.json --project-dir .    or give a project its features yourself
  cogwork run --project-dir . --agent exec:CMD    work until every feature passes

Exit codes: 0 done, 1 error, 2 usage, 3 done but some features were given up, 4 blocked,
5 stopped, 6 a check is red, 7 another run holds the project, 8 at the usage limit.";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    /// Start no session until `cogwork resume`; what runs and what lands goes on.
    Pause(steer::SteerArgs),
    /// Start sessions again after a pause, a drain, or the stop of a session.
    Resume(steer::SteerArgs),
    /// Finish what runs, start nothing more, and end the run.
    Drain(steer::SteerArgs),
    Stop(steer::StopArgs),
    Slots(steer::SlotsArgs),
    Plan(plan::PlanArgs),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Status(status::StatusArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Why(why::WhyArgs),
    Logs(logs::LogsArgs),
    Kept(kept::KeptArgs),
    Prompt(prompt::PromptArgs),
    Answer(answer::AnswerArgs),
    Retry(retry::RetryArgs),
    Depend(depend::DependArgs),
    Delete(delete::DeleteArgs),
    Verify(verify::VerifyArgs),
    Restore(restore::RestoreArgs),
    Doctor(doctor::DoctorArgs),
    /// The MCP server over the feature database, the same as `cogwork-mcp`; `cogwork mcp install` registers it.
    #[command(disable_help_flag = true)]
    Mcp(Passed),
    /// The command policy, for the hooks of agents; see docs/policy.md.
    #[command(disable_help_flag = true)]
    Hook(Passed),
    /// One agent session, the same as `cogwork-runner`.
    #[command(disable_help_flag = true)]
    Agent(Passed),
}

/// Arguments that belong to another program.
#[derive(Debug, Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Where the project is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArg {
    /// The directory of the project.
    #[arg(long = "project-dir", value_name = "DIR", env = "PROJECT_DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// Runs the program with the process's own arguments and returns its exit code.
pub(crate) fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    // The two other programs parse their own arguments, so they are told apart before ours are parsed.
    match args.get(1).and_then(|word| word.to_str()) {
        Some("mcp") => return mcp(&mut args),
        Some("hook") => {
            // A word of the runner, which starts nothing for it.
            args[0] = "cogwork".into();
            return agent::main(&cogwork_session::Programs::within("cogwork"), args.into_iter());
        }
        Some("agent") => match crate::programs() {
            Ok(programs) => return agent::main(&programs, renamed(&mut args, "cogwork agent")),
            Err(error) => return report(&error),
        },
        Some(_) | None => {}
    }
    match dispatch(Cli::parse_from(args).command) {
        Ok(exit) => exit.into(),
        Err(error) => report(&error),
    }
}

/// Serves, or registers the server with a client.
fn mcp(args: &mut Vec<OsString>) -> ExitCode {
    if mcp::is_meant(args.get(2)) {
        let done = mcp::run(renamed(args, "cogwork mcp"));
        return done.map_or_else(|error| report(&error), ExitCode::from);
    }
    let is_help = args.iter().skip(2).any(|word| word == "--help" || word == "-h");
    let code = cogwork_mcp::main(renamed(args, "cogwork mcp"));
    if is_help && print(mcp::ALSO).is_err() {
        return Exit::Error.into();
    }
    code
}

/// Drops the first two arguments (`cogwork mcp`) in favour of one that says both.
fn renamed(args: &mut Vec<OsString>, name: &str) -> impl Iterator<Item = OsString> + use<> {
    let rest = args.split_off(2);
    std::iter::once(OsString::from(name)).chain(rest)
}

fn dispatch(command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Demo(args) => demo::demo(args),
        Command::Run(args) => run::run(&args),
        Command::Pause(args) => steer::steer(&args, Asked::Pause),
        Command::Resume(args) => steer::steer(&args, Asked::Resume),
        Command::Drain(args) => steer::steer(&args, Asked::Drain),
        Command::Stop(args) => steer::stop(&args),
        Command::Slots(args) => steer::slots(&args),
        Command::Plan(args) => plan::plan(&args, &run::Way::of_this_program(false)?),
        Command::Import(args) => import::import(&args),
        Command::Export(args) => export::export(&args),
        Command::Status(args) => status::status(&args),
        Command::List(args) => list::list(&args),
        Command::Show(args) => show::show(&args),
        Command::Why(args) => why::why(&args),
        Command::Logs(args) => logs::logs(&args),
        Command::Kept(args) => kept::kept(&args),
        Command::Prompt(args) => prompt::prompt(&args),
        Command::Answer(args) => answer::answer(&args),
        Command::Retry(args) => retry::retry(&args),
        Command::Depend(args) => depend::depend(&args),
        Command::Delete(args) => delete::delete(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Restore(args) => restore::restore(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Mcp(_) | Command::Agent(_) | Command::Hook(_) => {
            Err(CliError::new("`mcp`, `agent` and `hook` have to be the first word after `cogwork`")
                .exit(Exit::Usage))
        }
    }
}

/// Says what went wrong, and returns the exit code for it.
pub(crate) fn report(error: &CliError) -> ExitCode {
    // Where stderr is closed, the exit code has to do.
    drop(writeln!(std::io::stderr().lock(), "{error}"));
    error.exit.into()
}

/// Tells the person something beside the command's answer, which may be JSON for a program.
pub(crate) fn note(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "note: {text}"));
}

/// Writes a command's answer to stdout. A reader that went away (`cogwork list | head`) is not an error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Returns a value as one line of JSON.
pub(crate) fn one_line(value: &impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::new(error.to_string()))?;
    Ok(text + "\n")
}

/// Writes a command's answer to stdout as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::new(error.to_string()))?;
    print(&(text + "\n"))
}
