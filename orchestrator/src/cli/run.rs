//! `cogwork run`: work until every feature passes.

use std::path::{Path, PathBuf};

use clap::Args;
use cogwork_schemas::{Feature, Isolation, RunOutcome, Status};
use cogwork_session::brief::{self, Place};
use cogwork_session::plan::{MAX_SESSION_S, Planning, Spec};
use cogwork_session::{
    AgentSettings, AgentSpec, Environment, OnLimit, PolicyChoice, Programs, SessionLimits, policy_in_force,
    preflight,
};
use cogwork_store::{AttemptLimits, shell_word, state_dir};
use cogwork_views::Counts;

use super::kept::{self, Kept};
use super::{CliError, Exit, ProjectArg, note, print, question};

use crate::project::Project;
use crate::terminal::{self, clean, duration};
use cogwork_conductor::{MAX_SLOTS, Plan, RunLock, Scope, Signals};
use cogwork_session::clock;

/// How many sessions run at once unless told otherwise.
const CONCURRENCY: usize = 3;

/// Work on a project until every feature passes.
///
/// Starts sessions for features whose dependencies pass, runs their checks, lands green work on the branch that is
/// checked out, and starts over with what became ready. Killed or stopped, the same command goes on where it was.
/// Ctrl-C once finishes what runs, twice stops it.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArg,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How a run works.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct How {
    /// Sessions at once [default: 3].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SLOTS)))]
    pub(crate) concurrency: Option<u16>,
    /// The agent: claude, codex, gemini, opencode, acp:CMD, exec:CMD for any command, scripted, or auto for the first of
    /// the named ones that is installed.
    ///
    /// A command gets its prompt on stdin and works in its current directory. In its environment are
    /// COGWORK_FEATURES (the feature's number), COGWORK_SESSION, COGWORK_PROJECT (the project's directory),
    /// COGWORK_WORKSPACE (its own), COGWORK_MCP_CONFIG (a file, as `claude --mcp-config` takes it) and COGWORK_TOKEN.
    /// What it leaves uncommitted is committed for it, and its checks are run whatever it says.
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// What the scripted agent plays.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Where sessions work: each in a clone of its own, or all in the project directory [default: workspace].
    #[arg(long, value_name = "WHERE", value_parser = ["workspace", "shared"])]
    pub(crate) isolation: Option<String>,
    /// Features that one session may have, one after the other, when it has handed in the one before and no free slot
    /// could start the next.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) batch_size: u32,
    /// Have agents write their code and hand it in without trying it out: faster and cheaper. The checks decide as ever.
    #[arg(long)]
    pub(crate) yolo: bool,
    /// Testing sessions kept running beside the coding ones; this version starts none.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = only_none)]
    pub(crate) testing_ratio: u8,
    /// Give a feature up after so many failed attempts.
    #[arg(long, value_name = "N", default_value_t = AttemptLimits::default().attempts)]
    pub(crate) attempts: u32,
    #[command(flatten)]
    pub(crate) session: Limits,
    #[command(flatten)]
    pub(crate) settings: AgentSettings,
    /// Let the agent see this variable of the environment, too; may be given several times.
    #[arg(long = "pass-env", value_name = "NAME")]
    pub(crate) pass_env: Vec<String>,
    /// Print every event as a line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn only_none(text: &str) -> Result<u8, String> {
    if text == "0" { Ok(0) } else { Err("this version starts no testing sessions: use 0".to_owned()) }
}

/// How long a session may take, and how much it may have.
#[derive(Debug, Clone, Args)]
pub(crate) struct Limits {
    /// Stop a session after so many seconds.
    #[arg(long, value_name = "S", default_value_t = SessionLimits::default().max_session_s,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_session_s: u32,
    /// Stop a session that prints nothing for so many seconds.
    #[arg(long, value_name = "S", default_value_t = SessionLimits::default().max_silence_s,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_silence_s: u32,
    /// Stop a session when its agent and what that has started have more than so many megabytes of memory [default: no
    /// limit].
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..))]
    memory_limit_mb: Option<u32>,
    /// What to do at a usage limit of the agent's account: wait for its reset, or stop.
    #[arg(long, value_name = "WHAT", default_value = "wait")]
    on_limit: OnLimit,
    /// Go on at most so many seconds after a limit's reset, so that not everybody comes back at once.
    #[arg(long, value_name = "S", default_value_t = SessionLimits::default().limit_jitter_s)]
    limit_jitter_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let SessionLimits { max_session_s, max_silence_s, memory_limit_mb, on_limit, limit_jitter_s, .. } =
            SessionLimits::default();
        Self { max_session_s, max_silence_s, memory_limit_mb, on_limit, limit_jitter_s }
    }
}

