//! The socket of a run: a second terminal asks something of it, and is answered.
//!
//! It lies in a directory that only its user can enter, outside of the project. Whoever descends from the run is one of
//! its own agents, or was started by one, and is refused: an agent does not decide how long it may go on. What is on the
//! wire is a line of JSON each way: a [`Command`], and a [`CommandReply`].

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::{Asker, Command, CommandReply};
use cogwork_session::Environment;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::ports::{Input, Replies, RequestId};
use crate::run_lock::{RunLock, RunLockError};

/// The longest command, in bytes.
const LONGEST: u64 = 4_096;
/// How long somebody who has connected may take to say what is wanted.
const TO_ASK: Duration = Duration::from_secs(5);
/// How long an answer may take: it is given when the command is written down, for which a database may have to be waited for.
const TO_ANSWER: Duration = Duration::from_secs(20);
/// How many are heard at the same time.
const CONNECTIONS: usize = 16;

type Waiting = Arc<Mutex<BTreeMap<RequestId, oneshot::Sender<CommandReply>>>>;

/// The socket, and whoever waits for an answer. Dropped, it is removed.
pub struct CommandSocket {
    path: PathBuf,
    waiting: Waiting,
    accepting: AbortHandle,
}

impl CommandSocket {
    /// Makes the socket of this process. What is asked over it goes to `inputs`.
    ///
    /// # Errors
    ///
    /// When there is no directory that is this user's alone, or the socket cannot be made there.
    pub fn listen(own: &Environment, inputs: Sender<Input>) -> io::Result<Self> {
        let dir = private_dir(own)?;
        remove_stale(&dir);
        let path = dir.join(format!("run-{}.sock", std::process::id()));
        // Of an earlier process with this number.
        fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path)?;
        let waiting = Waiting::default();
        let desk = Desk { waiting: Arc::clone(&waiting), inputs };
        Ok(Self { path, waiting, accepting: tokio::spawn(desk.accept_all(listener)).abort_handle() })
    }

    /// Returns where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A run without a socket is asked nothing by it.
impl Replies for Option<CommandSocket> {
    fn reply(&mut self, id: RequestId, reply: CommandReply) {
        let Some(socket) = self else { return };
        let asker = socket.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // One who went away does not want to know.
        asker.map(|asker| asker.send(reply).ok());
    }
}

impl Drop for CommandSocket {
    fn drop(&mut self) {
        self.accepting.abort();
        fs::remove_file(&self.path).ok();
    }
}

/// Returns the directory for sockets, which is this user's alone: that of the user's session, or one in the directory for
/// temporary files.
fn private_dir(own: &Environment) -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let dir =
        match own.get("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir()) {
            Some(dir) => dir.join("cogwork"),
            None => {
                let temporary = own.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
                temporary.join(format!("cogwork-{user}"))
            }
        };
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // In a directory that everybody may write to, somebody else could have been first.
    let found = fs::symlink_metadata(&dir)?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0 {
        Ok(dir)
    } else {
        Err(io::Error::other(format!("{} is not a directory of this user's alone", dir.display())))
    }
}

/// Removes the sockets of runs that were killed: nobody listens there any more.
fn remove_stale(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // By its name: to connect could wait for one that hears nobody.
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix("run-")?.strip_suffix(".sock")?.parse().ok());
        let is_dead = |pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if pid.and_then(rustix::process::Pid::from_raw).is_some_and(is_dead) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Who takes what is asked.
struct Desk {
    waiting: Waiting,
    inputs: Sender<Input>,
}

