//! One call of a tool, as an agent's program describes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::policy::{Denied, Place, Policy};

/// Fields of a tool's input that are a path it reads, and those that it writes.
const PATHS: &[&str] = &["file_path", "path", "notebook_path", "directory", "filePath"];
/// Tools that write what their path names.
const WRITING: &[&str] = &["Write", "Edit", "MultiEdit", "NotebookEdit"];
/// Fields that are a line of shell.
const LINES: &[&str] = &["command", "script"];

#[derive(Debug, Deserialize)]
pub(super) struct Call {
    tool_name: String,
    #[serde(default)]
    tool_input: Map<String, Value>,
    cwd: PathBuf,
}

impl Call {
    pub(super) fn read(input: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(input).map_err(|error| format!("the call is not understood: {error}"))
    }

    pub(super) fn judge(&self, policy: &Policy, place: &Place<'_>) -> Result<(), Denied> {
        // Tools of an MCP server are told what they may do by that server.
        if self.tool_name.starts_with("mcp__") {
            return Ok(());
        }
        if self.tool_name == "Bash" && self.text("command").is_none() {
            return Err(Denied { reason: "a command line is missing: give it as `command`".to_owned() });
        }
        for line in LINES.iter().filter_map(|field| self.text(field)) {
            policy.judge_line(place, &self.cwd, line)?;
        }
        let is_writing = WRITING.contains(&self.tool_name.as_str());
        if is_writing && PATHS.iter().all(|field| self.text(field).is_none()) {
            return Err(Denied { reason: "the path of the file is missing".to_owned() });
        }
        for path in PATHS.iter().filter_map(|field| self.text(field)) {
            let path = self.absolute(place, path);
            policy.judge_read(place, &path)?;
            if is_writing {
                policy.judge_write(place, &path)?;
            }
        }
        if let ("Glob", Some(pattern)) = (self.tool_name.as_str(), self.text("pattern")) {
            let base = self.text("path").map_or_else(|| self.cwd.clone(), |path| self.absolute(place, path));
            policy.judge_pattern(place, &base, pattern)?;
        }
        Ok(())
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.tool_input.get(field)?.as_str()
    }

    fn absolute(&self, place: &Place<'_>, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &place.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_) | None, _) => self.cwd.join(Path::new(path)),
        }
    }
}
