//! A home directory and a project of one test, and `cogwork` started there as a person would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The clients, with their settings in a project and in a home.
pub(crate) const CLIENTS: [(&str, &str, &str); 5] = [
    ("claude", ".mcp.json", ".claude.json"),
    ("codex", ".codex/config.toml", ".codex/config.toml"),
    ("gemini", ".gemini/settings.json", ".gemini/settings.json"),
    ("opencode", "opencode.json", ".config/opencode/opencode.json"),
    ("cursor", ".cursor/mcp.json", ".cursor/mcp.json"),
];

/// What the environment may hold that decides where settings are.
const VARIABLES: [&str; 7] = [
    "PROJECT_DIR",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "GEMINI_CLI_HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "CLAUDE_PROJECT_DIR",
];

/// Directories for one test, gone when the test is over.
pub(crate) struct Place {
    _root: TempDir,
    pub(crate) home: PathBuf,
    pub(crate) project: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let (home, project) = (path.join("home"), path.join("project"));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&project).unwrap();
        Self { _root: root, home, project }
    }

    /// The command `cogwork ARGS` in the project, not started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cogwork"));
        command.args(args).current_dir(&self.project).env("HOME", &self.home).stdin(Stdio::null());
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn cogwork(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs `cogwork mcp ARGS`, which has to succeed, and returns what it said.
    pub(crate) fn mcp(&self, args: &[&str]) -> String {
        let output = self.cogwork(&[&["mcp"], args].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `cogwork mcp ARGS`, which has to fail and to change nothing, and returns what it said about it.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let before = self.everything();
        let output = self.cogwork(&[&["mcp"], args].concat());
        assert!(!output.status.success(), "{args:?}: {output:?}");
        assert_eq!(self.everything(), before, "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Writes a file of the project and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Every file, directory and link in both directories, with mode and content.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.home.clone(), self.project.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
                let (path, meta) = (entry.path(), entry.metadata().unwrap());
                let content = if meta.is_dir() {
                    directories.push(path.clone());
                    Vec::new()
                } else if meta.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                found.insert(path, (meta.permissions().mode(), content));
            }
        }
        found
    }
}

/// Returns the command line of an entry, however its client writes it.
pub(crate) fn command_line(entry: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let words = |value: &Value| match value.as_array() {
        Some(items) => items.iter().filter_map(text).collect(),
        None => text(value).into_iter().collect::<Vec<_>>(),
    };
    [words(&entry["command"]), words(&entry["args"])].concat()
}

/// Returns our entry in a file of a client.
pub(crate) fn entry(client: &str, file: &Path, name: &str) -> Value {
    let text = fs::read_to_string(file).unwrap();
    match client {
        "codex" => toml::from_str::<Value>(&text).unwrap()["mcp_servers"][name].clone(),
        "opencode" => serde_json::from_str::<Value>(&text).unwrap()["mcp"][name].clone(),
        _ => serde_json::from_str::<Value>(&text).unwrap()["mcpServers"][name].clone(),
    }
}

/// Starts a server as a client does, in this directory, and returns its answer to `initialize` and its tools.
pub(crate) fn tools(line: &[String], dir: &Path) -> Vec<String> {
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    for name in VARIABLES {
        command.env_remove(name);
    }
    let mut server = command.spawn().unwrap();
    let (mut stdin, stdout) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
    for message in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"},
        }}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    ] {
        writeln!(stdin, "{message}").unwrap();
    }
    let answers: Vec<Value> = BufReader::new(stdout)
        .lines()
        .take(2)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    drop(stdin);
    assert!(server.wait().unwrap().success());
    let tools = answers[1]["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}