/// How a run is started, and how it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// Every event is a line of JSON.
    pub(crate) json: bool,
    /// There is one agent only, and what it says is shown.
    pub(crate) is_lone: bool,
    /// The program that starts it again: `cogwork run`.
    pub(crate) again: String,
    pub(crate) programs: Programs,
}

impl Way {
    /// Returns how `cogwork run` is started.
    pub(crate) fn of_this_program(json: bool) -> Result<Self, CliError> {
        Ok(Self { json, is_lone: false, again: "cogwork run".to_owned(), programs: crate::programs()? })
    }
}

pub(crate) fn run(args: &RunArgs) -> Result<Exit, CliError> {
    run_project(&open_or_begin(&args.project.dir, None)?, &args.how)
}

/// Opens a project, or makes one where what there is to be built is written down, so that it can be planned.
pub(crate) fn open_or_begin(dir: &Path, spec: Option<&Path>) -> Result<Project, CliError> {
    match Project::open(dir) {
        Err(_) if spec.is_some() || Spec::usual(dir).is_some() => Project::create(dir),
        opened => opened,
    }
}

/// Plans a project that has no feature yet, but a specification.
fn plan_first(project: &Project, plan: &Plan, way: &Way) -> Result<(), CliError> {
    if !project.store.nodes()?.is_empty() || Spec::usual(&project.dir).is_none() {
        return Ok(());
    }
    let spec = Spec::find(&project.dir, None)?;
    let mut readers = terminal::readers(way.json, false, &[], clock::now())?;
    block_on(async {
        let mut signals = Signals::new()?;
        let can_land = cogwork_conductor::can_land(&project.dir, &project.store, plan, &mut readers).await;
        readers.close(None, signals.next()).await;
        can_land.map_err(CliError::from)
    })??;
    if !way.json {
        print(&format!("the project has no features: planning them from {}\n", spec.name()))?;
    }
    let limits = SessionLimits { max_session_s: MAX_SESSION_S, ..plan.session_limits.clone() };
    let planned = super::plan::carry_out(
        project,
        &Planning {
            project: &project.dir,
            spec: &spec,
            agent: &plan.agent,
            script: plan.script.clone(),
            limits,
            settings: plan.settings.clone(),
            pass_env: plan.pass_env.clone(),
            quiet: way.json,
        },
        &way.programs,
    )?;
    if !way.json {
        print(&super::plan::findings_told(&planned))?;
    }
    Ok(())
}

/// Makes sure that there is something to tell the agents: a prompt of the project's own may be wrong.
fn check_prompt(project: &Project, plan: &Plan, features: &[Feature]) -> Result<(), CliError> {
    let Some(feature) = features.first() else { return Ok(()) };
    let place = Place { names: Vec::new(), isolation: plan.isolation, branch: None };
    let how = brief::How { batch: plan.batch, yolo: plan.yolo };
    let prompt = brief::for_feature(&project.store, feature, plan.scope.role, &place, how)?;
    let rendered = cogwork_prompts::render(&project.dir, &prompt);
    rendered.map(drop).map_err(|error| CliError::new(cogwork_session::chain(&error)))
}

/// Runs an opened project; the other half of `cogwork demo`, too.
pub(crate) fn run_project(project: &Project, how: &How) -> Result<Exit, CliError> {
    carry_out(project, plan(project, how)?, &Way::of_this_program(how.json)?)
}

