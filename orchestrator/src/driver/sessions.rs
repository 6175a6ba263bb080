//! A running session, seen from outside: a runner process, its lines, and the way to stop it.

use std::time::Duration;

use cogwork_process::contain::{Bond, Contained, Output, Spawn, StartError, Stdin};
use cogwork_schemas::{
    AttemptId, Control, FeatureId, ProcessIdentity, RunnerMessage, SessionId, SessionOutcome,
};
use cogwork_session::{Environment, Programs, SessionCommand};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Input;
use cogwork_conductor::clock::Stopwatch;

/// A runner that was told to stop has its own, shorter graces; this one is for a runner that hangs itself.
const RUNNER_GRACE: Duration = Duration::from_secs(30);

/// Room for a stop, a kill, and more features than a session takes while its task looks away.
const ORDERS: usize = 16;

/// What is known of a session that is under way.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) feature: FeatureId,
    /// What it has taken, the first included.
    pub(super) attempts: Vec<AttemptId>,
    /// When it began with the feature that it is at.
    pub(super) since: Timestamp,
    /// What its runner reported last, when it did: how the agent ended, and why its work was not submitted.
    pub(super) report: Option<(SessionOutcome, Option<String>)>,
    /// Dropped with the session, which ends the runner, too.
    orders: Option<mpsc::Sender<Order>>,
    /// The end of its lease when it was last looked at, and the time since that last moved.
    lease: (Option<Timestamp>, Stopwatch),
}

/// What a session may be told.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// To end in order.
    Stop,
    /// Nothing: it is ended.
    Kill,
    /// Nothing, but it has so long from now.
    MoreTime(Duration),
}

impl Session {
    /// Asks the session to stop. It ends by itself after that.
    pub(super) fn stop(&mut self) {
        if let Some(orders) = &self.orders {
            // A session that is over hears nothing and needs nothing.
            let _: Result<(), _> = orders.try_send(Order::Stop);
        }
    }

    /// Notes that the session has begun with a further feature, for which it has so long.
    pub(super) fn went_on(&mut self, taken: Begun, limit: Duration) {
        self.feature = taken.feature;
        self.attempts.push(taken.attempt);
        self.since = taken.at;
        if let Some(orders) = &self.orders {
            let _: Result<(), _> = orders.try_send(Order::MoreTime(limit));
        }
    }

    /// Notes that the session waits for its agent's account or service, and has so long from now.
    pub(super) fn waits(&mut self, limit: Duration) {
        if let Some(orders) = &self.orders {
            let _: Result<(), _> = orders.try_send(Order::MoreTime(limit));
        }
    }

    /// Ends the session by force when its runner has not renewed its lease for four times the length of one: it is
    /// stopped by a signal, or hangs. Counted in time that this machine was awake.
    pub(super) fn end_if_it_sleeps(&mut self, lease_until: Option<Timestamp>, lease_s: u32) {
        if lease_until.is_none() || lease_until != self.lease.0 {
            self.lease = (lease_until, Stopwatch::start());
        } else if self.lease.1.elapsed_ms() > u64::from(lease_s) * 4_000
            && let Some(orders) = self.orders.take()
        {
            let _: Result<(), _> = orders.try_send(Order::Kill);
        }
    }
}

/// An attempt that a session has begun with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) feature: FeatureId,
    pub(super) attempt: AttemptId,
    pub(super) at: Timestamp,
}

/// Starts a runner and the task that listens to it, and kills it when it lives longer than the limit.
///
/// # Errors
///
/// When the process cannot be started; then nothing is left of it.
pub(super) fn start(
    command: &SessionCommand,
    (begun, limit): (Begun, Duration),
    (programs, environment): (&Programs, &Environment),
    inputs: mpsc::Sender<Input>,
) -> Result<(Session, ProcessIdentity), StartError> {
    let mut argv = command.argv(programs).into_iter();
    let mut spawn = Spawn::new(argv.next().unwrap_or_default(), &command.project);
    spawn.args = argv.collect();
    spawn.env = command.env(environment);
    spawn.stdin = Stdin::Piped;
    spawn.bond = Bond::Asked;
    let runner = spawn.start()?;
    let process = runner.identity().clone();
    let (orders, received) = mpsc::channel(ORDERS);
    tokio::spawn(listen(command.session, (runner, limit), received, inputs));
    Ok((
        Session {
            feature: begun.feature,
            attempts: vec![begun.attempt],
            since: begun.at,
            report: None,
            orders: Some(orders),
            lease: (None, Stopwatch::start()),
        },
        process,
    ))
}

/// Passes on what a runner says until it is gone.
async fn listen(
    session: SessionId,
    (mut runner, limit): (Contained, Duration),
    mut orders: mpsc::Receiver<Order>,
    inputs: mpsc::Sender<Input>,
) {
    let mut stdin = runner.take_stdin();
    let mut is_over = false;
    let overdue = tokio::time::sleep(limit);
    tokio::pin!(overdue);
    let mut is_overdue = false;
    loop {
        let output = tokio::select! {
            output = runner.next() => output,
            () = &mut overdue, if !is_overdue => {
                is_overdue = true;
                tracing::error!("the runner of {session} is {} s at its feature and does not end: it is killed", limit.as_secs());
                runner.kill();
                continue;
            }
            order = orders.recv(), if !is_over => {
                match order {
                    Some(Order::Stop) => {
                        if let Some(stdin) = stdin.as_mut() {
                            tell(stdin, Control::Stop).await;
                        }
                        // The end of its stdin says stop, too, to a runner that did not read the line.
                        stdin = None;
                        runner.interrupt(RUNNER_GRACE);
                    }
                    Some(Order::Kill) => {
                        tracing::error!("the runner of {session} does not renew its lease: it is killed");
                        is_over = true;
                        runner.kill();
                    }
                    Some(Order::MoreTime(limit)) => overdue.set(tokio::time::sleep(limit)),
                    // The run has forgotten it: it is over.
                    None => {
                        is_over = true;
                        stdin = None;
                        runner.interrupt(RUNNER_GRACE);
                    }
                }
                continue;
            }
        };
        let input = match output {
            Output::Stdout(line) => match serde_json::from_str::<RunnerMessage>(&line.text) {
                Ok(message) => Input::Runner { session, event: message.event },
                Err(error) => {
                    tracing::warn!("session {session} wrote a line that is no message: {error}");
                    continue;
                }
            },
            Output::Stderr(line) => {
                tracing::info!("session {session}: {}", line.text);
                continue;
            }
            Output::Ended(exit) => {
                let tail = runner.stderr_tail();
                let last = tail.trim().lines().last().map_or_else(String::new, |line| format!(": {line}"));
                drop(inputs.send(Input::RunnerGone { session, how: format!("{exit}{last}") }).await);
                return;
            }
        };
        // Only a run that is over closes the channel; then nobody wants to know.
        drop(inputs.send(input).await);
    }
}

async fn tell(stdin: &mut tokio::process::ChildStdin, control: Control) {
    if let Ok(mut line) = serde_json::to_vec(&control) {
        line.push(b'\n');
        // A runner that is gone cannot be told anything; its end is noticed elsewhere.
        drop(stdin.write_all(&line).await);
    }
}
