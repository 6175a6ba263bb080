//! Where a session's own files lie, and how many sessions' files are kept.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cogwork_schemas::SessionId;
use cogwork_store::{state_dir, workspace_dir};

/// How many sessions keep their files, the newest ones. Enough to look back over a long run; at 16 MiB for the most
/// talkative and some hundred KiB for most, little enough for a disk.
pub(crate) const KEPT_SESSIONS: usize = 200;

/// The journal that is written to.
const CURRENT: &str = "journal.ndjson";

fn sessions_dir(project: &Path) -> PathBuf {
    state_dir(project).join("sessions")
}

/// Returns the directory of a session's own files: `.cogwork/sessions/s<ID>`.
pub fn session_dir(project: &Path, session: SessionId) -> PathBuf {
    sessions_dir(project).join(session.to_string())
}

/// Returns the sessions whose files are there, in order.
pub(crate) fn sessions(project: &Path) -> Vec<SessionId> {
    let entries = fs::read_dir(sessions_dir(project)).into_iter().flatten().flatten();
    let id = |name: &str| name.parse().ok().filter(|id: &SessionId| id.to_string() == name);
    let mut found: Vec<SessionId> = entries.filter_map(|entry| id(entry.file_name().to_str()?)).collect();
    found.sort_unstable();
    found
}

/// Removes the files of the oldest sessions, so that `kept` of them have some. Those of a session that is `live`, or
/// whose workspace is still there, stay in any case.
pub(crate) fn prune(project: &Path, kept: usize, live: &BTreeSet<SessionId>) {
    let sessions = sessions(project);
    let surplus = sessions.len().saturating_sub(kept);
    let is_over = |id: &&SessionId| !live.contains(id) && !workspace_dir(project, **id).exists();
    for id in sessions.iter().take(surplus).filter(is_over) {
        let dir = session_dir(project, *id);
        match fs::remove_dir_all(&dir) {
            // Another runner of the same project does the same at its start.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("the old files in {} cannot be removed: {error}", dir.display());
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Returns the path of the journal that is written to.
pub(super) fn current(dir: &Path) -> PathBuf {
    dir.join(CURRENT)
}

/// Returns the path of a part of the journal that is full; they are numbered from 1.
pub(super) fn full(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("journal.{number}.ndjson"))
}

/// Returns the path of the record of a session's machine.
pub(super) fn machine(dir: &Path) -> PathBuf {
    dir.join("machine.ndjson")
}

/// Returns the numbers of the full parts that are there.
pub(super) fn full_parts(dir: &Path) -> BTreeSet<u32> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_prefix("journal.")?.strip_suffix(".ndjson")?.parse().ok();
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_old_sessions_go_but_not_those_of_live_or_unfinished_ones() {
        let project = tempfile::tempdir().unwrap();
        let project = project.path();
        for id in 1..=12 {
            fs::create_dir_all(session_dir(project, SessionId(id)).join("home")).unwrap();
        }
        fs::create_dir_all(sessions_dir(project).join("a person's notes")).unwrap();
        fs::create_dir_all(workspace_dir(project, SessionId(3))).unwrap();
        prune(project, 5, &[SessionId(2)].into());
        let left: Vec<i64> = sessions(project).iter().map(|id| id.0).collect();
        assert_eq!(left, [2, 3, 8, 9, 10, 11, 12]);
        assert!(sessions_dir(project).join("a person's notes").exists());
        prune(project, 5, &BTreeSet::new());
        assert!(!sessions(project).contains(&SessionId(2)));
    }
}
