//! `cogwork mcp install` and `uninstall`: this server in the settings of the programs in which agents live.
//!
//! Without one of these words `cogwork mcp` is the server itself. Nothing is written that was not shown, and nothing
//! but our own entry changes; `edit` and `file` hold that. No client is started.

mod change;
mod client;
mod diff;
mod edit;
mod file;
mod record;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser};
use cogwork_schemas::Role;
use serde::Serialize;

use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::terminal::clean;
use change::{Change, Deed, Job};
use client::{Client, Launch, Scope, Surroundings};

/// What `cogwork mcp --help` says after the help of the server.
pub(super) const ALSO: &str = "
Also:
  cogwork mcp install --client claude|codex|gemini|opencode|cursor|all    registers it there
  cogwork mcp uninstall --client …                                        takes that back
";

/// A call that may run a feature's checks takes as long as they do; an hour is long for a test suite, and short
/// enough that a hanging client is noticed on the same day.
const TOOL_TIMEOUT_S: u32 = 3_600;

/// Tool names become `mcp__NAME__feature_request_human_input`, and some models take 64 characters.
const LONGEST_NAME: usize = 30;

/// Names that Claude Code keeps for itself.
const RESERVED_NAMES: [&str; 2] = ["workspace", "claude-in-chrome"];

#[derive(Debug, Parser)]
#[command(name = "cogwork mcp", version, max_term_width = 100)]
enum Command {
    Install(InstallArgs),
    Uninstall(UninstallArgs),
}

/// Register this MCP server with a client.
///
/// Shows what would change and asks. Everything else in the file stays as it is, and `cogwork mcp uninstall` puts the
/// file back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cogwork mcp install --client claude                  for this project, in .mcp.json
  cogwork mcp install --client codex --scope user      for all projects, in ~/.codex/config.toml
  cogwork mcp install --client all --dry-run           what it would do for every client found here")]
struct InstallArgs {
    #[command(flatten)]
    target: Target,
    /// What sessions are for; fixes which tools they get [default: all tools]
    #[arg(long, value_parser = role_parser())]
    role: Option<Role>,
    /// How long the client waits for a call: at least as long as all checks of one feature take
    #[arg(long, value_name = "SECONDS", default_value_t = TOOL_TIMEOUT_S,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    tool_timeout: u32,
    /// Take the installation back, as `cogwork mcp uninstall` does
    #[arg(long)]
    undo: bool,
}

/// Take this MCP server out of a client's settings.
///
/// A file that nobody changed since the installation becomes what it was before, byte for byte; from any other only
/// our entry is removed.
#[derive(Debug, Args)]
struct UninstallArgs {
    #[command(flatten)]
    target: Target,
}

/// Which files, and how careful to be.
#[derive(Debug, Args)]
struct Target {
    /// The client; several with commas, or `all` that are found here
    #[arg(long, required = true, value_delimiter = ',', value_parser = client_parser())]
    client: Vec<Wanted>,
    /// Whose settings
    #[arg(long, value_enum, default_value_t = Scope::Project)]
    scope: Scope,
    #[command(flatten)]
    project: ProjectArg,
    /// What the server is called there
    #[arg(long, default_value = "cogwork", value_parser = server_name)]
    name: String,
    /// Replace or remove a server of that name even if it is another one
    #[arg(long)]
    force: bool,
    /// Show what would change and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
    /// Print JSON; asks nothing, so it needs --yes or --dry-run
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    One(Client),
    All,
}

fn client_parser() -> impl TypedValueParser<Value = Wanted> {
    PossibleValuesParser::new(Client::ALL.map(Client::word).into_iter().chain(["all"])).map(|word| {
        Client::ALL.into_iter().find(|client| client.word() == word).map_or(Wanted::All, Wanted::One)
    })
}

fn role_parser() -> impl TypedValueParser<Value = Role> {
    const ROLES: [Role; 6] =
        [Role::Initializer, Role::Coding, Role::Testing, Role::Chat, Role::Orchestrator, Role::All];
    PossibleValuesParser::new(ROLES.map(Role::word))
        .map(|word| ROLES.into_iter().find(|role| role.word() == word).unwrap_or(Role::All))
}

