//! `cogwork status`: where the project stands, in a few lines.

use clap::Args;
use cogwork_conductor::Holder;
use cogwork_schemas::{FeatureId, SessionId};
use cogwork_store::Adoption;
use serde::Serialize;

use super::why::IdleSlot;
use super::{CliError, Exit, ProjectArg, print, print_json, question};
use crate::project::{Project, adopted};

/// Show where the project stands.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Standing {
    total: usize,
    passing: usize,
    running: usize,
    landing: usize,
    ready: usize,
    blocked: usize,
    given_up: usize,
    needs_human: usize,
    /// The run that holds the project now.
    run: Option<Holder>,
    sessions: Vec<SessionLine>,
    /// Slots of that run which are free, and why they stay so.
    idle_slots: Vec<IdleSlot>,
    /// What was taken over from another program when the project began.
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted: Option<Adopted>,
}

#[derive(Debug, Serialize)]
struct Adopted {
    at: jiff::Timestamp,
    source: String,
    features: u32,
    left_out: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SessionLine {
    id: SessionId,
    agent: String,
    features: Vec<FeatureId>,
    since: jiff::Timestamp,
}

pub(crate) fn status(args: &StatusArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let graph = project.store.graph()?;
    let mut standing = Standing { run: super::why::holder(&project)?, ..Standing::default() };
    let counts = graph.counts();
    standing.total = counts.total();
    standing.ready = counts.ready;
    standing.landing = graph.iter().filter(|node| node.submitted).count();
    standing.running = counts.claimed.saturating_sub(standing.landing);
    standing.passing = counts.passing;
    standing.blocked = counts.blocked;
    standing.given_up = counts.parked;
    standing.needs_human = counts.needs_human;
    for session in project.store.live_sessions()? {
        let features = session.attempts.iter().map(|attempt| attempt.feature).collect();
        let (id, agent, since) = (session.id, session.agent, session.started_at);
        standing.sessions.push(SessionLine { id, agent, features, since });
    }
    standing.idle_slots = super::why::idle_slots(&project, standing.run.as_ref())?;
    let adoption = project.store.adoption()?;
    if args.json {
        standing.adopted = adoption.map(|Adoption { at, source, features, left_out }| Adopted {
            at,
            source,
            features,
            left_out,
        });
        print_json(&standing)?;
    } else {
        print(&text(&standing))?;
        if standing.needs_human > 0 {
            print(&question::open(&project.store.features()?, &project.dir))?;
        }
        if let Some(adoption) = adoption {
            print(&format!("{}\n", adopted(&adoption)))?;
        }
    }
    Ok(Exit::Ok)
}

fn text(standing: &Standing) -> String {
    let Standing { total, passing, running, landing, ready, blocked, given_up, needs_human, .. } = standing;
    let mut text = format!("{passing} of {total} features pass\n");
    let rest = [
        (running, "running"),
        (landing, "green, waiting to be integrated"),
        (ready, "ready"),
        (blocked, "blocked"),
        (given_up, "given up"),
        (needs_human, "waiting for a person"),
    ];
    for (count, word) in rest.into_iter().filter(|(count, _)| **count > 0) {
        text.push_str(&format!("  {count} {word}\n"));
    }
    match &standing.run {
        Some(holder @ Holder { process, since, .. }) => {
            text.push_str(&format!("a run is under way: process {}, since {since}\n", process.pid));
            text.push_str(&super::why::held_up(holder));
        }
        None => text.push_str("no run is under way\n"),
    }
    for session in &standing.sessions {
        let features = session.features.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "  {} works on {features} since {} ({})\n",
            session.id, session.since, session.agent
        ));
    }
    text.push_str(&super::why::idle(&standing.idle_slots));
    text
}
