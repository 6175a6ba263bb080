//! A single agent that works through the features of a project, one after the other, in the project's directory.
//!
//! It claims, runs a session, and lands what is green: the whole loop, without slots, workspaces or merges. It holds
//! the project's run lock, so that no orchestrator works beside it.

mod lock;
mod recover;

use std::io;
use std::path::PathBuf;

use clap::Parser;
use cogwork_process::contain;
use cogwork_process::git::Git;
use cogwork_schemas::{
    AttemptId, AttemptOutcome, CheckPhase, Feature, FeatureId, Isolation, Role, SessionId, SessionOutcome,
    Status, Token,
};
use cogwork_store::graph::{Cycle, Graph};
use cogwork_store::{AttemptLimits, Claim, Merge, NewSession, Store, StoreError};

use crate::cli::failed;
use crate::clock::{Clock, millis};
use crate::driver::{self, Ended, Job, Verdict, World, chain, first_red, is_stale};
use crate::inbox::Inbox;
use crate::journal::{self, Journal};
use crate::outbox::Outbox;
use crate::report::{Form, Report};
use crate::session::Event;
use crate::{
    AgentError, AgentSpec, Environment, ExitStatus, Programs, SessionLimits, agent, attempt_outcome,
};
use lock::{LockError, RunLock};

/// Let one agent work through the features of a project until they pass
///
/// Claims the next ready feature, starts the agent in the project's directory, runs the feature's checks itself, and
/// goes on until nothing is ready. For several agents at once, each in a workspace of its own, use `cogwork run`.
///
/// Exit codes: 0 nothing is left to do (or --max-iterations sessions were run), 1 the runner failed, 2 wrong usage,
/// 3 features are left that do not pass, 4 stopped.
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner", version)]
pub(crate) struct StandaloneFlags {
    /// The project's directory
    #[arg(long, value_name = "DIR", env = "PROJECT_DIR")]
    project_dir: PathBuf,
    /// What the sessions are for
    #[arg(long, default_value = "coding", value_parser = crate::command::role)]
    role: Role,
    /// Work on these features only, such as 1,2
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    features: Vec<FeatureId>,
    /// The agent: scripted, or exec:CMD for any command (prompt on stdin, MCP configuration in $COGWORK_MCP_CONFIG)
    #[arg(long, value_name = "AGENT", default_value = "auto")]
    agent: AgentSpec,
    /// What the scripted agent plays
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// End after so many sessions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_iterations: Option<u32>,
    #[command(flatten)]
    limits: SessionLimits,
    /// Let the agent see these variables of the environment, too
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pass_env: Vec<String>,
}

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
enum StandaloneError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cycle(#[from] Cycle),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("{} cannot be used: {source}", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this process cannot {what}: {source}")]
    Kernel {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{reason}")]
    NotStarted { reason: String },
}

/// Works until nothing is ready.
pub(crate) async fn main(flags: StandaloneFlags, own: &Environment, programs: &Programs) -> ExitStatus {
    match start(flags, own, programs).await {
        Ok(status) => status,
        Err(error) => failed(&chain(&error)),
    }
}

async fn start(
    mut flags: StandaloneFlags,
    own: &Environment,
    programs: &Programs,
) -> Result<ExitStatus, StandaloneError> {
    let kernel = |what| move |source| StandaloneError::Kernel { what, source };
    let unusable = |path: &PathBuf| {
        let path = path.clone();
        move |source| StandaloneError::Unusable { path, source }
    };
    flags.project_dir = std::path::absolute(&flags.project_dir).map_err(unusable(&flags.project_dir))?;
    if let Some(script) = &flags.script {
        flags.script = Some(std::path::absolute(script).map_err(unusable(script))?);
    }
    agent::preflight(&flags.agent, flags.script.as_deref(), own)?;
    let store = Store::open(&flags.project_dir)?;
    let clock = Clock::start();
    let _lock = RunLock::take(&flags.project_dir, clock.now())?;
    let mut inbox = Inbox::with_signals().map_err(kernel("hear signals"))?;
    contain::become_subreaper().map_err(kernel("adopt orphans"))?;
    let outbox = Outbox::new(io::stdout(), inbox.sender());
    let lone = Lone {
        flags: &flags,
        own,
        programs,
        store: &store,
        clock,
        outbox: &outbox,
    };
    let result = lone.work(&mut inbox).await;
    outbox.close().await;
    result
}

struct Lone<'a> {
    flags: &'a StandaloneFlags,
    own: &'a Environment,
    programs: &'a Programs,
    store: &'a Store,
    clock: Clock,
    outbox: &'a Outbox,
}

