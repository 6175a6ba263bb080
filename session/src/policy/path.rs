//! Where an agent may write and read. Symbolic links are resolved by a function that the caller gives.

use std::path::{Component, Path, PathBuf};

use super::Denied;
use super::lists::{HARMLESS_DEVICES, SECRET_PLACES};
use super::word::{GLOB, Word};

/// The places of one session.
pub struct Place<'a> {
    /// Where the agent works; without symbolic links.
    pub workspace: PathBuf,
    /// Cogwork's state of the project, whose workspaces lie in it.
    pub state: PathBuf,
    /// The home directory of the user.
    pub home: Option<PathBuf>,
    /// Directories for what is not kept.
    pub temporary: Vec<PathBuf>,
    /// Returns where an absolute path leads, symbolic links and `..` resolved, whether it exists or not.
    pub resolve: &'a dyn Fn(&Path) -> PathBuf,
}

impl Place<'_> {
    /// Returns what a word means as a path, `~` resolved, seen from `dir`.
    pub(super) fn at(&self, dir: &Path, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            (Some(_) | None, _) => dir.join(path),
        }
    }

    /// Judges an absolute path that would be written; `by_shell` adds what command lines write to without harm.
    pub(super) fn writable(&self, path: &Path, more: &[PathBuf], by_shell: bool) -> Result<(), Denied> {
        let shown = path.display();
        let real = (self.resolve)(path);
        if self.is_state(&real) {
            return Err(Denied::new(format!(
                "`{shown}` belongs to Cogwork, which writes it itself: use the tools of the MCP server `features`"
            )));
        }
        let is_below = |dir: &PathBuf| real.starts_with((self.resolve)(dir));
        let is_scratch = || {
            let is_device = HARMLESS_DEVICES.iter().any(|device| real == Path::new(device))
                || path.starts_with("/dev/fd");
            is_device || self.temporary.iter().any(is_below)
        };
        if real.starts_with(&self.workspace) || more.iter().any(is_below) || (by_shell && is_scratch()) {
            return Ok(());
        }
        Err(Denied::new(format!(
            "`{shown}` is outside the workspace {}: write inside it only",
            self.workspace.display()
        )))
    }

    /// Judges an absolute path that would be read.
    pub(super) fn readable(&self, path: &Path) -> Result<(), Denied> {
        let real = (self.resolve)(path);
        let shown = path.display();
        if self.is_state(&real) {
            return Err(Denied::new(format!(
                "`{shown}` belongs to Cogwork: ask the MCP server `features` for what you need"
            )));
        }
        if self.secrets().any(|secret| real.starts_with(&secret) || path.starts_with(&secret)) {
            return Err(Denied::new(format!("`{shown}` is where secrets are kept: work without it")));
        }
        if is_process_memory(&real) || is_process_memory(path) {
            return Err(Denied::new(format!("`{shown}` shows the secrets of a process: work without it")));
        }
        Ok(())
    }

    /// Judges a word of a command line that may be a path, or hold one.
    pub(super) fn word_readable(&self, dir: Option<&Path>, word: &Word) -> Result<(), Denied> {
        for part in parts(word.prefix()) {
            let Some(dir) = dir.or_else(|| part.starts_with(['/', '~']).then(|| Path::new("/"))) else {
                continue;
            };
            if part.is_empty() && word.unknown() != Some(GLOB) {
                continue;
            }
            let path = self.at(dir, part);
            self.readable(&path)?;
            if word.known().is_none() && self.may_become_secret(&path, part, word) {
                return Err(Denied::new(format!(
                    "`{part}…` may lead to secrets or to Cogwork's own files: write the path out"
                )));
            }
        }
        Ok(())
    }

    /// Returns whether what follows the known beginning of a word could lead where it must not.
    fn may_become_secret(&self, path: &Path, part: &str, word: &Word) -> bool {
        let known = lexical(path);
        let is_cut_in_name = !part.ends_with('/');
        let begins_secret = |secret: &Path| {
            let (Some(known), Some(secret)) = (known.to_str(), secret.to_str()) else { return false };
            let Some(rest) = secret.strip_prefix(known) else { return false };
            let rest = if is_cut_in_name { rest } else { rest.trim_start_matches('/') };
            // `*` matches no name that begins with a dot; and what a variable adds to a directory can be anything.
            is_cut_in_name && !rest.is_empty() && !rest.starts_with('/')
                || (!is_cut_in_name && word.unknown() == Some(GLOB) && !rest.starts_with('.'))
        };
        self.secrets().chain([self.state.clone()]).any(|secret| begins_secret(&secret))
    }

    fn secrets(&self) -> impl Iterator<Item = PathBuf> {
        self.home.iter().flat_map(|home| SECRET_PLACES.iter().map(|place| home.join(place)))
    }

    /// A workspace lies in the state, but is the agent's; a shared one has the state in it, which is not.
    fn is_state(&self, real: &Path) -> bool {
        let own = self.workspace.starts_with(&self.state) && real.starts_with(&self.workspace);
        real.starts_with(&self.state) && !own
    }
}

/// Returns the parts of a word that may be paths: the word, what is behind `=`, `:`, `@` or `,`, and what is glued to
/// an option of one letter.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let glued = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| rest.get(1..));
    word.match_indices(['=', ':', '@', ','])
        .map(|(at, found)| &word[at + found.len()..])
        .chain([word])
        .chain(glued)
}

fn is_process_memory(path: &Path) -> bool {
    path.starts_with("/proc") && path.file_name().is_some_and(|name| name == "environ" || name == "mem")
}

/// Returns an absolute path without `.`, `..` and doubled slashes, as it reads.
pub fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}
