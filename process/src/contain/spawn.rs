//! Starting a program: complete environment, own session, tied to our life.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;
use tokio::process::{ChildStdout, Command};

use super::children;
use super::contained::Contained;
use super::feed::Feed;
use super::os;
use super::sandbox::{Around, Sandbox};

/// What a program reads on its stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing.
    Null,
    /// What the caller writes to [`Contained::take_stdin`].
    Piped,
    /// These bytes, then the end. They are fed while its output is read; a program that does not want them is
    /// neither waited for nor an error.
    Bytes(Vec<u8>),
    /// These bytes, fed in the same way, then what [`Contained::say`] adds, until [`Contained::end_input`].
    Open(Vec<u8>),
}

/// Where a program's stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Into a stream of its own.
    Piped,
    /// Into the same pipe as its stdout, so that the order of both is kept.
    WithStdout,
}

/// What happens to a program when this process dies, or drops its handle before the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// It is killed. What it leaves is cleared away by us: agents, checks.
    Killed,
    /// It is sent SIGTERM and clears away its own tree, being a subreaper itself: runners.
    Asked,
    /// Nothing: it finishes what it does, leaves nothing, and no sweep touches it: git.
    Free,
}

impl Bond {
    fn death_signal(self) -> Option<Signal> {
        match self {
            Self::Killed => Some(Signal::KILL),
            Self::Asked => Some(Signal::TERM),
            Self::Free => None,
        }
    }
}

/// A program to start.
#[derive(Debug, Clone)]
pub struct Spawn {
    /// Its path, or its name to be looked up in the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Where it works.
    pub cwd: PathBuf,
    /// Its complete environment; nothing is inherited. See [`crate::base_env`].
    pub env: Vec<(OsString, OsString)>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where its stderr goes.
    pub stderr: Stderr,
    /// How it is tied to our life.
    pub bond: Bond,
    /// Where it and all that it starts may write; everywhere when there is none.
    pub sandbox: Option<Sandbox>,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing of that name is in the `PATH`, or at that path.
    #[error("there is no program `{program}`: install it, or check its name and the PATH")]
    NoProgram { program: String },
    /// The directory to work in is missing.
    #[error("there is no directory {} to start `{program}` in", dir.display())]
    NoDirectory { program: String, dir: PathBuf },
    /// Anything else, for example a file that is not executable.
    #[error("`{program}` cannot be started: {reason}")]
    Other { program: String, reason: String },
}

impl Spawn {
    /// Returns a program without arguments, environment and stdin, with its own stderr and [`Bond::Killed`].
    pub fn new(program: impl Into<OsString>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: cwd.into(),
            env: Vec::new(),
            stdin: Stdin::Null,
            stderr: Stderr::Piped,
            bond: Bond::Killed,
            sandbox: None,
        }
    }

    /// Starts it in a session of its own. Call it inside a current-thread runtime, on that runtime's own thread: to
    /// the kernel the thread is the parent, and a program dies with its parent.
    ///
    /// # Errors
    ///
    /// [`StartError`], which tells a missing program from a missing directory.
    pub fn start(self) -> Result<Contained, StartError> {
        let program = self.program.to_string_lossy().into_owned();
        let dir = self.cwd.clone();
        self.spawn().map_err(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                let reason = error.to_string();
                StartError::Other { program, reason }
            } else if dir.is_dir() {
                StartError::NoProgram { program }
            } else {
                StartError::NoDirectory { program, dir }
            }
        })
    }

    fn spawn(mut self) -> io::Result<Contained> {
        os::become_subreaper()?;
        let rules = match self.sandbox.take() {
            Some(sandbox) => sandbox.put_around(&mut self)?,
            None => Around::Nothing,
        };
        let is_wrapped = matches!(rules, Around::Program);
        let (mut command, shared_output) = self.command()?;
        leave_our_session(&mut command, self.bond.death_signal(), rules);
        let (pid, entry, child) = children::add(self.bond, || command.spawn())?;
        // It holds the other end of the shared pipe, whose end we would never see.
        drop(command);
        let feed = match self.stdin {
            Stdin::Bytes(bytes) => Some(Feed::new(bytes, false)),
            Stdin::Open(bytes) => Some(Feed::new(bytes, true)),
            Stdin::Null | Stdin::Piped => None,
        };
        Ok(Contained::new(pid, entry, child, shared_output, feed, is_wrapped))
    }

    fn command(&self) -> io::Result<(Command, Option<ChildStdout>)> {
        #[expect(clippy::disallowed_methods, reason = "this is the door: all programs are started here")]
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.cwd).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(match self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Piped | Stdin::Bytes(_) | Stdin::Open(_) => Stdio::piped(),
        });
        match self.stderr {
            Stderr::Piped => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                Ok((command, None))
            }
            Stderr::WithStdout => {
                let (reader, writer) = io::pipe()?;
                command.stdout(writer.try_clone()?).stderr(writer);
                let reader = std::process::ChildStdout::from(std::os::fd::OwnedFd::from(reader));
                Ok((command, Some(ChildStdout::from_std(reader)?)))
            }
        }
    }
}

/// Has the new process leave our session, ask for `signal` at our death and obey the kernel's rules of a sandbox, before
/// it becomes the program.
#[expect(unsafe_code, reason = "the kernel has no other way to tie a child to its parent's life")]
fn leave_our_session(command: &mut Command, signal: Option<Signal>, rules: Around) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        rustix::process::setsid()?;
        if let Some(signal) = signal {
            os::set_death_signal(signal)?;
            // If we died before it asked, it will never be told: it must not become the program.
            if cfg!(target_os = "linux") && rustix::process::getppid() != Some(parent) {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
        }
        rules.obey()
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed. It makes up to five
    // system calls (setsid, prctl twice, getppid, landlock_restrict_self), allocates nothing, takes no lock and touches
    // no memory but its own copies of integers.
    unsafe {
        command.pre_exec(prepare);
    }
}
