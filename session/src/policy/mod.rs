//! The command policy: what an agent's command lines and file tools may do.
//!
//! It owns the rules ([`Policy`]), their files' format (`rules`) and the reading of command lines (`script`): every
//! command that a line would run is found and judged, and what cannot be known without running it is refused. It
//! talks to nobody: files, symbolic links and the agent are its callers' matter. It never runs anything, and never
//! claims to be a wall: a program that a line starts does what it likes, which only a sandbox confines.

mod command;
mod expand;
mod git;
mod lists;
mod path;
mod program;
mod redirect;
mod rules;
mod script;
mod shell;
mod word;

use std::path::{Path, PathBuf};

pub use path::{Place, lexical};
pub use rules::{Layer, PolicyError};

/// How long a command line may be, in bytes: longer than anything a person would want to read.
const MAX_LINE: usize = 64 << 10;

/// Why something is refused, in a sentence for the agent: what, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    /// The sentence.
    pub reason: String,
}

impl Denied {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The rules in force: what is built in, and what the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The organisation's files first, the project's last.
    layers: Vec<Layer>,
}

impl Policy {
    /// Returns the built-in rules with those of `layers`, the organisation's first.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers }
    }

    /// Judges a line of shell that would be run in `dir`.
    ///
    /// # Errors
    ///
    /// [`Denied`] for the first command that the policy refuses, and for a line that cannot be read.
    pub fn judge_line(&self, place: &Place<'_>, dir: &Path, line: &str) -> Result<(), Denied> {
        if line.len() > MAX_LINE {
            let length = line.len();
            return Err(Denied::new(format!(
                "a command line of {length} bytes is too long to be judged: write it to a script in the workspace"
            )));
        }
        script::judge(self, place, dir, line)
    }

    /// Judges a file that a tool of the agent would write.
    ///
    /// # Errors
    ///
    /// [`Denied`] for a path outside the workspace and the directories that the policy names.
    pub fn judge_write(&self, place: &Place<'_>, path: &Path) -> Result<(), Denied> {
        place.writable(path, &self.writable(place), false)
    }

    /// Judges a file or directory that a tool of the agent would read.
    ///
    /// # Errors
    ///
    /// [`Denied`] for Cogwork's own state and for places where people keep their secrets.
    pub fn judge_read(&self, place: &Place<'_>, path: &Path) -> Result<(), Denied> {
        place.readable(path)
    }

    /// Judges a pattern of files that a tool of the agent would look for in `dir`.
    ///
    /// # Errors
    ///
    /// As [`Self::judge_read`], also where the pattern only might lead there.
    pub fn judge_pattern(&self, place: &Place<'_>, dir: &Path, pattern: &str) -> Result<(), Denied> {
        let word = word::Word { pattern: word::with_globs(pattern), splits: true };
        place.word_readable(Some(dir), &word)
    }

    /// Only what is listed may be run.
    fn is_listed_only(&self) -> bool {
        self.layers.iter().any(|layer| layer.mode == Some(rules::Mode::Listed))
    }

    /// What cannot be known may be run. What any file denies is denied.
    fn trusts_unknown(&self) -> bool {
        rules::Answer::of(self.layers.iter().filter_map(|layer| layer.unknown))
    }

    /// What lies elsewhere, a remote repository or a registry, may be changed.
    fn trusts_remote(&self) -> bool {
        rules::Answer::of(self.layers.iter().filter_map(|layer| layer.remote))
    }

    /// Returns the file that blocks a command.
    fn blocked_by(&self, place: &Place<'_>, dir: Option<&Path>, command: &str) -> Option<&str> {
        let blocks = |layer: &&Layer| layer.block.iter().any(|entry| entry.matches_any(place, dir, command));
        self.layers.iter().find(blocks).map(|layer| layer.file.as_str())
    }

    fn is_allowed(&self, place: &Place<'_>, dir: Option<&Path>, command: &str) -> bool {
        self.layers.iter().flat_map(|layer| &layer.allow).any(|entry| entry.matches(place, dir, command))
    }

    /// Returns whether a process of this name may be ended by its name.
    fn may_kill(&self, name: &str) -> bool {
        self.layers.iter().any(|layer| layer.kill.iter().any(|known| known == name))
    }

    fn writable(&self, place: &Place<'_>) -> Vec<PathBuf> {
        let written = self.layers.iter().flat_map(|layer| &layer.writable);
        written.map(|path| place.at(&place.workspace, path)).collect()
    }
}

#[cfg(test)]
mod tests;