/// Carries out a plan, from the lock to the last words.
pub(crate) fn carry_out(project: &Project, mut plan: Plan, way: &Way) -> Result<Exit, CliError> {
    // The lock goes first: everything after it may assume that no other run changes the project.
    let mut lock = RunLock::acquire(&project.dir, clock::now())?;
    project.store.file().check_integrity()?;
    let own = Environment::of_this_process();
    if let Err(error) = project.store.file().back_up() {
        note(&format!("the database could not be backed up: {}", cogwork_session::chain(&error)));
    }
    if let Err(error) = project.store.file().back_up_outside(&own.state_home()) {
        note(&format!(
            "the database could not be backed up outside the project: {}",
            cogwork_session::chain(&error)
        ));
    }
    let asked = plan.agent;
    plan.agent = preflight(&asked, plan.script.as_deref(), &plan.settings, &own)
        .map_err(|error| CliError::new(cogwork_session::chain(&error)))?;
    if asked != plan.agent {
        note(&format!("the agent is {}", plan.agent));
    }
    policy_in_force(&plan.settings.policy, &project.dir, &own)
        .map_err(|error| CliError::new(cogwork_session::chain(&error)))?;
    plan_first(project, &plan, way)?;
    let features = project.store.features()?;
    check_prompt(project, &plan, &features)?;
    let start = clock::now();
    let mut readers = terminal::readers(way.json, way.is_lone, &features, start)?;
    block_on(async {
        let mut signals = Signals::new()?;
        let (dir, store) = (&project.dir, &project.store);
        let outcome = cogwork_conductor::run(
            dir,
            store,
            &plan,
            way.programs.clone(),
            &mut readers,
            &mut lock,
            &mut signals,
        )
        .await;
        let took = clock::now().duration_since(start).as_millis();
        // A run is not worse for what git cannot list; `cogwork kept` says why.
        let kept = kept::read_kept(project).await.unwrap_or_default();
        let ended = outcome.map_err(CliError::from).and_then(|outcome| {
            let words = closing(project, &plan, &way.again, &outcome, took, kept)?;
            Ok((Exit::from(&outcome), words))
        });
        match ended {
            Ok((exit, words)) => {
                readers.close(Some(words), signals.next()).await;
                Ok(exit)
            }
            Err(error) => {
                readers.close(None, signals.next()).await;
                Err(error)
            }
        }
    })?
}

/// Runs a future on this thread, which every started program is tied to.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

fn plan(project: &Project, how: &How) -> Result<Plan, CliError> {
    let config = &project.config;
    let agent = agent(project, how.agent.as_deref())?.ok_or_else(|| {
        CliError::new("no agent was named")
            .hint("--agent exec:CMD runs any command as an agent; `cogwork run --help` lists them")
            .exit(Exit::Usage)
    })?;
    let isolation = match how.isolation.as_deref() {
        Some("shared") => Isolation::Shared,
        Some(_) => Isolation::Workspace,
        None => config.isolation.unwrap_or(Isolation::Workspace),
    };
    Ok(Plan {
        scope: Scope::default(),
        slots: how.concurrency.map(usize::from).or(config.concurrency).unwrap_or(CONCURRENCY),
        batch: how.batch_size,
        yolo: how.yolo,
        agent,
        script: script(project, how.script.as_ref())?,
        isolation,
        limits: AttemptLimits { attempts: how.attempts.max(1), ..AttemptLimits::default() },
        session_limits: SessionLimits {
            max_session_s: how.session.max_session_s,
            max_silence_s: how.session.max_silence_s,
            memory_limit_mb: how.session.memory_limit_mb,
            on_limit: how.session.on_limit,
            limit_jitter_s: how.session.limit_jitter_s,
            ..SessionLimits::default()
        },
        settings: settings(project, &how.settings)?,
        pass_env: how.pass_env.clone(),
    })
}

/// Returns the agent that was named, or the project's, if it has one.
pub(crate) fn agent(project: &Project, named: Option<&str>) -> Result<Option<AgentSpec>, CliError> {
    let agent = named.or(project.config.agent.as_deref()).map(str::parse).transpose();
    agent.map_err(|error| CliError::new(format!("{error}")).exit(Exit::Usage))
}

