//! The session's own record, `.cogwork/sessions/s<ID>/journal.ndjson`: every message of the session, one per line.
//!
//! For people who want to know later what an agent did. It is bounded, and it is never in the way: when it cannot be
//! written, the session goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cogwork_schemas::{AgentEvent, SessionId};
use cogwork_store::state_dir;

/// How large it gets, in bytes. A long session of a talkative agent needs a few.
const MAX_BYTES: u64 = 16 << 20;

/// Returns the directory of a session's own files: `.cogwork/sessions/s<ID>`.
pub(crate) fn session_dir(project: &Path, session: SessionId) -> PathBuf {
    state_dir(project).join("sessions").join(session.to_string())
}

/// An open session journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<File>,
    left: u64,
}

/// Whether the journal still takes everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// The line is in it, or the journal was given up before.
    Enough,
    /// The line did not fit; from now on only what must not be missing is written.
    JustFilled,
}

impl Journal {
    /// Opens the journal of a session, in a directory that is made if it is not there.
    ///
    /// # Errors
    /// When that directory cannot be made, without which there is no session.
    pub(crate) fn of_session(project: &Path, session: SessionId) -> io::Result<Self> {
        let dir = session_dir(project, session);
        fs::create_dir_all(&dir)?;
        Ok(Self::open(&dir.join("journal.ndjson"), MAX_BYTES))
    }

    /// Opens the journal, which is made if it is not there.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> Self {
        let file = match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!("the session journal {} cannot be written: {error}", path.display());
                None
            }
        };
        Self { file, left: max_bytes }
    }

    /// Writes a line if there is room for it.
    pub(crate) fn offer(&mut self, line: &str) -> Room {
        let length = line.len() as u64 + 1;
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                self.write(line);
                Room::Enough
            }
            None if self.left == 0 => Room::Enough,
            None => {
                self.left = 0;
                Room::JustFilled
            }
        }
    }

    /// Writes a line that must not be missing, room or not. There are few of them.
    pub(crate) fn write(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!("the session journal is given up: {error}");
            self.file = None;
        }
    }
}

/// Returns what the journal says once it is full.
pub(crate) fn full_note() -> AgentEvent {
    AgentEvent::Other {
        line: format!(
            "this journal is full ({} MiB): what the agent says is left out from here on",
            MAX_BYTES >> 20
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_journal_says_so_once_and_still_takes_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.ndjson");
        let mut journal = Journal::open(&path, 10);
        assert_eq!(journal.offer("12345"), Room::Enough);
        assert_eq!(journal.offer("6789"), Room::JustFilled);
        assert_eq!(journal.offer(""), Room::Enough);
        journal.write("the end");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "12345\nthe end\n");
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_no_reason_to_stop() {
        let mut journal = Journal::open(Path::new("/no/such/directory/journal.ndjson"), 10);
        assert_eq!(journal.offer("x"), Room::Enough);
    }
}