fn server_name(name: &str) -> Result<String, String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.is_empty() || name.len() > LONGEST_NAME || !is_plain {
        return Err(format!("use 1 to {LONGEST_NAME} letters, digits, `-` or `_`"));
    }
    if RESERVED_NAMES.contains(&name) {
        return Err("Claude Code keeps this name for itself".to_owned());
    }
    Ok(name.to_owned())
}

/// Returns whether these words after `cogwork mcp` are for us and not for the server.
pub(super) fn is_meant(word: Option<&OsString>) -> bool {
    word.is_some_and(|word| word == "install" || word == "uninstall")
}

/// Runs `cogwork mcp install …` or `cogwork mcp uninstall …`.
pub(super) fn run(args: impl Iterator<Item = OsString>) -> Result<Exit, CliError> {
    let (target, role, tool_timeout_s, undo) = match Command::parse_from(args) {
        Command::Install(args) => (args.target, args.role, args.tool_timeout, args.undo),
        Command::Uninstall(args) => (args.target, None, TOOL_TIMEOUT_S, true),
    };
    let user = surroundings()?;
    let project = directory(&target.project.dir)?;
    let launch = Launch {
        program: text(&own_program(&user)?)?,
        project: (target.scope == Scope::Project).then(|| text(&project)).transpose()?,
        role: role.filter(|role| *role != Role::All),
        tool_timeout_s,
    };
    let clients = chosen(&target.client, undo, &user)?;
    let job =
        Job { scope: target.scope, project, user, name: target.name.clone(), launch, force: target.force };
    // All is planned before anything is written: what is refused for one client changes nothing for another.
    let plan = |client| if undo { job.uninstall(client) } else { job.install(client) };
    let changes: Vec<Change> = clients.into_iter().map(plan).collect::<Result<_, _>>()?;
    perform(&target, &changes)
}

fn perform(target: &Target, changes: &[Change]) -> Result<Exit, CliError> {
    let due = changes.iter().filter(|change| change.deed.writes()).count();
    if !target.json {
        for change in changes.iter().filter(|change| change.deed.writes()) {
            print(&shown(&change.diff()))?;
        }
    }
    if !target.dry_run && !target.yes && due > 0 {
        if target.json {
            return Err(CliError::new("--json asks nothing: add --yes to write, or --dry-run to look")
                .exit(Exit::Usage));
        }
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Err(CliError::new("nothing was changed: there is no terminal to ask on")
                .hint("run it again with --yes to write this"));
        }
        if !agreed(due)? {
            print("nothing was changed\n")?;
            return Ok(Exit::Ok);
        }
    }
    let mut answers = Vec::with_capacity(changes.len());
    for change in changes {
        let written = change.deed.writes() && !target.dry_run;
        if written {
            change.apply()?;
        }
        let answer = Answer::of(change, written);
        if !target.json {
            print(&answer.text(change, target))?;
        }
        answers.push(answer);
    }
    if target.json {
        print_json(&answers)?;
    }
    Ok(Exit::Ok)
}

/// What became of one file.
#[derive(Debug, Serialize)]
struct Answer {
    client: Client,
    scope: Scope,
    file: PathBuf,
    name: String,
    deed: Deed,
    /// False when there was nothing to do, and after --dry-run.
    written: bool,
    diff: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

impl Answer {
    fn of(change: &Change, written: bool) -> Self {
        Self {
            client: change.client,
            scope: change.scope,
            file: change.file.path.clone(),
            name: change.name.clone(),
            deed: change.deed,
            written,
            diff: change.diff(),
            next: change.deed.installs().then(|| change.client.next(change.scope)),
        }
    }

