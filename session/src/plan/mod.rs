//! Planning: from a specification, any prose, to features with checks and dependencies.
//!
//! It runs an initializer session, which can do nothing but read and make features through the MCP server, looks at
//! what it made, and runs a second one with what is wrong. What counts is what the database holds, never what the agent
//! says. It takes no lock: whoever plans holds the project's already.

mod error;
mod lint;
mod spec;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cogwork_process::contain::{self, Sweep};
use cogwork_prompts::{EXISTING_TOLD, Existing, FILES_TOLD, Initializer, Prompt};
use cogwork_schemas::{Feature, FeatureId, Isolation, Role, SessionOutcome, Token};
use cogwork_store::{AttemptLimits, NewSession, OwnerQuestion, Ownership, Store, StoreError, ownership};

pub use error::PlanError;
pub use lint::{Finding, lint};
pub use spec::Spec;

use crate::clock::Clock;
use crate::driver::{self, Job, PatientStore, Task, World};
use crate::environment::marker;
use crate::inbox::Inbox;
use crate::journal::{Journal, session_dir};
use crate::outbox::Outbox;
use crate::report::{Form, Report};
use crate::text::printable;
use crate::{AgentSettings, AgentSpec, Confinement, Environment, Programs, SessionLimits, agent, brief};

/// How long a planning session may take unless told otherwise, in seconds.
pub const MAX_SESSION_S: u32 = 1800;

/// Findings that a second round is told; a plan with more of them is not repaired one by one.
const FINDINGS_TOLD: usize = 40;

/// How to plan.
#[derive(Debug, Clone)]
pub struct Planning<'a> {
    /// Absolute.
    pub project: &'a Path,
    pub spec: &'a Spec,
    /// As [`crate::preflight`] returned it.
    pub agent: &'a AgentSpec,
    pub script: Option<PathBuf>,
    pub limits: SessionLimits,
    pub settings: AgentSettings,
    pub pass_env: Vec<String>,
    /// Says nothing on stdout of what the agent does.
    pub quiet: bool,
}

/// A plan that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Features that are new.
    pub created: Vec<FeatureId>,
    /// Features that the project has now.
    pub total: usize,
    /// Sessions that it took.
    pub rounds: u32,
    /// What is still wrong with the new features.
    pub findings: Vec<Finding>,
}

/// Returns what an initializer is told. `findings` is what is wrong with a plan that is there already.
///
/// # Errors
/// The store's.
pub fn prompt(
    store: &Store,
    project: &Path,
    spec: &Spec,
    findings: &[Finding],
) -> Result<Prompt, StoreError> {
    let features = store.features()?;
    let mut files = brief::names(project);
    files.retain(|name| name != ".git/" && name != ".cogwork/" && *name != spec.name);
    let hints = brief::hints(project);
    files.truncate(FILES_TOLD);
    let findings = findings.iter().filter(|finding| finding.is_for_agent());
    let initializer = Initializer {
        spec: spec.text.clone(),
        spec_name: Some(spec.name.clone()),
        files,
        hints,
        existing_left_out: features.len().saturating_sub(EXISTING_TOLD),
        existing: features.iter().take(EXISTING_TOLD).map(existing).collect(),
        findings: findings.take(FINDINGS_TOLD).map(ToString::to_string).collect(),
    };
    Ok(Prompt::Initializer(Box::new(initializer)))
}

fn existing(feature: &Feature) -> Existing {
    let status = serde_json::to_value(feature.status).ok();
    Existing {
        id: feature.id.0,
        key: feature.key.clone(),
        name: feature.name.clone(),
        category: feature.category.clone(),
        status: status.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned(),
    }
}

/// Plans. Needs a running runtime of one thread, to which the agent's process is tied.
///
/// # Errors
/// [`PlanError`]; features that were made before that stay.
pub async fn plan(
    planning: &Planning<'_>,
    store: &Store,
    own: &Environment,
    programs: &Programs,
) -> Result<Planned, PlanError> {
    let mut inbox =
        Inbox::with_signals().map_err(|source| PlanError::Kernel { what: "hear signals", source })?;
    contain::become_subreaper().map_err(|source| PlanError::Kernel { what: "adopt orphans", source })?;
    let stdout: Box<dyn Write + Send> =
        if planning.quiet { Box::new(io::sink()) } else { Box::new(io::stdout()) };
    let outbox = Outbox::new(stdout, inbox.sender());
    let planned = match Confinement::find(&planning.settings, planning.project, own).await {
        Ok(confinement) => {
            let clock = Clock::start();
            let planner = Planner { planning, store, own, programs, confinement, clock, outbox: &outbox };
            planner.plan(&mut inbox).await
        }
        Err(error) => Err(error.into()),
    };
    outbox.close().await;
    planned
}

