//! A running program: its lines come out, its end is seen, its tree is cleared away.
//!
//! One state machine and no background task: everything happens inside [`Contained::next`] while the caller waits
//! for it. So nothing is buffered beyond one read and one unfinished line per stream; a program that prints faster
//! than its lines are fetched waits at its pipe.

use std::collections::VecDeque;
use std::fmt;
use std::future;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use cogwork_schemas::ProcessIdentity;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::Instant;

use super::children::{self, Child as Entry};
use super::feed::Feed;
use super::{Bond, identified, sweep, table::Process};
use crate::clock;
use crate::lines::{Cutter, LINE_LIMIT, Line, READ_SIZE};
use crate::tail::Tail;

/// How long after a program's end its pipes are read at most: what it left running may hold them for ever.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How long after a program's end its pipes may stay quiet before they are given up. Long enough for a `tee` or
/// `cat` at their other end to be scheduled and write its last.
const DRAIN_QUIET: Duration = Duration::from_millis(200);

/// Bytes that are still read when [`DRAIN_LIMIT`] is over, as long as they are there: the most that a pipe can hold
/// of what the program itself wrote, should its caller have been slow.
const PIPE_SIZE: usize = 1 << 20;

/// How often orphans that ended by themselves are reaped while a program runs.
const REAP_EVERY: Duration = Duration::from_secs(10);

/// Bytes of its stderr that are kept.
const STDERR_TAIL: usize = 4096;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code. -1 when the status was lost, which takes a foreign `waitpid(-1)`.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Returns whether it was exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Code(code),
            None => Self::Signal(status.signal().unwrap_or_default()),
        }
    }
}

/// What a contained program did next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It printed a line to stdout.
    Stdout(Line),
    /// It printed a line to stderr.
    Stderr(Line),
    /// It ended, and its tree is gone. The last; asked again, it is repeated.
    Ended(Exit),
}

/// How a program is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// By SIGTERM, as most are.
    Terminate,
    /// By SIGINT: some take only this for a request, and die of the other without clearing up.
    Interrupt,
}

/// The same before it is cut into lines: how many bytes are in the stream's buffer.
enum Step {
    Stdout(usize),
    Stderr(usize),
    Ended(Exit),
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// It ended; its pipes may still hold something.
    Draining {
        exit: Exit,
        until: Instant,
        quiet_at: Instant,
        spare: usize,
    },
    /// Its pipes are done; what it left is to be removed.
    Clearing(Exit),
    Ended(Exit),
}

/// A running program. Go on calling [`Contained::next`] (or [`Contained::wait`]): only then is it read, fed, killed
/// when it is time, and cleared away. What dropping it does is its [`Bond`].
#[derive(Debug)]
pub struct Contained {
    pid: i32,
    entry: Entry,
    identity: ProcessIdentity,
    child: Child,
    stdin: Option<ChildStdin>,
    feed: Feed,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    stderr_tail: Tail,
    ready: VecDeque<Output>,
    bytes_read: u64,
    phase: Phase,
    kill_at: Option<Instant>,
    reap_at: Instant,
    /// Its process is only what a sandbox is made of, and would take the program along unasked.
    is_wrapped: bool,
}

impl Contained {
    pub(super) fn new(
        pid: i32,
        entry: Entry,
        mut child: Child,
        shared_output: Option<ChildStdout>,
        feed: Option<Feed>,
        is_wrapped: bool,
    ) -> Self {
        let mut stdin = child.stdin.take();
        let feed = feed.map_or_else(Feed::default, |feed| feed.into(stdin.take()));
        let own = Process { started: entry.started, ..Process::unknown(pid) };
        Self {
            pid,
            entry,
            identity: identified(own),
            stdin,
            feed,
            stdout: Pipe::new(shared_output.or_else(|| child.stdout.take())),
            stderr: Pipe::new(child.stderr.take()),
            child,
            stderr_tail: Tail::new(STDERR_TAIL),
            ready: VecDeque::new(),
            bytes_read: 0,
            phase: Phase::Running,
            kill_at: None,
            reap_at: clock::now() + REAP_EVERY,
            is_wrapped,
        }
    }