impl Lone<'_> {
    async fn work(&self, inbox: &mut Inbox) -> Result<ExitStatus, StandaloneError> {
        for id in &self.flags.features {
            self.store.feature(*id)?;
        }
        self.recover().await?;
        let mut sessions = 0;
        while self.flags.max_iterations.is_none_or(|most| sessions < most) {
            if inbox.waiting().is_some_and(|event| event != Event::Deadline) {
                return Ok(self.stopped());
            }
            let Some(claim) = self.claim_next()? else {
                return self.finished();
            };
            sessions += 1;
            if self.session(claim, inbox).await? == AttemptOutcome::Stopped {
                return Ok(self.stopped());
            }
        }
        self.say(format!(
            "stopped after {sessions} sessions, as asked for with --max-iterations"
        ));
        Ok(ExitStatus::Done)
    }

    fn claim_next(&self) -> Result<Option<(FeatureId, Claim)>, StandaloneError> {
        self.store.reap(self.clock.now(), &AttemptLimits::default())?;
        let new = NewSession {
            role: self.flags.role,
            agent: self.flags.agent.to_string(),
            isolation: Isolation::Shared,
        };
        let lease = self.flags.limits.durations().lease;
        for id in Graph::new(self.store.nodes()?)?.ready_in_order() {
            if !self.is_wanted(id) {
                continue;
            }
            match self.store.claim(self.clock.now(), id, &new, lease) {
                Ok(claim) => return Ok(Some((id, claim))),
                // Somebody was faster, through the MCP server perhaps; the next one will do.
                Err(StoreError::NotClaimable { .. } | StoreError::AlreadyClaimed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn is_wanted(&self, id: FeatureId) -> bool {
        self.flags.features.is_empty() || self.flags.features.contains(&id)
    }

    /// Runs one session and lands or ends its attempt; returns how that ended.
    async fn session(
        &self,
        (id, claim): (FeatureId, Claim),
        inbox: &mut Inbox,
    ) -> Result<AttemptOutcome, StandaloneError> {
        let feature = self.store.feature(id)?;
        self.say(format!(
            "{id} {} (attempt {}, session {})",
            feature.name, claim.number, claim.session
        ));
        let dir = driver::session_dir(&self.flags.project_dir, claim.session);
        std::fs::create_dir_all(&dir).map_err(|source| StandaloneError::Unusable {
            path: dir.clone(),
            source,
        })?;
        let journal = Journal::open(&dir.join("journal.ndjson"), journal::MAX_BYTES);
        let report = Report::new(
            claim.session,
            Form::Sentences,
            self.outbox,
            journal,
            claim.token.clone(),
        );
        let job = self.job(claim.session, claim.attempt, claim.token, feature);
        let world = World {
            job: &job,
            store: self.store,
            clock: self.clock,
            report: &report,
        };
        let backend = agent::backend(&self.flags.agent, self.flags.script.as_deref(), self.programs)?;
        let ended = driver::run(world, backend, inbox).await?;
        self.settle(world, &ended).await
    }

    fn job(&self, session: SessionId, attempt: AttemptId, token: Token, feature: Feature) -> Job<'_> {
        Job {
            project: self.flags.project_dir.clone(),
            session,
            attempt,
            token,
            feature,
            role: self.flags.role,
            isolation: Isolation::Shared,
            base: None,
            limits: self.flags.limits.clone(),
            pass_env: self.flags.pass_env.clone(),
            own: self.own,
            programs: self.programs,
        }
    }

    /// Lands what is green, ends what is not.
    async fn settle(&self, world: World<'_>, ended: &Ended) -> Result<AttemptOutcome, StandaloneError> {
        let outcome = match &ended.verdict {
            Some(Verdict::Green) => self.land(world, false).await?,
            Some(Verdict::SubmittedByAgent) => self.land(world, true).await?,
            Some(Verdict::NotSubmitted { reason }) => attempt_outcome(&ended.outcome, reason.as_deref()),
            None => attempt_outcome(&ended.outcome, None),
        };
        self.end(world, &outcome)?;
        if let SessionOutcome::NotStarted { reason } = &ended.outcome {
            // The next one would not start either.
            return Err(StandaloneError::NotStarted {
                reason: reason.clone(),
            });
        }
        Ok(outcome)
    }

    /// Makes a submitted feature pass. When the agent went on after it submitted, the checks have the last word.
    async fn land(&self, world: World<'_>, recheck: bool) -> Result<AttemptOutcome, StandaloneError> {
        let job = world.job;
        let began = self.clock.steady();
        let mut reports = Vec::new();
        if recheck {
            reports = driver::run_checks(world, &job.project, CheckPhase::Merged).await;
            if let Some(red) = first_red(&reports) {
                return Ok(AttemptOutcome::RedAfterMerge { reason: red });
            }
        }
        let check_ms = millis(began, self.clock.steady());
        let commit = self.head().await;
        let merge = Merge {
            commit,
            reports,
            merge_ms: 0,
            check_ms,
        };
        match self.store.land(self.clock.now(), &job.token, &merge) {
            Ok(ready) => {
                let unblocks = if ready.is_empty() {
                    String::new()
                } else {
                    format!(", now ready: {}", list(&ready))
                };
                self.say(format!("{} passes{unblocks}", job.feature.id));
                Ok(AttemptOutcome::Landed)
            }
            Err(error @ StoreError::DependencyNotPassing { .. }) => Ok(AttemptOutcome::RedAfterMerge {
                reason: error.to_string(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn end(&self, world: World<'_>, outcome: &AttemptOutcome) -> Result<(), StandaloneError> {
        if *outcome == AttemptOutcome::Landed {
            return Ok(());
        }
        let id = world.job.feature.id;
        match self.store.end_attempt(
            self.clock.now(),
            &world.job.token,
            outcome,
            &AttemptLimits::default(),
        ) {
            Ok(Status::Parked) => self.say(format!("{id} {outcome}; it is given up (`cogwork retry {id}`)")),
            Ok(Status::Pending | Status::Claimed | Status::Passing | Status::NeedsHuman) => {
                self.say(format!("{id} {outcome}"));
            }
            Err(error) if is_stale(&error) => self.say(format!("{id}: {error}")),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Returns the commit that the work is in; none without git, or when git cannot say.
    async fn head(&self) -> Option<String> {
        let git = Git::at(&self.flags.project_dir);
        if !git.is_repository().await.unwrap_or(false) {
            return None;
        }
        git.head().await.ok().flatten()
    }

    fn finished(&self) -> Result<ExitStatus, StandaloneError> {
        let features = self.store.features()?;
        let wanted = || features.iter().filter(|feature| self.is_wanted(feature.id));
        let left: Vec<FeatureId> = wanted()
            .filter(|feature| feature.status != Status::Passing)
            .map(|feature| feature.id)
            .collect();
        if left.is_empty() {
            self.say(format!("all {} features pass", wanted().count()));
            return Ok(ExitStatus::Done);
        }
        self.say(format!(
            "nothing more can be started; {} of {} do not pass: {}",
            left.len(),
            wanted().count(),
            list(&left)
        ));
        Ok(ExitStatus::Unfinished)
    }

    fn stopped(&self) -> ExitStatus {
        self.say("stopped".to_owned());
        ExitStatus::Stopped
    }

    fn say(&self, sentence: String) {
        self.outbox.say(sentence);
    }
}

fn list(ids: &[FeatureId]) -> String {
    ids.iter()
        .map(FeatureId::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