    fn text(&self, change: &Change, target: &Target) -> String {
        let (file, name, title) = (clean(&self.file.to_string_lossy()), &self.name, self.client.title());
        let would = if self.deed.writes() && !self.written { "would be " } else { "" };
        let mut text = match self.deed {
            Deed::Create => format!("{title}: {file} {would}made, with the server `{name}`\n"),
            Deed::Add => format!("{title}: the server `{name}` {would}added to {file}\n"),
            Deed::Update => format!("{title}: the server `{name}` {would}updated in {file}\n"),
            Deed::Unchanged => {
                format!("{title}: the server `{name}` stands in {file} already; nothing to change\n")
            }
            Deed::Restore if change.removes_file() => {
                format!("{title}: {file} {would}removed, there was none before the installation\n")
            }
            Deed::Restore => format!("{title}: {file} {would}put back as it was before the installation\n"),
            Deed::Remove => format!(
                "{title}: the server `{name}` {would}removed from {file}; the file is not as the \
                 installation left it, so all else stays as it is\n"
            ),
            Deed::Absent => format!("{title}: there is no server `{name}` in {file}; nothing to change\n"),
        };
        if let (true, Some(next)) = (self.written, self.next) {
            let scope = if target.scope == Scope::User { " --scope user" } else { "" };
            let named = if name == "cogwork" { String::new() } else { format!(" --name {name}") };
            text.push_str(&format!(
                "  next: {next}\n  undo: cogwork mcp uninstall --client {}{scope}{named}\n",
                change.client.word()
            ));
        }
        text
    }
}

fn agreed(due: usize) -> Result<bool, CliError> {
    let files = if due == 1 { "this file".to_owned() } else { format!("these {due} files") };
    print(&format!("Write {files}? [y/N] "))?;
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A diff holds what stands in a file of somebody else's: only its line ends may reach the terminal.
fn shown(diff: &str) -> String {
    diff.lines().map(|line| clean(line.trim_end_matches('\r')) + "\n").collect()
}

/// Returns the clients to work on. For `all`, an installation needs a trace of the client; taking back looks
/// everywhere.
fn chosen(wanted: &[Wanted], undo: bool, user: &Surroundings) -> Result<Vec<Client>, CliError> {
    let all = wanted.contains(&Wanted::All);
    let is_chosen =
        |client: &Client| wanted.contains(&Wanted::One(*client)) || (all && (undo || client.is_here(user)));
    let clients: Vec<Client> = Client::ALL.into_iter().filter(is_chosen).collect();
    if clients.is_empty() {
        let words = Client::ALL.map(Client::word).join(", ");
        return Err(CliError::new(format!("none of {words} was found here")).hint("name one with --client"));
    }
    Ok(clients)
}

fn surroundings() -> Result<Surroundings, CliError> {
    let home = std::env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| {
        CliError::new("this user has no home directory").hint("set HOME to where the settings are")
    })?;
    let dir = |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Surroundings {
        home,
        claude_config_dir: dir("CLAUDE_CONFIG_DIR"),
        codex_home: dir("CODEX_HOME"),
        gemini_home: dir("GEMINI_CLI_HOME"),
        xdg_config_home: dir("XDG_CONFIG_HOME"),
        path: std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
    })
}

/// Returns this program as the user calls it: a link on PATH outlives an update, what it leads to may not.
fn own_program(user: &Surroundings) -> Result<PathBuf, CliError> {
    let own = std::env::current_exe()
        .map_err(|error| CliError::new(format!("the path of this program is not known: {error}")))?;
    let Some(name) = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .and_then(|first| first.file_name().map(ToOwned::to_owned))
    else {
        return Ok(own);
    };
    let real = own.canonicalize().ok();
    let is_this = |file: &PathBuf| file.is_absolute() && file.canonicalize().ok() == real && real.is_some();
    Ok(user.path.iter().map(|dir| dir.join(&name)).find(is_this).unwrap_or(own))
}

fn directory(dir: &Path) -> Result<PathBuf, CliError> {
    match dir.canonicalize() {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) | Err(_) => {
            Err(CliError::new(format!("there is no directory {}", dir.display())).hint("check --project-dir"))
        }
    }
}

/// Settings are text, so a path in them has to be.
fn text(path: &Path) -> Result<String, CliError> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        CliError::new(format!(
            "{} is not text in UTF-8, and settings files can hold no other",
            path.display()
        ))
    })
}
