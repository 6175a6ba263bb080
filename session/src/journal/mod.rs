//! The session's own record, `.cogwork/sessions/s<ID>/journal.ndjson`: every message of the session, one per line.
//!
//! For people who want to know later what an agent did. It is bounded, and it is never in the way: when it cannot be
//! written, the session goes on. A file that is full gets a number and a new one is begun; the first keeps the
//! session's beginning, the last ones its end, and what lay between is left out and said so.

mod files;
mod reader;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use cogwork_schemas::{RunnerEvent, RunnerMessage, SessionId};
use jiff::Timestamp;

pub use files::session_dir;
pub(crate) use files::{KEPT_SESSIONS, prune, sessions};
pub(crate) use reader::{Found, Reader};

/// How large it may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// One file, in bytes. A line that is longer has one for itself.
    pub(crate) file: u64,
    /// Full files that are kept besides the first.
    pub(crate) kept: usize,
}

impl Default for Bounds {
    /// 16 MiB in all: the whole of most sessions, and hours at either end of a talkative one.
    fn default() -> Self {
        Self { file: 4 << 20, kept: 2 }
    }
}

/// An open session journal.
#[derive(Debug)]
pub struct Journal {
    session: SessionId,
    dir: PathBuf,
    bounds: Bounds,
    /// `None` when it cannot be written.
    file: Option<File>,
    /// What the current file holds.
    bytes: u64,
    /// What was left out so far.
    left_out: u64,
    machine: Lines,
}

impl Journal {
    /// Opens the journal of a session, in a directory that is made if it is not there.
    ///
    /// # Errors
    /// When that directory cannot be made, without which there is no session.
    pub fn of_session(project: &Path, session: SessionId) -> io::Result<Self> {
        let dir = session_dir(project, session);
        fs::create_dir_all(&dir)?;
        Ok(Self::open(&dir, session, Bounds::default()))
    }

    /// Opens the journal in a directory, or begins it.
    pub(crate) fn open(dir: &Path, session: SessionId, bounds: Bounds) -> Self {
        let mut journal = Self {
            session,
            dir: dir.to_owned(),
            bounds,
            file: None,
            bytes: 0,
            left_out: 0,
            machine: Lines::Unopened,
        };
        let path = files::current(dir);
        match resume(&path) {
            Ok((file, bytes)) => {
                journal.left_out = left_out(&path);
                (journal.file, journal.bytes) = (Some(file), bytes);
            }
            Err(error) => tracing::warn!("the session journal {} cannot be written: {error}", path.display()),
        }
        journal
    }

    /// Adds a line.
    pub(crate) fn write(&mut self, at: Timestamp, line: &str) {
        let length = line.len() as u64 + 1;
        let is_full = self.bytes > 0 && self.bytes + length > self.bounds.file;
        if self.file.is_some()
            && is_full
            && let Err(error) = self.turn(at)
        {
            self.give_up(&error);
        }
        self.append(line);
    }

    /// Adds a line to the record of the session's machine; `last` is the line for a file that is full.
    pub(crate) fn write_step(&mut self, line: &str, last: &str) {
        self.machine.add(&files::machine(&self.dir), line, last);
    }

    fn append(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        let line = format!("{line}\n");
        self.bytes += line.len() as u64;
        // In one piece, so that a kill leaves at most one half line, at the end.
        if let Err(error) = file.write_all(line.as_bytes()) {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!("the session journal is given up: {error}");
        self.file = None;
    }

    /// Begins a new file, and lets go of what is between the first one and those that are kept.
    fn turn(&mut self, at: Timestamp) -> io::Result<()> {
        let mut full = files::full_parts(&self.dir);
        let number = full.last().map_or(1, |last| last.saturating_add(1));
        fs::rename(files::current(&self.dir), files::full(&self.dir, number))?;
        full.insert(number);
        let (file, bytes) = resume(&files::current(&self.dir))?;
        (self.file, self.bytes) = (Some(file), bytes);
        let surplus = full.len().saturating_sub(1 + self.bounds.kept);
        for number in full.into_iter().skip(1).take(surplus) {
            let path = files::full(&self.dir, number);
            self.left_out += fs::metadata(&path)?.len();
            fs::remove_file(&path)?;
        }
        if self.left_out > 0 {
            let event = RunnerEvent::LeftOut { bytes: self.left_out };
            self.append(&crate::json::line(&RunnerMessage { at, session: self.session, event }));
        }
        Ok(())
    }
}

/// Opens a file to be added to, after whole lines only; returns what it holds already.
fn resume(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).create(true).append(true).open(path)?;
    let mut bytes = file.metadata()?.len();
    if bytes > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok((file, bytes))
}

/// Returns what was left out before a file was begun, as its first line says.
fn left_out(path: &Path) -> u64 {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut first));
    match read.map(|_| serde_json::from_slice::<RunnerMessage>(&first)) {
        Ok(Ok(RunnerMessage { event: RunnerEvent::LeftOut { bytes }, .. })) => bytes,
        Ok(_) | Err(_) => 0,
    }
}

/// How large the record of a machine gets, in bytes. It grows with time and not with what is said: by some ten KiB in
/// an hour, or by half a MiB where each reading of the memory counts.
const MAX_MACHINE: u64 = 8 << 20;

/// The record of the session's machine. It is written once, from its beginning, and is of no use without that.
#[derive(Debug)]
enum Lines {
    Unopened,
    Open {
        file: File,
        left: u64,
    },
    /// Full, or it cannot be written.
    Closed,
}

impl Lines {
    fn add(&mut self, path: &Path, line: &str, last: &str) {
        if matches!(self, Self::Unopened) {
            *self = match File::create(path) {
                Ok(file) => Self::Open { file, left: MAX_MACHINE },
                Err(error) => closed(&error),
            };
        }
        let Self::Open { file, left } = self else { return };
        let length = line.len() as u64 + 1;
        let fits = length <= *left;
        *left = left.saturating_sub(length);
        let text = format!("{}\n", if fits { line } else { last });
        match file.write_all(text.as_bytes()) {
            Ok(()) if fits => {}
            Ok(()) => *self = Self::Closed,
            Err(error) => *self = closed(&error),
        }
    }
}

fn closed(error: &io::Error) -> Lines {
    tracing::warn!("the record of the session's machine is given up: {error}");
    Lines::Closed
}

/// Returns the record of a session's machine, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn machine_record(dir: &Path) -> io::Result<Option<String>> {
    match fs::read(files::machine(dir)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
