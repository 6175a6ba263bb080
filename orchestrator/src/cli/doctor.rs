//! `cogwork doctor`: is everything there that a run needs?

mod repository;

use std::path::Path;

use clap::Args;
use cogwork_process::contain::{self, Machine, SandboxChoice, Wall};
use cogwork_process::git::Git;
use cogwork_session::Environment;
use cogwork_store::{Adoption, OutsideCopy, StateHome, Store, state_dir};
use serde::Serialize;

use super::run::block_on;
use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::terminal::clean;
use cogwork_conductor::RunLock;
use cogwork_session::chain;
use cogwork_session::clock;

/// Check that git, the agents and the project's database are there and sound.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    /// Nothing is wrong, something is not there.
    Note,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    health: Health,
    what: &'static str,
    detail: String,
}

impl Finding {
    fn new(health: Health, what: &'static str, detail: impl Into<String>) -> Self {
        Self { health, what, detail: detail.into() }
    }
}

/// The agents people have, by the name of their program, in the order in which `--agent auto` looks for them.
const AGENTS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, CliError> {
    let mut findings = vec![machine(), git()?, containment(), sandbox()?];
    findings.extend(agents());
    findings.extend(project(args)?);
    if args.json {
        print_json(&findings)?;
    } else {
        for Finding { health, what, detail } in &findings {
            let word = match health {
                Health::Good => "ok  ",
                Health::Note => "note",
                Health::Bad => "BAD ",
            };
            print(&format!("{word}  {what:<12} {detail}\n"))?;
        }
    }
    let sick = findings.iter().any(|finding| finding.health == Health::Bad);
    Ok(if sick { Exit::Error } else { Exit::Ok })
}

fn machine() -> Finding {
    let Machine { system, cores, memory_bytes, available_bytes } = Machine::look();
    let gib = |bytes: u64| format!("{}.{} GiB", bytes >> 30, ((bytes >> 20) & 1023) * 10 / 1024);
    let told = [
        system,
        cores.map(|cores| format!("{cores} cores")),
        memory_bytes.map(|bytes| format!("{} of memory", gib(bytes))),
        available_bytes.map(|bytes| format!("{} available", gib(bytes))),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    match told.is_empty() {
        true => Finding::new(Health::Note, "machine", "it tells nothing about itself"),
        false => Finding::new(Health::Good, "machine", told.join(", ")),
    }
}

fn git() -> Result<Finding, CliError> {
    Ok(match block_on(Git::version())? {
        Ok(version) => Finding::new(Health::Good, "git", version),
        Err(error) => Finding::new(Health::Bad, "git", format!("{}: install git", chain(&error))),
    })
}

fn containment() -> Finding {
    match contain::become_subreaper() {
        Ok(()) if cfg!(target_os = "linux") => {
            Finding::new(Health::Good, "containment", "what agents start ends with their session")
        }
        Ok(()) => Finding::new(
            Health::Note,
            "containment",
            "what loses its parent cannot be adopted on this system: it is found by its mark, at the next start at \
             the latest",
        ),
        Err(error) => {
            Finding::new(Health::Note, "containment", format!("the kernel refuses adoption: {error}"))
        }
    }
}

fn sandbox() -> Result<Finding, CliError> {
    let env = Environment::of_this_process().allowed(&[]);
    let tried = |choice| block_on(Wall::find(choice, &env));
    let chosen = match tried(SandboxChoice::Auto)? {
        Ok(Some(wall)) => wall,
        Ok(None) => return Ok(Finding::new(Health::Note, "sandbox", "none")),
        Err(error) => return Ok(Finding::new(Health::Note, "sandbox", chain(&error))),
    };
    let mut detail = format!("--sandbox auto takes {}", chosen.name());
    for choice in [SandboxChoice::Bubblewrap, SandboxChoice::Landlock] {
        match tried(choice)? {
            Ok(Some(wall)) if wall != chosen => detail.push_str(&format!("; {} works as well", wall.name())),
            Ok(_) => {}
            Err(error) => detail.push_str(&format!("; {}", error.reason)),
        }
    }
    Ok(Finding::new(Health::Good, "sandbox", detail))
}

fn agents() -> Vec<Finding> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut findings: Vec<_> = AGENTS
        .into_iter()
        .filter_map(|name| {
            let file = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())?;
            Some((name, file))
        })
        .enumerate()
        .map(|(index, (name, file))| {
            let chosen = if index == 0 { "; --agent auto takes it" } else { "" };
            Finding::new(Health::Good, name, format!("{}{chosen}", file.display()))
        })
        .collect();
    if findings.is_empty() {
        let detail = "no coding agent on PATH; `cogwork demo` needs none, exec:CMD takes any command";
        findings.push(Finding::new(Health::Note, "agents", detail));
    }
    findings
}