/// What the command line does not say, the settings file may.
pub(crate) fn settings(project: &Project, named: &AgentSettings) -> Result<AgentSettings, CliError> {
    let mut settings = named.clone().absolute()?;
    let config = &project.config;
    if let (PolicyChoice::Default, Some(policy)) = (&settings.policy, &config.policy) {
        settings.policy = match policy.parse() {
            Ok(PolicyChoice::File(file)) => PolicyChoice::File(state_dir(&project.dir).join(file)),
            Ok(choice @ (PolicyChoice::Default | PolicyChoice::Off)) => choice,
            Err(never) => match never {},
        };
    }
    if let (None, Some(sandbox)) = (settings.sandbox, &config.sandbox) {
        settings.sandbox = Some(sandbox.parse().map_err(CliError::new)?);
    }
    settings.sandbox_write.extend(config.sandbox_write.iter().cloned());
    Ok(settings)
}

/// The script is given from where the person is, or remembered in the state directory.
pub(crate) fn script(project: &Project, named: Option<&PathBuf>) -> Result<Option<PathBuf>, CliError> {
    let (path, from) = match (named, &project.config.script) {
        (Some(path), _) => (path.clone(), PathBuf::from(".")),
        (None, Some(path)) => (path.clone(), state_dir(&project.dir)),
        (None, None) => return Ok(None),
    };
    let path = from.join(path);
    std::fs::canonicalize(&path)
        .map(Some)
        .map_err(|error| CliError::new(format!("cannot read the script {}: {error}", path.display())))
}

fn closing(
    project: &Project,
    plan: &Plan,
    again: &str,
    outcome: &RunOutcome,
    ms: i128,
    kept: Vec<Kept>,
) -> Result<String, CliError> {
    let features = project.store.features()?;
    let count = |status| features.iter().filter(|feature| feature.status == status).count();
    let dir = quoted(&relative(&project.dir).to_string_lossy());
    let took = duration(u64::try_from(ms).unwrap_or(0));
    let table = terminal::summary(&project.store)?;
    let mut next = String::new();
    let is_merged = plan.isolation == Isolation::Workspace;
    if *outcome == RunOutcome::Complete && is_merged {
        next.push_str(&format!("look:   git -C {dir} log --graph --oneline\n"));
        next.push_str(&format!("verify: cogwork verify --project-dir {dir}\n"));
    }
    if *outcome != RunOutcome::Complete {
        next.push_str(&format!("why:    cogwork why --project-dir {dir}\n"));
        next.push_str(&question::open(&features, &project.dir));
        if count(Status::Parked) > 0 {
            next.push_str(&format!("retry:  cogwork retry ID --project-dir {dir}\n"));
        }
        let agent = match &project.config.agent {
            Some(_) => String::new(),
            None => format!(" --agent {}", quoted(&plan.agent.to_string())),
        };
        let script = plan.script.as_ref().filter(|_| project.config.script.is_none());
        let script = script.map(|path| format!(" --script {}", quoted(&path.to_string_lossy())));
        let how = agent + &script.unwrap_or_default();
        next.push_str(&format!("go on:  {again} --project-dir {dir}{how}\n"));
    }
    next.push_str(&kept::closing(project, kept)?);
    let (counts, ended) =
        (Counts::of_project(&project.store)?.line(), terminal::ended(outcome, &terminal::here()));
    Ok(format!(
        "\n{table}\n{counts}, after {took}; the run {ended}.\n\n{next}detail: cogwork show ID --project-dir {dir}\n"
    ))
}

/// Returns a word as a shell takes it for itself.
pub(super) fn quoted(word: &str) -> String {
    shell_word(Path::new(&clean(word)))
}

/// Returns a path as a person in the current directory would type it.
pub(super) fn relative(dir: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let inside = here.as_deref().and_then(|here| dir.strip_prefix(here).ok());
    match inside {
        Some(inside) if inside.as_os_str().is_empty() => PathBuf::from("."),
        Some(inside) => inside.to_owned(),
        None => dir.to_owned(),
    }
}
