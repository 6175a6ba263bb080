//! The policy file: its format, and what a sound one says.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::lists::{NEVER, has};
use super::path::{Place, lexical};

/// How many entries a list may have; a longer one is no policy that anybody oversees.
const MAX_ENTRIES: usize = 100;

/// The only version of the format.
const VERSION: u32 = 1;

/// What one policy file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub(super) file: String,
    pub(super) mode: Option<Mode>,
    pub(super) unknown: Option<Answer>,
    pub(super) remote: Option<Answer>,
    pub(super) block: Vec<Entry>,
    pub(super) allow: Vec<Entry>,
    pub(super) kill: Vec<String>,
    pub(super) writable: Vec<String>,
}

/// What may be run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Everything that is not blocked.
    Open,
    /// Only what is listed.
    Listed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    Allow,
    Deny,
}

impl Answer {
    /// Returns whether these answers together allow: some does, and none denies.
    pub(super) fn of(answers: impl Iterator<Item = Self>) -> bool {
        let answers: Vec<Self> = answers.collect();
        answers.contains(&Self::Allow) && !answers.contains(&Self::Deny)
    }
}

/// A policy file cannot be used. Nothing is allowed while it cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy {file}, line {line}: {problem}")]
pub struct PolicyError {
    /// Its path.
    pub file: String,
    /// The first line that is wrong, counted from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    version: Spanned<u32>,
    mode: Option<Mode>,
    unknown: Option<Answer>,
    remote: Option<Answer>,
    #[serde(default)]
    block: Vec<Spanned<String>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    kill: Vec<Spanned<String>>,
    #[serde(default)]
    writable: Vec<Spanned<String>>,
}

impl Layer {
    /// Reads the `text` of a policy file; `file` is its path, for people.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], which names the first line that is not understood or not allowed.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let error = |at: usize, problem: String| PolicyError {
            file: file.to_owned(),
            line: text.get(..at).unwrap_or_default().matches('\n').count() + 1,
            problem,
        };
        let written: Written = toml::from_str(text).map_err(|problem| {
            let at = problem.span().map_or(0, |span| span.start);
            error(at, problem.message().to_owned())
        })?;
        if *written.version.get_ref() != VERSION {
            let problem = format!("version {} is not known: write `version = 1`", written.version.get_ref());
            return Err(error(written.version.span().start, problem));
        }
        for list in [&written.block, &written.allow, &written.kill, &written.writable] {
            if let Some(surplus) = list.get(MAX_ENTRIES) {
                let problem = format!("more than {MAX_ENTRIES} entries in one list: use `prefix*` or paths");
                return Err(error(surplus.span().start, problem));
            }
        }
        let entries = |list: Vec<Spanned<String>>, is_allow: bool| {
            let entry = |word: Spanned<String>| {
                let at = word.span().start;
                Entry::parse(word.get_ref(), is_allow).map_err(|problem| error(at, problem))
            };
            list.into_iter().map(entry).collect::<Result<Vec<_>, _>>()
        };
        let plain = |list: Vec<Spanned<String>>, is_sound: fn(&str) -> bool, wanted: &str| {
            let checked = |word: Spanned<String>| match is_sound(word.get_ref()) {
                true => Ok(word.into_inner()),
                false => Err(error(word.span().start, format!("`{}` is not {wanted}", word.get_ref()))),
            };
            list.into_iter().map(checked).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            file: file.to_owned(),
            mode: written.mode,
            unknown: written.unknown,
            remote: written.remote,
            block: entries(written.block, false)?,
            allow: entries(written.allow, true)?,
            kill: plain(
                written.kill,
                is_process_name,
                "the name of a process: letters, digits and `._-` only",
            )?,
            writable: plain(
                written.writable,
                is_directory,
                "a directory: write `/…`, `~/…`, and never `/` or `~`",
            )?,
        })
    }
}

fn is_process_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