fn project(args: &DoctorArgs) -> Result<Vec<Finding>, CliError> {
    let dir = &args.project.dir;
    let mut findings = Vec::new();
    let home = Environment::of_this_process().state_home();
    match home.open_or_adopt(dir, clock::source()) {
        Ok((store, _)) => {
            findings.push(match store.file().check_integrity() {
                Ok(()) => Finding::new(Health::Good, "database", "sound"),
                Err(error) => Finding::new(Health::Bad, "database", chain(&error)),
            });
            findings.extend(copies(&store, &home));
            findings.extend(adoption(&store));
            findings.extend(block_on(repository::repository(dir, &store))?);
        }
        Err(error @ cogwork_store::StoreError::NoProject { .. }) => {
            findings.push(Finding::new(Health::Note, "project", chain(&error)));
            return Ok(findings);
        }
        Err(error) => {
            findings.push(Finding::new(Health::Bad, "database", chain(&error)));
            return Ok(findings);
        }
    }
    match RunLock::holder(dir) {
        Ok(Some(holder)) => {
            findings.push(Finding::new(
                Health::Note,
                "run",
                format!("process {} since {}", holder.process.pid, holder.since),
            ));
        }
        Ok(None) => findings.push(match left_over(dir) {
            0 => Finding::new(Health::Good, "run", "none under way"),
            n => Finding::new(
                Health::Note,
                "run",
                format!(
                    "none under way, but {n} processes of a killed one are alive: the next run ends them"
                ),
            ),
        }),
        Err(error) => findings.push(Finding::new(Health::Bad, "run", error.to_string())),
    }
    Ok(findings)
}

/// Says whether the database would survive the loss of the whole project directory.
fn copies(store: &Store, home: &StateHome) -> Option<Finding> {
    // A database that cannot answer has its finding already.
    let (health, detail) = match store.file().outside_copy(home).ok()? {
        OutsideCopy::Current(copy) => {
            (Health::Good, format!("outside the project as well: {}", copy.display()))
        }
        OutsideCopy::Behind(None) => {
            (Health::Note, "there is no copy outside the project yet: the next run makes one".to_owned())
        }
        OutsideCopy::Behind(Some(copy)) => (
            Health::Note,
            format!(
                "the one outside the project is an older one, {}: the next run makes a newer",
                copy.display()
            ),
        ),
        OutsideCopy::Impossible(why) => {
            (Health::Note, format!("there is no copy outside the project: {why}"))
        }
    };
    Some(Finding::new(health, "copies", detail))
}

/// Says where the project came from, and everything of it that has no place here.
fn adoption(store: &Store) -> Option<Finding> {
    // A database that cannot answer has its finding already.
    let Adoption { source, features, left_out, .. } = store.adoption().ok().flatten()?;
    let (health, rest) = match left_out.is_empty() {
        true => (Health::Good, "nothing was left out".to_owned()),
        false => (Health::Note, format!("left out: {}", clean(&left_out.join("; ")))),
    };
    Some(Finding::new(health, "taken over", format!("{features} features of {}; {rest}", clean(&source))))
}

/// Returns how many processes of sessions are alive whose run is not.
fn left_over(dir: &Path) -> usize {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    contain::marked(&state_dir(&dir).to_string_lossy()).len()
}
