//! How to start the other programs of Cogwork.

use std::ffi::OsString;
use std::path::PathBuf;

/// The words that start Cogwork's own programs, built by the `main` of whatever binary this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The MCP server: a program and its first arguments, for example `/x/cogwork mcp`.
    pub mcp: Vec<OsString>,
    /// This runner: a program and its first arguments, for example `/x/cogwork agent`.
    pub agent: Vec<OsString>,
}

impl Programs {
    /// Returns the programs of the binary `cogwork-runner`: itself, and `cogwork-mcp` beside it; where that is not
    /// there, whichever `PATH` finds.
    pub fn beside_this_one() -> Self {
        let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("cogwork-runner"));
        let mcp = own.with_file_name("cogwork-mcp");
        let mcp = if mcp.is_file() { mcp.into_os_string() } else { "cogwork-mcp".into() };
        Self { mcp: vec![mcp], agent: vec![own.into_os_string()] }
    }

    /// Returns the programs of the one binary that holds all of them, by its own path.
    pub fn within(binary: impl Into<OsString>) -> Self {
        let binary = binary.into();
        Self { mcp: vec![binary.clone(), "mcp".into()], agent: vec![binary, "agent".into()] }
    }
}
