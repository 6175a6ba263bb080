//! A single agent that works through the features of a project, one after the other, in the project's directory.
//!
//! It claims, runs a session, and lands what is green: the whole loop, without slots, workspaces or merges. It holds
//! the project's run lock, so that no orchestrator works beside it.

mod initializer;
mod landing;
mod recover;
mod testing;

use std::io;
use std::path::PathBuf;

use clap::Parser;
use cogwork_process::contain;
use cogwork_process::git::Git;
use cogwork_schemas::{AttemptOutcome, FeatureId, Isolation, Role, SessionId, Status, Token};
use cogwork_store::graph::Cycle;
use cogwork_store::{AttemptLimits, Claim, NewSession, Secret, Store, StoreError};
use jiff::SignedDuration;

use cogwork_conductor::{NotReady, RunLock, RunLockError, set_strangers_aside};
use cogwork_session::clock::{self, Clock};
use cogwork_session::driver::{self, Claimed, Job, PatientStore, Task, Unrecorded, World, chain};
use cogwork_session::inbox::Inbox;
use cogwork_session::journal::{Journal, session_dir};
use cogwork_session::outbox::Outbox;
use cogwork_session::plan::PlanError;
use cogwork_session::report::{Form, Report};
use cogwork_session::text::printable;
use cogwork_session::{
    AgentError, AgentSettings, AgentSpec, Environment, ExitStatus, Programs, SessionLimits, agent,
};
use cogwork_session::{Confinement, ConfinementError, PolicyFileError, failed, policy_in_force};

use recover::Recovered;

/// What a newcomer types.
const EXAMPLES: &str = "\
Examples:
  cogwork import features.json --project-dir .     add features with their checks, once
  cogwork-runner --project-dir .                   let the first agent that is installed work until all pass
  cogwork-runner --project-dir . --agent codex --features 3,4 --max-iterations 1
  cogwork status --project-dir .                   see where it stands, from anywhere; `cogwork why` says what waits";

/// Let one agent work through the features of a project until they pass
///
/// Claims the next ready feature, starts the agent in the project's directory, runs the feature's checks itself, and
/// goes on until nothing is ready. For several agents at once, each in a workspace of its own, use `cogwork run`.
///
/// Exit codes: 0 nothing is left to do (or --max-iterations sessions were run), 1 the runner failed, 2 wrong usage,
/// 4 features are left that do not pass, 5 stopped.
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner", version, after_help = EXAMPLES)]
pub(crate) struct StandaloneFlags {
    /// The project's directory
    #[arg(long, value_name = "DIR", env = "PROJECT_DIR")]
    project_dir: PathBuf,
    /// What the sessions are for: coding builds what is ready, testing looks again at what passes, initializer turns the
    /// specification into features
    #[arg(long, default_value = "coding", value_parser = role)]
    role: Role,
    /// The specification for --role initializer [default: app_spec.md or app_spec.txt in the project]
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Work on these features only, such as 1,2
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    features: Vec<FeatureId>,
    /// The agent: claude, codex, gemini, opencode, acp:CMD for any that speaks the Agent Client Protocol, exec:CMD for
    /// any command (prompt on stdin, MCP configuration in $COGWORK_MCP_CONFIG), scripted; auto takes the first of the
    /// named ones that is installed
    #[arg(long, value_name = "AGENT", default_value = "auto")]
    agent: AgentSpec,
    /// What the scripted agent plays
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// End after so many sessions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_iterations: Option<u32>,
    /// Have the agent write its code and hand it in without trying it out; the checks decide as ever
    #[arg(long)]
    yolo: bool,
    #[command(flatten)]
    limits: SessionLimits,
    #[command(flatten)]
    settings: AgentSettings,
    /// Let the agent see these variables of the environment, too
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pass_env: Vec<String>,
}