    /// Returns which process it is, also after it ended.
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Returns its stdin if it was started with [`super::Stdin::Piped`], once. Dropping that ends its input.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Writes `bytes` to its stdin if it was started with [`super::Stdin::Open`], while its output is read. Returns
    /// whether they will be: not when its input has ended, nor when it leaves 4 MiB unread.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.feed.add(bytes)
    }

    /// Ends its input, once what was said is read.
    pub fn end_input(&mut self) {
        self.feed.end();
    }

    /// Returns the end of what it printed to stderr so far, at most 4 KiB.
    pub fn stderr_tail(&self) -> String {
        self.stderr_tail.text(STDERR_TAIL)
    }

    /// Returns how many bytes it printed so far: a sign of life even of a program that ends no line.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Returns what it does next. Losing the future loses nothing.
    ///
    /// Its end is decided by the process, not by its pipes: what it left behind may hold them open. They are read
    /// until their end, or until they are quiet, for at most 2 s; then what it left is killed.
    pub async fn next(&mut self) -> Output {
        loop {
            if let Some(output) = self.ready.pop_front() {
                return output;
            }
            match self.step().await {
                Step::Stdout(count) => {
                    let lines = self.stdout.lines(count);
                    self.ready.extend(lines.map(Output::Stdout));
                }
                Step::Stderr(count) => {
                    let lines = self.stderr.lines(count);
                    self.ready.extend(lines.map(Output::Stderr));
                }
                Step::Ended(exit) => {
                    self.ready.extend(self.stdout.cutter.finish().map(Output::Stdout));
                    self.ready.extend(self.stderr.cutter.finish().map(Output::Stderr));
                    self.ready.push_back(Output::Ended(exit));
                }
            }
        }
    }

    /// Reads and drops its output until it ended and its tree is gone.
    pub async fn wait(&mut self) -> Exit {
        loop {
            if let Step::Ended(exit) = self.step().await {
                return exit;
            }
        }
    }

    /// Sends SIGTERM to its process group now, and SIGKILL to its whole tree once `grace` is over. Both its last
    /// lines and its end come from [`Contained::next`]. Asked again, only an earlier kill counts.
    pub fn interrupt(&mut self, grace: Duration) {
        self.ask_to_end(Asking::Terminate, grace);
    }

    /// [`Contained::interrupt`] with the signal that the program takes for a request to end.
    pub fn ask_to_end(&mut self, asking: Asking, grace: Duration) {
        let kill_at = clock::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(kill_at, |earlier| earlier.min(kill_at)));
        let signal = match asking {
            Asking::Terminate => Signal::TERM,
            Asking::Interrupt => Signal::INT,
        };
        if self.is_wrapped {
            sweep::signal_below(self.pid, signal);
        } else {
            self.signal_group(signal);
        }
    }

    /// [`Contained::interrupt`], then [`Contained::wait`].
    pub async fn terminate(&mut self, grace: Duration) -> Exit {
        self.interrupt(grace);
        self.wait().await
    }

    /// Sends SIGKILL to its whole tree now; its end comes from [`Contained::next`].
    pub fn kill(&mut self) {
        self.kill_at = None;
        self.signal_group(Signal::KILL);
        sweep::kill_tree_once(self.pid, self.entry);
    }

    /// Waits as [`Contained::wait`] does, showing all of stdout to `read`; interrupts it when it takes longer than
    /// `limit`. Returns how it ended, and whether it met the limit.
    pub(crate) async fn wait_limited(
        &mut self,
        limit: Duration,
        grace: Duration,
        mut read: impl FnMut(&[u8]),
    ) -> (Exit, bool) {
        let end = clock::now() + limit;
        let (mut is_over, mut timed_out) = (false, false);
        loop {
            let step = tokio::select! {
                step = self.step() => Some(step),
                () = tokio::time::sleep_until(end), if !is_over => None,
            };
            match step {
                Some(Step::Stdout(count)) => read(&self.stdout.buffer[..count]),
                Some(Step::Stderr(_)) => {}
                Some(Step::Ended(exit)) => return (exit, timed_out),
                None => {
                    is_over = true;
                    // What ended in time is only being cleared away.
                    if matches!(self.phase, Phase::Running) {
                        timed_out = true;
                        self.interrupt(grace);
                    }
                }
            }
        }
    }

    async fn step(&mut self) -> Step {
        loop {
            match self.phase {
                Phase::Ended(exit) => return Step::Ended(exit),
                Phase::Clearing(exit) => {
                    if self.entry.bond != Bond::Free {
                        sweep::clear_tree(self.pid, self.entry).await;
                    }
                    children::remove(self.pid);
                    self.phase = Phase::Ended(exit);
                }
                Phase::Draining { exit, spare: 0, .. } => self.phase = Phase::Clearing(exit),
                Phase::Draining { exit, .. } if self.stdout.is_done() && self.stderr.is_done() => {
                    self.phase = Phase::Clearing(exit);
                }
                Phase::Draining { exit, until, quiet_at, .. } => {
                    if let Some(step) = self.drain(exit, until.min(quiet_at)).await {
                        return step;
                    }
                }
                Phase::Running => {
                    if let Some(step) = self.run().await {
                        return step;
                    }
                }
            }
        }
    }

    async fn run(&mut self) -> Option<Step> {
        let wake_at = self.kill_at.map_or(self.reap_at, |kill_at| kill_at.min(self.reap_at));
        tokio::select! {
            count = self.stdout.read() => self.read_stdout(count),
            count = self.stderr.read() => self.read_stderr(count),
            () = self.feed.write() => None,
            status = self.child.wait() => {
                let exit = status.map_or(Exit::Code(-1), Exit::from);
                let now = clock::now();
                let (until, quiet_at) = (now + DRAIN_LIMIT, now + DRAIN_QUIET);
                self.phase = Phase::Draining { exit, until, quiet_at, spare: PIPE_SIZE };
                None
            }
            () = tokio::time::sleep_until(wake_at) => {
                self.on_time();
                None
            }
        }
    }

    /// Reads what is there, and gives up at `end` when nothing is.
    async fn drain(&mut self, exit: Exit, end: Instant) -> Option<Step> {
        tokio::select! {
            biased; // so that what is there goes before the time
            count = self.stdout.read() => self.read_stdout(count),
            count = self.stderr.read() => self.read_stderr(count),
            () = tokio::time::sleep_until(end) => {
                self.phase = Phase::Clearing(exit);
                None
            }
        }
    }

    fn read_stdout(&mut self, count: usize) -> Option<Step> {
        self.note(count);
        (count > 0).then_some(Step::Stdout(count))
    }

    fn read_stderr(&mut self, count: usize) -> Option<Step> {
        self.note(count);
        self.stderr_tail.push(&self.stderr.buffer[..count]);
        (count > 0).then_some(Step::Stderr(count))
    }

    fn note(&mut self, count: usize) {
        self.bytes_read += count as u64;
        if let Phase::Draining { until, quiet_at, spare, .. } = &mut self.phase {
            let now = clock::now();
            *quiet_at = now + DRAIN_QUIET;
            if now >= *until {
                *spare = spare.saturating_sub(count);
            }
        }
    }

    fn on_time(&mut self) {
        let now = clock::now();
        if self.kill_at.is_some_and(|kill_at| kill_at <= now) {
            self.kill();
        }
        if self.reap_at <= now {
            self.reap_at = now + REAP_EVERY;
            sweep::reap_adopted();
        }
    }

    /// Signals its process group while it runs: only then is its number certainly its own.
    fn signal_group(&self, signal: Signal) {
        let is_unreaped = self.child.id().is_some();
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| is_unreaped) {
            // Fails only when the group has ended already.
            rustix::process::kill_process_group(pid, signal).ok();
        }
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        match (self.phase, self.entry.bond) {
            (Phase::Ended(_), _) | (_, Bond::Free) => {}
            (Phase::Running | Phase::Draining { .. } | Phase::Clearing(_), Bond::Killed) => {
                self.kill();
                children::remove(self.pid);
            }
            (Phase::Running | Phase::Draining { .. } | Phase::Clearing(_), Bond::Asked) => {
                self.signal_group(Signal::TERM);
            }
        }
    }
}

/// One of its output streams.
#[derive(Debug)]
struct Pipe<R> {
    reader: Option<R>,
    buffer: Box<[u8]>,
    cutter: Cutter,
    lines: VecDeque<Line>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(reader: Option<R>) -> Self {
        Self {
            buffer: vec![0; if reader.is_some() { READ_SIZE } else { 0 }].into(),
            reader,
            cutter: Cutter::new(LINE_LIMIT),
            lines: VecDeque::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.reader.is_none()
    }

    /// Reads into the buffer; 0 at the end, after which it never returns again.
    async fn read(&mut self) -> usize {
        let Some(reader) = &mut self.reader else {
            return future::pending().await;
        };
        // A pipe that fails is as good as ended.
        let count = reader.read(&mut self.buffer).await.unwrap_or(0);
        if count == 0 {
            self.reader = None;
        }
        count
    }

    fn lines(&mut self, count: usize) -> impl Iterator<Item = Line> {
        self.cutter.push(&self.buffer[..count], &mut self.lines);
        self.lines.drain(..)
    }
}