struct Planner<'a> {
    planning: &'a Planning<'a>,
    store: &'a Store,
    own: &'a Environment,
    programs: &'a Programs,
    confinement: Option<Confinement>,
    clock: Clock,
    outbox: &'a Outbox,
}

impl Planner<'_> {
    async fn plan(&self, inbox: &mut Inbox) -> Result<Planned, PlanError> {
        self.bury_the_dead().await?;
        let before = self.ids()?;
        self.round(&[], &before, inbox).await?;
        let (mut created, mut findings) = self.look(&before)?;
        let mut rounds = 1;
        let many = findings.iter().filter(|finding| finding.is_for_agent()).count();
        if many > 0 {
            rounds = 2;
            self.say(&format!(
                "{} features were made; a second round repairs {many} findings",
                created.len()
            ));
            match self.round(&findings, &before, inbox).await {
                // The plan stands; what is left of the findings is told.
                Err(PlanError::Unfinished { outcome, .. }) => {
                    self.say(&format!("the second round came to nothing: {outcome}"));
                }
                other => other?,
            }
            (created, findings) = self.look(&before)?;
        }
        let total = self.ids()?.len();
        if total == 0 {
            return Err(PlanError::Empty { spec: self.planning.spec.name.clone() });
        }
        Ok(Planned { created: created.into_iter().collect(), total, rounds, findings })
    }

    fn ids(&self) -> Result<BTreeSet<FeatureId>, StoreError> {
        Ok(self.store.features()?.iter().map(|feature| feature.id).collect())
    }

    /// Returns what is new since `before`, and what is wrong with it.
    fn look(&self, before: &BTreeSet<FeatureId>) -> Result<(BTreeSet<FeatureId>, Vec<Finding>), StoreError> {
        let features = self.store.features()?;
        let created: BTreeSet<FeatureId> =
            features.iter().map(|feature| feature.id).filter(|id| !before.contains(id)).collect();
        let findings = lint(&features, &created);
        Ok((created, findings))
    }

    /// Runs one session to its end.
    async fn round(
        &self,
        findings: &[Finding],
        before: &BTreeSet<FeatureId>,
        inbox: &mut Inbox,
    ) -> Result<(), PlanError> {
        let Planning { project, agent: spec, script, .. } = self.planning;
        let new = NewSession {
            node: Some(cogwork_process::contain::own_node()),
            ..NewSession::new(Role::Initializer, spec.to_string(), Isolation::Shared)
        };
        let prompt = prompt(self.store, project, self.planning.spec, findings)?;
        let backend = agent::backend(spec, script.as_deref(), self.programs)?;
        let session = self.store.begin_session(&new)?;
        let unusable = |source| PlanError::Unusable { path: session_dir(project, session), source };
        let journal = Journal::of_session(project, session).map_err(unusable)?;
        // It has no claim, and so no token; what is secret of its environment stays so.
        let secrets = self.own.secrets(&Token::new(""));
        let report = Report::new(session, Form::Sentences, self.outbox, journal, secrets);
        let job = Job {
            project: project.to_path_buf(),
            session,
            task: Task::Prompt(Box::new(prompt)),
            role: Role::Initializer,
            isolation: Isolation::Shared,
            base: None,
            batch: 1,
            yolo: false,
            attempts: AttemptLimits::default().attempts,
            limits: self.planning.limits.clone(),
            settings: self.planning.settings.clone(),
            agent: (*spec).clone(),
            pass_env: self.planning.pass_env.clone(),
            own: self.own,
            programs: self.programs,
        };
        let world = World {
            job: &job,
            store: PatientStore::new(self.store),
            clock: self.clock,
            report: &report,
            confinement: self.confinement.as_ref(),
        };
        let outcome = driver::run(world, backend, inbox).await?;
        if outcome == SessionOutcome::Completed {
            return Ok(());
        }
        Err(PlanError::Unfinished { outcome, created: self.look(before)?.0.len() })
    }

    /// Ends planning sessions whose process is gone, with what they left behind.
    async fn bury_the_dead(&self) -> Result<(), PlanError> {
        let lease = self.planning.limits.durations().lease;
        let question = OwnerQuestion { begins_run: true, ..self.store.owner_question(lease)? };
        for session in self.store.live_sessions()? {
            let is_dead = ownership(&session, &question, contain::presence) == Ownership::Dead;
            if session.role != Role::Initializer || !is_dead {
                continue;
            }
            let markers = vec![marker(self.planning.project, session.id)];
            contain::sweep(&Sweep { markers, ..Sweep::default() }).await;
            self.store.end_session(session.id, &SessionOutcome::Stopped, 0)?;
        }
        Ok(())
    }

    fn say(&self, sentence: &str) {
        self.outbox.say(printable(sentence));
    }
}
