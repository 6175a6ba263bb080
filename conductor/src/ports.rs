//! The ports: all that a run asks of the world, and all that the world tells it.
//!
//! Each is a small trait that takes an order and returns at once; what came of it arrives later as an [`Input`]. So the
//! conductor never waits inside a decision, and the simulator can answer late, wrongly or never. Faults are part of the
//! contract: `simulator/contract` holds the real and the simulated implementation to the same answers.

use std::collections::BTreeSet;
use std::pin::Pin;

use cogwork_schemas::{
    AgentEvent, Asker, AttemptId, Command, CommandReply, Entry, FeatureId, ProcessIdentity, RunnerEvent,
    SessionId, Token,
};
use jiff::Timestamp;

use crate::ledger::{Answer, Call, CallId, Changes, Fault};
use crate::main_branch::{Task, TaskAnswer, TaskId};
pub use crate::moment::{Deadlines, Moment};
use crate::progress::Progress;

/// A command over the socket, by which its answer finds the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a signal means depends on what it meets: the first Ctrl-C drains a run, the second stops it, the third leaves at
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a supervisor wants the run to stop.
    Terminate,
    /// SIGHUP: the terminal is gone, and nobody can press anything any more. It means what SIGTERM does.
    Hangup,
}

/// The one way into a run.
#[derive(Debug, Clone)]
pub enum Input {
    Signal(Signal),
    /// What somebody asks of the run. It is answered by [`Order::Reply`](crate::conduct::Order::Reply).
    Command {
        id: RequestId,
        command: Command,
        by: Asker,
    },
    /// The journal gained entries, whoever wrote them. Arrives before the answer to the call that wrote them.
    Changes(Box<Changes>),
    /// The answer to a call.
    Ledger {
        id: CallId,
        reply: Result<Answer, Fault>,
    },
    /// The ledger cannot be read any more, whoever asked.
    LedgerLost {
        reason: String,
    },
    /// What became of a runner.
    Runner {
        session: SessionId,
        report: Report,
    },
    /// What came of a task on the main branch.
    Main {
        id: TaskId,
        answer: TaskAnswer,
    },
    /// One of the [`Deadlines`] has come.
    Deadline,
}

/// The state of the project. One call is under way at a time; its answer is an [`Input::Ledger`].
pub trait Ledger {
    /// Asks for a call. A call that was asked for before under the same id is not done twice.
    fn call(&mut self, id: CallId, call: &Call);
}

/// A runner to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRunner {
    pub session: SessionId,
    pub feature: FeatureId,
    pub attempt: AttemptId,
    pub token: Token,
}

/// What a runner may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// To end in order.
    Stop,
    /// Nothing: it is killed, with all that it has started.
    Kill,
}

/// What is heard of a runner. [`Report::Gone`] is the last.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// It runs.
    Started {
        process: ProcessIdentity,
    },
    /// It could not be started, and nothing is left of it.
    NotStarted {
        reason: String,
    },
    Said(RunnerEvent),
    /// Its process is gone, and so are all that it has started.
    Gone {
        how: String,
    },
}

/// The processes that run sessions.
pub trait Runners {
    /// Starts a runner; [`Report::Started`] or [`Report::NotStarted`] follows.
    fn start(&mut self, start: &StartRunner);
    /// Tells a runner something. One that is gone hears nothing and needs nothing.
    fn control(&mut self, session: SessionId, control: Control);
}

/// The branch that work lands on, its repository and the workspaces. One landing is under way at a time.
pub trait MainBranch {
    /// Asks for a task; [`Input::Main`] answers it.
    fn begin(&mut self, id: TaskId, task: &Task);
    /// Forgets a task that is under way, and ends what it has started. It is not answered then, unless its answer was on
    /// its way.
    fn abandon(&mut self, id: TaskId);
}

/// Whether a reader took what it was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    Taken,
    /// It has not read what it was given before. It loses this, and is told how much it lost once it reads again.
    Full,
    /// It reads no more.
    Gone,
}

/// Who looks on: a terminal, a pipe, later a page. None of them can hold up a run.
pub trait Readers {
    /// Offers something that happened for good.
    fn offer(&mut self, entry: &Entry) -> Offered;
    /// Tells what an agent said or did; lost where nobody reads it in time.
    fn agent_event(&mut self, session: SessionId, event: &AgentEvent);
    /// Tells what a person should know that is no change of state; lost where nobody reads it in time.
    fn note(&mut self, at: Timestamp, text: &str);
    /// Whether [`Readers::progress`] shows anything: it costs a look at the whole graph.
    fn wants_progress(&self) -> bool;
    /// Shows how far the run is; only the newest counts.
    fn progress(&mut self, progress: Progress);
}

/// The time.
pub trait Clock {
    fn now(&self) -> Moment;
}

/// Where inputs come from.
pub trait Inputs {
    /// Waits for the next input, until a deadline at the latest.
    fn next(&mut self, deadlines: Deadlines) -> Pin<Box<dyn Future<Output = Input> + '_>>;
}

/// What holds up a run, for whoever asks why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Obstacles {
    /// Why the database cannot be used at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Why nothing can land at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landing: Option<String>,
    /// Features whose session a person has stopped, and which wait for `cogwork resume`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held_back: BTreeSet<FeatureId>,
}

/// The way back to whoever asked something of the run.
pub trait Replies {
    /// Answers a command. Whoever asked may be gone.
    fn reply(&mut self, id: RequestId, reply: CommandReply);
}

/// Where a run says what holds it up, beside the database, which may be what does.
pub trait Signpost {
    fn show(&mut self, obstacles: &Obstacles);
}

/// All ports of one run.
pub struct Ports<'a> {
    pub ledger: &'a mut dyn Ledger,
    pub runners: &'a mut dyn Runners,
    pub main: &'a mut dyn MainBranch,
    pub readers: &'a mut dyn Readers,
    pub replies: &'a mut dyn Replies,
    pub signpost: &'a mut dyn Signpost,
    pub clock: &'a dyn Clock,
    pub inputs: &'a mut dyn Inputs,
}