impl Desk {
    async fn accept_all(self, listener: UnixListener) {
        let (desk, turns) = (Arc::new(self), Arc::new(tokio::sync::Semaphore::new(CONNECTIONS)));
        let mut last_id = 0;
        while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                // No file is left to be opened, perhaps: not for ever.
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            last_id += 1;
            let (desk, id) = (Arc::clone(&desk), RequestId(last_id));
            tokio::spawn(async move {
                // Who asked may be gone before the answer.
                desk.serve(stream, id).await.ok();
                drop(turn);
            });
        }
    }

    async fn serve(&self, mut stream: UnixStream, id: RequestId) -> io::Result<()> {
        let reply = match self.ask(&mut stream, id).await {
            Ok(reply) => reply,
            Err(reason) => CommandReply::Refused { reason },
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        timeout(TO_ASK, stream.write_all(&line)).await?
    }

    async fn ask(&self, stream: &mut UnixStream, id: RequestId) -> Result<CommandReply, String> {
        // At once, while it is there. Whoever is refused takes nobody's turn.
        let by = asker(stream)?;
        let mut line = Vec::new();
        let read = async {
            tokio::io::BufReader::new(&mut *stream).take(LONGEST).read_until(b'\n', &mut line).await
        };
        match timeout(TO_ASK, read).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("the command cannot be read: {error}")),
            Err(_) => return Err(format!("no command came within {} s", TO_ASK.as_secs())),
        }
        let command: Command =
            serde_json::from_slice(&line).map_err(|error| format!("this is no command: {error}"))?;
        let (asker, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, asker);
        let is_over = |_| "the run is over".to_owned();
        self.inputs
            .send(Input::Command { id, command, by })
            .await
            .map_err(|_| "the run is over".to_owned())?;
        answer.await.map_err(is_over)
    }
}

/// Returns who is at the other end, if that is somebody who may ask.
fn asker(stream: &UnixStream) -> Result<Asker, String> {
    let peer = stream.peer_cred().map_err(|error| format!("the system does not tell who asks: {error}"))?;
    if peer.uid() != rustix::process::getuid().as_raw() {
        return Err("only the user whose run it is may ask".to_owned());
    }
    let pid = peer.pid().filter(|pid| *pid > 0).ok_or("the system does not tell which process asks")?;
    match contain::descends_from_us(pid) {
        Some(false) => Ok(Asker::Process { pid }),
        Some(true) => Err("an agent, and whatever it has started, may ask nothing of its own run".to_owned()),
        // One that has ended meanwhile could be anybody's.
        None => Err("the process that asks is gone".to_owned()),
    }
}

/// Why a command did not reach a run.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no run is under way in {}", project.display())]
    NoRun { project: PathBuf },
    #[error(
        "the run (process {pid}) takes no commands: its socket is not there. `kill -INT {pid}` lets it finish what runs"
    )]
    NoSocket { pid: i32 },
    #[error("the run (process {pid}) did not answer within {} s, and may have done it or do it yet: its database may be busy, see `cogwork why`", TO_ANSWER.as_secs())]
    Late { pid: i32 },
    #[error("the run (process {pid}) is over, or about to be")]
    Over { pid: i32 },
    #[error(transparent)]
    Lock(#[from] RunLockError),
    #[error("the run cannot be asked: {0}")]
    Io(#[from] io::Error),
}

/// Asks something of the run that is under way in a project, and waits for its answer.
///
/// # Errors
///
/// When there is no such run, or it cannot be asked or does not answer.
pub fn ask(project: &Path, command: Command) -> Result<CommandReply, AskError> {
    let holder = RunLock::holder(project)?.ok_or_else(|| AskError::NoRun { project: project.to_owned() })?;
    let pid = holder.process.pid;
    let path = holder.socket.ok_or(AskError::NoSocket { pid })?;
    let mut stream = match net::UnixStream::connect(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(AskError::NoSocket { pid }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(AskError::Over { pid }),
        stream => stream?,
    };
    stream.set_read_timeout(Some(TO_ANSWER))?;
    let mut line = serde_json::to_vec(&command).map_err(io::Error::from)?;
    line.push(b'\n');
    // One that refuses does not wait for the command, and has said why.
    let written = stream.write_all(&line);
    let mut answer = String::new();
    match BufReader::new(stream.take(64 << 10)).read_line(&mut answer) {
        Ok(0) => written.map_or_else(|error| Err(error.into()), |()| Err(AskError::Over { pid })),
        Ok(_) => Ok(serde_json::from_str(&answer).map_err(io::Error::from)?),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(AskError::Late { pid })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(AskError::Over { pid }),
        Err(error) => Err(error.into()),
    }
}