fn role(word: &str) -> Result<Role, String> {
    match word {
        "initializer" => Ok(Role::Initializer),
        "coding" | "testing" => cogwork_session::role_with_feature(word),
        _ => Err("no such role: use coding, testing or initializer".to_owned()),
    }
}

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
enum StandaloneError {
    #[error(transparent)]
    Lock(#[from] RunLockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    #[error(transparent)]
    Cycle(#[from] Cycle),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    #[error(transparent)]
    Confinement(#[from] ConfinementError),
    #[error(transparent)]
    Plan(#[from] PlanError),
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
    let asked = flags.agent;
    flags.agent = agent::preflight(&asked, flags.script.as_deref(), &flags.settings, own)?;
    flags.settings = flags.settings.absolute().map_err(unusable(&flags.project_dir))?;
    policy_in_force(&flags.settings.policy, &flags.project_dir, own)?;
    let confinement = Confinement::find(&flags.settings, &flags.project_dir, own).await?;
    let clock = Clock::start();
    if flags.role == Role::Initializer {
        return initializer::plan(&flags, clock, own, programs).await;
    }
    let (store, _) = own.state_home().open_or_adopt(&flags.project_dir, clock::source())?;
    let _lock = RunLock::acquire(&flags.project_dir, clock.now())?;
    let mut inbox = Inbox::with_signals().map_err(kernel("hear signals"))?;
    contain::become_subreaper().map_err(kernel("adopt orphans"))?;
    let outbox = Outbox::new(io::stdout(), inbox.sender());
    let lone = Lone { flags: &flags, own, programs, store: &store, clock, outbox: &outbox, confinement };
    if asked != flags.agent {
        lone.say(format!("the agent is {}", flags.agent));
    }
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
    confinement: Option<Confinement>,
}

impl Lone<'_> {
    async fn work(&self, inbox: &mut Inbox) -> Result<ExitStatus, StandaloneError> {
        for id in &self.flags.features {
            self.store.feature(*id)?;
        }
        let aside = set_strangers_aside(&self.flags.project_dir, self.store).await;
        aside.map_err(|NotReady { message, .. }| StandaloneError::NotStarted { reason: message })?;
        if self.recover(inbox).await? == Recovered::Stopped {
            return Ok(self.stopped());
        }
        if self.flags.role == Role::Testing {
            return self.test(inbox).await;
        }
        if !Git::at(&self.flags.project_dir).is_repository().await.unwrap_or(false) {
            self.say("there is no git repository here: what passes is committed nowhere".to_owned());
        }
        let mut sessions = 0;
        while self.flags.max_iterations.is_none_or(|most| sessions < most) {
            if inbox.waiting().is_some() {
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
        self.say(format!("stopped after {sessions} sessions, as asked for with --max-iterations"));
        Ok(ExitStatus::Done)
    }

    fn claim_next(&self) -> Result<Option<(FeatureId, Claim)>, StandaloneError> {
        self.store.reap_unowned(self.lease(), &AttemptLimits::default(), contain::presence)?;
        let new = self.new_session();
        let (lease, process) = (self.lease(), contain::started_identity());
        // Not held while claims change the store: see Store::graph.
        let ready = self.store.graph()?.ready_in_order();
        for id in ready {
            if !self.is_wanted(id) {
                continue;
            }
            match self.store.claim_by(id, &new, &process, &Secret::random()?, lease) {
                Ok(claim) => return Ok(Some((id, claim))),
                // Somebody was faster, through the MCP server perhaps; the next one will do.
                Err(StoreError::NotClaimable { .. } | StoreError::AlreadyClaimed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn lease(&self) -> SignedDuration {
        self.flags.limits.durations().lease
    }

    fn new_session(&self) -> NewSession {
        NewSession {
            node: Some(cogwork_process::contain::own_node()),
            ..NewSession::new(self.flags.role, self.flags.agent.to_string(), Isolation::Shared)
        }
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
        self.say(format!("{id} {} (attempt {}, session {})", feature.name, claim.number, claim.session));
        let report = self.report(claim.session, &claim.token)?;
        let claimed = Claimed { attempt: claim.attempt, token: claim.token, feature };
        let job = self.job(claim.session, claimed.clone());
        let world = self.world(&job, &report);
        let backend = agent::backend(&self.flags.agent, self.flags.script.as_deref(), self.programs)?;
        let ended = driver::run(world, backend, inbox).await?;
        self.settle(world, &claimed, &ended, inbox).await
    }

    fn world<'a>(&'a self, job: &'a Job<'a>, report: &'a Report<'a>) -> World<'a> {
        World {
            job,
            store: PatientStore::new(self.store),
            clock: self.clock,
            report,
            confinement: self.confinement.as_ref(),
        }
    }

    fn report(&self, session: SessionId, token: &Token) -> Result<Report<'_>, StandaloneError> {
        let journal = Journal::of_session(&self.flags.project_dir, session).map_err(|source| {
            StandaloneError::Unusable { path: session_dir(&self.flags.project_dir, session), source }
        })?;
        Ok(Report::new(session, Form::Sentences, self.outbox, journal, self.own.secrets(token)))
    }

    fn job(&self, session: SessionId, claimed: Claimed) -> Job<'_> {
        Job {
            project: self.flags.project_dir.clone(),
            session,
            task: Task::Feature(Box::new(claimed)),
            role: self.flags.role,
            isolation: Isolation::Shared,
            base: None,
            batch: 1,
            yolo: self.flags.yolo,
            attempts: AttemptLimits::default().attempts,
            limits: self.flags.limits.clone(),
            settings: self.flags.settings.clone(),
            agent: self.flags.agent.clone(),
            pass_env: self.flags.pass_env.clone(),
            own: self.own,
            programs: self.programs,
        }
    }

    fn finished(&self) -> Result<ExitStatus, StandaloneError> {
        let features = self.store.features()?;
        let wanted = || features.iter().filter(|feature| self.is_wanted(feature.id));
        let left: Vec<FeatureId> =
            wanted().filter(|feature| feature.status != Status::Passing).map(|feature| feature.id).collect();
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

    #[expect(clippy::needless_pass_by_value, reason = "each sentence is made for this")]
    fn say(&self, sentence: String) {
        self.outbox.say(printable(&sentence));
    }
}

fn list(ids: &[FeatureId]) -> String {
    ids.iter().map(FeatureId::to_string).collect::<Vec<_>>().join(", ")
}
