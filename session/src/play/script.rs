//! `script.toml`: what the scripted agent does, feature by feature, as data.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// The moves of every feature, by feature key, and of planning sessions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Script(BTreeMap<String, Vec<Move>>);

/// One thing that the scripted agent does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", tag = "move", deny_unknown_fields)]
pub(crate) enum Move {
    /// Prints prose.
    Say { text: String },
    /// Does nothing for so many milliseconds, as if it thought.
    Sleep { ms: u64 },
    /// Writes a file, with the directories above it.
    Write {
        path: PathBuf,
        content: String,
        #[serde(default)]
        executable: bool,
    },
    /// Adds to the end of a file, which is made if it is not there.
    Append { path: PathBuf, content: String },
    /// Runs a shell command in the workspace; the agent fails when it fails.
    Run { command: String },
    /// Commits all changes of the workspace.
    Commit { message: String },
    /// Calls the tool `feature_mark_passing`; the agent fails when that is refused.
    MarkPassing {},
    /// Calls any tool with these arguments; the agent fails when that is refused.
    Call {
        tool: String,
        #[serde(default)]
        arguments: serde_json::Map<String, serde_json::Value>,
    },
    /// Ends the agent with this exit code, for tests.
    Exit { code: u8 },
    /// Does nothing for ever, for tests.
    Hang {},
}

/// Why a script cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file is missing or no text.
    #[error("cannot read the script `{}`: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or holds a move that does not exist.
    #[error("the script `{}` is wrong: {problem}", path.display())]
    Malformed { path: PathBuf, problem: String },
    /// A move would write outside the workspace.
    #[error("the script `{}` writes to `{}` for `{key}`: paths must be relative and stay inside the workspace", path.display(), target.display())]
    Outside { path: PathBuf, key: String, target: PathBuf },
}

impl Script {
    /// Reads and checks a script.
    pub(crate) fn read(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Returns what to do for a feature, by its key or, when it has none, by its number.
    pub(super) fn moves(&self, key: &str) -> Option<&[Move]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// Returns what to do in a planning session: `plan`, or in a project that has features `replan`, if there is one.
    pub(super) fn planning(&self, has_features: bool) -> Option<&[Move]> {
        let again = has_features.then(|| self.moves("replan")).flatten();
        again.or_else(|| self.moves("plan"))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text).map_err(|error| ScriptError::Malformed {
            path: path.to_owned(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        for (key, target) in script.targets() {
            if !is_inside(target) {
                let (key, target) = (key.to_owned(), target.to_owned());
                return Err(ScriptError::Outside { path: path.to_owned(), key, target });
            }
        }
        Ok(script)
    }

    fn targets(&self) -> impl Iterator<Item = (&str, &Path)> {
        let moves = self.0.iter().flat_map(|(key, moves)| moves.iter().map(move |one| (key.as_str(), one)));
        moves.filter_map(|(key, one)| match one {
            Move::Write { path, .. } | Move::Append { path, .. } => Some((key, path.as_path())),
            Move::Say { .. }
            | Move::Sleep { .. }
            | Move::Run { .. }
            | Move::Commit { .. }
            | Move::MarkPassing {}
            | Move::Call { .. }
            | Move::Exit { .. }
            | Move::Hang {} => None,
        })
    }
}

fn is_inside(path: &Path) -> bool {
    path.file_name().is_some()
        && path.components().all(|part| match part {
            Component::Normal(_) | Component::CurDir => true,
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Script, String> {
        Script::parse(Path::new("s.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_move_is_read() {
        let script = parse(
            r#"
            [[add]]
            move = "say"
            text = "first"
            [[add]]
            move = "sleep"
            ms = 5
            [[add]]
            move = "write"
            path = "src/add.sh"
            content = """
            echo added
            """
            executable = true
            [[add]]
            move = "append"
            path = "README.md"
            content = "add\n"
            [[add]]
            move = "run"
            command = "sh t.sh"
            [[add]]
            move = "commit"
            message = "add: add"
            [[add]]
            move = "mark_passing"
            [[add]]
            move = "call"
            tool = "feature_skip"
            arguments = { feature_id = 3, reason = "no key" }

            [[bad]]
            move = "exit"
            code = 3
            [[bad]]
            move = "hang"
            "#,
        )
        .unwrap();
        let moves = script.moves("add").unwrap();
        assert_eq!(moves.len(), 8);
        let Move::Call { tool, arguments } = &moves[7] else { panic!("{:?}", moves[7]) };
        assert_eq!((tool.as_str(), &arguments["feature_id"]), ("feature_skip", &serde_json::json!(3)));
        assert_eq!(script.moves("bad").unwrap(), [Move::Exit { code: 3 }, Move::Hang {}]);
        assert_eq!(script.moves("other"), None);
    }

    #[test]
    fn a_wrong_move_is_named_with_its_line() {
        let error = parse("[[add]]\nmove = \"wirte\"\n").unwrap_err();
        assert!(error.contains("s.toml") && error.contains("wirte") && error.contains("line"), "{error}");
        let error = parse("[[add]]\nmove = \"sleep\"\nseconds = 3\n").unwrap_err();
        assert!(error.contains("seconds"), "{error}");
    }

    #[test]
    fn a_script_cannot_write_outside_the_workspace() {
        for path in ["/etc/passwd", "../x", "a/../../x", "..", "", "."] {
            let text = format!("[[add]]\nmove = \"write\"\npath = \"{path}\"\ncontent = \"\"\n");
            let error = parse(&text).unwrap_err();
            assert!(error.contains("stay inside the workspace"), "{path}: {error}");
        }
        assert!(parse("[[add]]\nmove = \"append\"\npath = \"./a/b\"\ncontent = \"\"\n").is_ok());
    }
}
