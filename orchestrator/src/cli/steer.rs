//! `cogwork pause`, `resume`, `drain`, `stop` and `slots`: what a second terminal asks of a run.

use clap::Args;
use cogwork_conductor::{AskError, MAX_SLOTS, RunLock, ask};
use cogwork_schemas::{Asker, Command, CommandReply, FeatureId, SessionId};
use cogwork_session::clock;

use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;

/// What every one of these commands takes.
#[derive(Debug, Args)]
pub(crate) struct SteerArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Stop a run, or one of its sessions.
///
/// Without an argument all sessions are stopped and the run ends. A session that is stopped gives its feature back, which
/// costs no attempt; the run does not start that feature again before `cogwork resume`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// A feature that is being worked on, such as 7, or a session, such as s12.
    #[arg(value_name = "ID|sN", value_parser = parse_target)]
    what: Option<Target>,
    #[command(flatten)]
    how: SteerArgs,
}

/// Run at most so many sessions at once from now on.
///
/// None is stopped because of it; the next run has as many as its own settings say.
#[derive(Debug, Args)]
pub(crate) struct SlotsArgs {
    /// How many.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    slots: u32,
    #[command(flatten)]
    how: SteerArgs,
}

/// What is to be stopped.
#[derive(Debug, Clone, Copy)]
enum Target {
    Feature(FeatureId),
    Session(SessionId),
}

fn parse_target(word: &str) -> Result<Target, String> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
    let session = word.strip_prefix('s').and_then(number).map(|id| Target::Session(SessionId(id)));
    let feature = || number(word.strip_prefix('#').unwrap_or(word)).map(|id| Target::Feature(FeatureId(id)));
    session
        .or_else(feature)
        .ok_or_else(|| "this is neither a feature, such as 7, nor a session, such as s12".into())
}

pub(crate) fn steer(args: &SteerArgs, command: Command) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let reply = match ask(&project.dir, command) {
        Err(AskError::NoRun { .. }) if command == Command::Resume && project.store.pause()?.is_some() => {
            end_pause(&project)?
        }
        reply => reply?,
    };
    match reply {
        reply @ CommandReply::Done { .. } if args.json => print_json(&reply)?,
        CommandReply::Done { text } => print(&format!("{text}\n"))?,
        CommandReply::Refused { reason } => return Err(CliError::new(reason)),
    }
    Ok(Exit::Ok)
}

/// Ends the pause that an earlier run has left, where there is no run that could.
fn end_pause(project: &Project) -> Result<CommandReply, CliError> {
    let _lock = RunLock::acquire(&project.dir, clock::now())?;
    let by = Asker::Process { pid: i32::try_from(std::process::id()).unwrap_or(0) };
    project.store.record_command(None, Command::Resume, &by)?;
    Ok(CommandReply::Done { text: "no run is under way; the next one starts sessions at once".to_owned() })
}

pub(crate) fn stop(args: &StopArgs) -> Result<Exit, CliError> {
    let command = match args.what {
        None => Command::Stop,
        Some(Target::Feature(feature)) => Command::StopFeature { feature },
        Some(Target::Session(session)) => Command::StopSession { session },
    };
    steer(&args.how, command)
}

pub(crate) fn slots(args: &SlotsArgs) -> Result<Exit, CliError> {
    steer(&args.how, Command::Slots { slots: args.slots })
}
