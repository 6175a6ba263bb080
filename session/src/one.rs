//! `session`: exactly one session of one feature that somebody else claimed.

use std::io;
use std::path::{Path, PathBuf};

use cogwork_process::contain;
use cogwork_schemas::{Feature, RunnerEvent, SessionOutcome};
use cogwork_store::{Attempt, Store, StoreError};

use crate::agent::Backend;
use crate::clock::{self, Clock};
use crate::driver::close::wants_end;
use crate::driver::patient::Patience;
use crate::driver::{self, Claimed, Job, PatientStore, Task, Unrecorded, World, chain};
use crate::inbox::Inbox;
use crate::journal::{Journal, session_dir};
use crate::outbox::Outbox;
use crate::report::{Form, Report};
use crate::{Confinement, Environment, ExitStatus, Programs, SessionCommand, agent, failed};

/// Why there was no session at all.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("COGWORK_TOKEN belongs to feature {} of session {}, not to feature {} of session {}", found.feature, found.session, wanted.feature, wanted.session)]
    OtherAttempt { found: Box<Attempt>, wanted: Box<SessionCommand> },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    #[error("stopped before the session could begin")]
    Stopped,
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
}

/// Runs the session; the exit code tells whether the runner did its part, not how the agent fared.
pub async fn main(command: SessionCommand, own: &Environment, programs: &Programs) -> ExitStatus {
    match run(command, own, programs).await {
        Ok(()) => ExitStatus::Done,
        Err(refusal) => failed(&chain(&refusal)),
    }
}

async fn run(command: SessionCommand, own: &Environment, programs: &Programs) -> Result<(), Refusal> {
    let kernel = |what| move |source| Refusal::Kernel { what, source };
    let mut inbox = Inbox::with_signals().map_err(kernel("hear signals"))?;
    inbox.read_stdin();
    contain::become_subreaper().map_err(kernel("adopt orphans"))?;
    let outbox = Outbox::new(io::stdout(), inbox.sender());
    let result = with_outbox(command, own, programs, &mut inbox, &outbox).await;
    outbox.close().await;
    result
}

async fn with_outbox(
    mut command: SessionCommand,
    own: &Environment,
    programs: &Programs,
    inbox: &mut Inbox,
    outbox: &Outbox,
) -> Result<(), Refusal> {
    let clock = Clock::start();
    command.project = absolute(&command.project)?;
    let opened = tokio::select! {
        biased;
        () = asked_to_end(inbox) => return Err(Refusal::Stopped),
        opened = open(&command) => opened?,
    };
    let (store, attempt, feature) = opened;
    if (attempt.feature, attempt.session) != (command.feature, command.session) {
        return Err(Refusal::OtherAttempt { found: Box::new(attempt), wanted: Box::new(command) });
    }
    let journal = Journal::of_session(&command.project, command.session).map_err(|source| {
        Refusal::Unusable { path: session_dir(&command.project, command.session), source }
    })?;
    let secrets = own.secrets(&command.token);
    let report = Report::new(command.session, Form::Messages, outbox, journal, secrets);
    let patient = PatientStore::new(&store);
    let (backend, confinement) = match find(&command, own, programs).await {
        Ok(found) => found,
        Err(reason) => {
            let outcome = SessionOutcome::NotStarted { reason };
            tokio::select! {
                biased;
                () = asked_to_end(inbox) => return Err(Refusal::Stopped),
                ended = patient.call(|store| store.end_session(command.session, &outcome, 0)) => ended?,
            }
            report.tell(
                clock.now(),
                RunnerEvent::Ended { outcome, agent_ms: 0, reason: None, confirmed: false },
            );
            return Ok(());
        }
    };
    let job = Job {
        project: command.project,
        session: command.session,
        task: Task::Feature(Box::new(Claimed::of(attempt.id, command.token, feature))),
        role: command.role,
        isolation: command.isolation,
        base: command.base,
        batch: command.batch,
        yolo: command.yolo,
        attempts: command.attempts,
        limits: command.limits,
        settings: command.settings,
        agent: command.agent,
        pass_env: command.pass_env,
        own,
        programs,
    };
    let world =
        World { job: &job, store: patient, clock, report: &report, confinement: confinement.as_ref() };
    driver::run(world, backend, inbox).await?;
    Ok(())
}

/// Opens the state of the project, and reads what the session was started for.
async fn open(command: &SessionCommand) -> Result<(Store, Attempt, Feature), StoreError> {
    let store = Patience::new().wait_for(|| Store::open(&command.project, clock::source())).await?;
    let patient = PatientStore::new(&store);
    let attempt = patient.call(|store| store.attempt(&command.token)).await?;
    let feature = patient.call(|store| store.feature(command.feature)).await?;
    Ok((store, attempt, feature))
}

/// Finds the agent and what is to confine it, or the reason why the session cannot be.
async fn find(
    command: &SessionCommand,
    own: &Environment,
    programs: &Programs,
) -> Result<(Box<dyn Backend>, Option<Confinement>), String> {
    let backend = agent::backend(&command.agent, command.script.as_deref(), programs);
    let backend = backend.map_err(|error| error.to_string())?;
    let confinement = Confinement::find(&command.settings, &command.project, own).await;
    Ok((backend, confinement.map_err(|error| error.to_string())?))
}

/// Waits until somebody wants this process to end.
async fn asked_to_end(inbox: &mut Inbox) {
    while !wants_end(&inbox.next().await) {}
}

fn absolute(path: &Path) -> Result<PathBuf, Refusal> {
    std::path::absolute(path).map_err(|source| Refusal::Unusable { path: path.to_owned(), source })
}