fn is_directory(path: &str) -> bool {
    let rest = path.strip_prefix("~/").or_else(|| path.strip_prefix('/'));
    rest.is_some_and(|rest| {
        !rest.trim_matches(['/', '.']).is_empty() && !rest.split('/').any(|part| part == "..")
    })
}

/// One entry of a list: a name, a `prefix*`, or a pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Name(String),
    Prefix(String),
    /// A path from the workspace or from the root, and whether all below it is meant.
    Path(String, bool),
}

impl Entry {
    fn parse(word: &str, is_allow: bool) -> Result<Self, String> {
        let trimmed = word.trim();
        if trimmed.is_empty() || trimmed != word || word.contains(char::is_whitespace) {
            return Err(format!("`{word}` is no name of a command: one word, without spaces"));
        }
        let (stem, is_open) = match word.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (word, false),
        };
        if stem.contains(['*', '?', '[', '{', '$', '`', '\\', '"', '\'', ';', '&', '|', '<', '>', '(', ')']) {
            return Err(format!("`{word}` is no name of a command: only one `*` at the end has a meaning"));
        }
        if stem.trim_matches(['/', '.', '~']).is_empty() {
            return Err(format!("`{word}` would mean everything: name commands, or use `mode = \"open\"`"));
        }
        if stem.contains('/') {
            return match is_open && !stem.ends_with('/') {
                true => Err(format!("`{word}` is half a path: end it with `/*` for all in a directory")),
                false => Ok(Self::Path(stem.trim_end_matches('/').to_owned(), is_open)),
            };
        }
        let never = |name: &&&str| match (is_open, name.strip_suffix('*')) {
            (true, _) => name.starts_with(stem),
            (false, Some(prefix)) => stem.starts_with(prefix),
            (false, None) => **name == stem,
        };
        if is_allow && let Some(name) = NEVER.iter().find(never) {
            return Err(format!(
                "`{word}` would allow `{name}`, which is never run for an agent: take it out"
            ));
        }
        Ok(if is_open { Self::Prefix(stem.to_owned()) } else { Self::Name(stem.to_owned()) })
    }

    /// Returns whether an entry that allows means a command. A name means the program of that name that is on `PATH`
    /// or in a directory of the system, and no file of the same name that lies elsewhere.
    pub(super) fn matches(&self, place: &Place<'_>, dir: Option<&Path>, command: &str) -> bool {
        match self {
            Self::Name(_) | Self::Prefix(_) => system_name(command).is_some_and(|name| self.is_name(name)),
            Self::Path(path, is_open) => {
                let Some(dir) = dir.filter(|_| command.contains('/')) else { return false };
                let meant = (place.resolve)(&place.at(&place.workspace, path));
                let found = (place.resolve)(&place.at(dir, command));
                if *is_open { found.starts_with(&meant) && found != meant } else { found == meant }
            }
        }
    }

    /// Returns whether an entry that blocks means a command: by its name wherever it lies.
    pub(super) fn matches_any(&self, place: &Place<'_>, dir: Option<&Path>, command: &str) -> bool {
        self.is_name(base_name(command)) || self.matches(place, dir, command)
    }

    fn is_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix),
            Self::Path(..) => false,
        }
    }
}

/// Returns the last part of a command's path.
pub(super) fn base_name(command: &str) -> &str {
    command.trim_end_matches('/').rsplit('/').next().unwrap_or(command)
}

/// Returns the name of a command that is given without a directory, or with one of the system.
pub(super) fn system_name(command: &str) -> Option<&str> {
    let Some((dir, name)) = command.rsplit_once('/') else { return Some(command) };
    let dir = lexical(Path::new(dir));
    let system =
        ["/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
    system.iter().any(|known| dir == Path::new(known)).then_some(name)
}

/// Returns whether the built-in block means a command.
pub(super) fn is_never(name: &str) -> bool {
    has(NEVER, name)
}
