//! The MCP server of the scripted agent: found in the configuration file that every agent gets, started over stdio.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::contain::{Contained, Output, Spawn, StartError, Stdin};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::client::Wire;
use crate::Environment;

/// How long the server may take to end once nobody talks to it any more.
const GRACE: Duration = Duration::from_secs(2);

/// The configuration file, as far as this agent reads it.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "mcpServers")]
    servers: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    command: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Why there is no server to talk to.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    #[error("cannot read the MCP configuration `{}`: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the MCP configuration `{}` is wrong: {source}", path.display())]
    Malformed {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the MCP configuration `{}` has no server `features`", path.display())]
    NoEntry { path: PathBuf },
    #[error("the MCP server could not be started: {0}")]
    NotStarted(#[from] StartError),
    #[error("the MCP server could not be started: it has no stdin")]
    NoStdin,
}

/// A running server.
pub(super) struct Server {
    process: Contained,
    stdin: ChildStdin,
}

impl Server {
    /// Starts the server `features` of a configuration in the directory `dir`, with the entry's environment over
    /// our own.
    pub(super) fn start(config: &Path, dir: &Path, own: &Environment) -> Result<Self, ServerError> {
        let path = || config.to_owned();
        let text = std::fs::read_to_string(config)
            .map_err(|source| ServerError::Unreadable { path: path(), source })?;
        let config: Config =
            serde_json::from_str(&text).map_err(|source| ServerError::Malformed { path: path(), source })?;
        let entry = config.servers.get("features").ok_or_else(|| ServerError::NoEntry { path: path() })?;
        let mut env: BTreeMap<OsString, OsString> = own.all().cloned().collect();
        env.extend(entry.env.iter().map(|(key, value)| (key.into(), value.into())));
        let mut spawn = Spawn::new(&entry.command, dir);
        spawn.args = entry.args.iter().map(OsString::from).collect();
        spawn.env = env.into_iter().collect();
        spawn.stdin = Stdin::Piped;
        let mut process = spawn.start()?;
        let stdin = process.take_stdin().ok_or(ServerError::NoStdin)?;
        Ok(Self { process, stdin })
    }

    /// Hangs up and waits for the end.
    pub(super) async fn stop(self) {
        let Self { mut process, stdin } = self;
        drop(stdin);
        if tokio::time::timeout(GRACE, process.wait()).await.is_err() {
            process.terminate(GRACE).await;
        }
    }
}

impl Wire for Server {
    async fn send(&mut self, line: &str) -> io::Result<()> {
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.flush().await
    }

    async fn receive(&mut self) -> io::Result<Option<String>> {
        loop {
            match self.process.next().await {
                Output::Stdout(line) => return Ok(Some(line.text)),
                Output::Stderr(line) => tracing::info!("MCP server: {line}"),
                Output::Ended(_) => return Ok(None),
            }
        }
    }
}
