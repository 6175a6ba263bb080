//! The scripted agent: a process of its own that plays a script as a real MCP client.
//!
//! It does what any agent does, from data instead of a model: it reads its environment, starts the MCP server that
//! its configuration names, asks for its feature, changes files, runs commands, commits, and marks the feature. It
//! knows nothing of the database and has no rights that another agent would not have. On stdout it prints one
//! [`AgentEvent`] per line.

mod client;
mod moves;
mod script;
mod server;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use cogwork_schemas::{AgentEvent, FeatureId};
use serde_json::{Value, json};

use client::{Answer, Client, ClientError};
use moves::MoveError;
use script::Move;
pub(crate) use script::Script;
pub use script::ScriptError;
use server::{Server, ServerError};

use crate::driver::chain;
use crate::{Environment, environment};

/// Play a script as the agent of a session
///
/// Started by a session; its features, workspace and MCP configuration are in the environment.
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner play", version)]
pub struct PlayFlags {
    /// What to play
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
}

/// Why the play ended early.
#[derive(Debug, thiserror::Error)]
enum PlayError {
    #[error("{name} is not set: this agent is started by a session")]
    NotASession { name: &'static str },
    #[error("{} is `{text}`: it must be feature ids with commas between, such as 1,2", environment::FEATURES)]
    BadFeatures { text: String },
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the script has no moves for the feature `{key}`")]
    NoMoves { key: String },
    #[error("the script has no moves for a planning session: they stand under `plan`")]
    NoPlan,
    #[error("a planning session has no feature that could be marked as passing")]
    NoFeature,
    #[error("`{tool}` was refused: {text}")]
    ToolRefused { tool: String, text: String },
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// How a play goes on after one move.
enum Next {
    Move,
    Exit(u8),
}

/// Plays; the exit code is 1 when the agent failed, or what the script says.
pub async fn main(flags: &PlayFlags, own: &Environment) -> ExitCode {
    match Player::new(flags, own) {
        Ok(player) => match player.play().await {
            Ok(code) => ExitCode::from(code),
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

fn failed(error: &PlayError) -> ExitCode {
    crate::failed(&chain(error)).into()
}

struct Player<'a> {
    script: Script,
    features: Vec<FeatureId>,
    config: PathBuf,
    workspace: PathBuf,
    own: &'a Environment,
}

impl<'a> Player<'a> {
    fn new(flags: &PlayFlags, own: &'a Environment) -> Result<Self, PlayError> {
        let get = |name| own.get(name).ok_or(PlayError::NotASession { name });
        // Without any it is a planning session.
        let features = match own.get(environment::FEATURES).map(|text| text.to_string_lossy()) {
            Some(text) => text
                .split(',')
                .map(str::parse)
                .collect::<Result<Vec<FeatureId>, _>>()
                .map_err(|_| PlayError::BadFeatures { text: text.clone().into_owned() })?,
            None => Vec::new(),
        };
        Ok(Self {
            script: Script::read(&flags.script)?,
            features,
            config: get(environment::MCP_CONFIG)?.into(),
            workspace: get(environment::WORKSPACE)?.into(),
            own,
        })
    }

    async fn play(&self) -> Result<u8, PlayError> {
        let server = Server::start(&self.config, &self.workspace, self.own)?;
        let mut client = Client::connect(server).await?;
        let mut code = 0;
        if self.features.is_empty() {
            code = self.play_planning(&mut client).await?;
        }
        let mut features = VecDeque::from(self.features.clone());
        while let Some(feature) = features.pop_front() {
            code = self.play_feature(&mut client, feature).await?;
            if code != 0 {
                break;
            }
            if features.is_empty() && self.own.get(environment::BATCH).is_some() {
                // What it gets again it has not handed in, and the script has no more moves for it.
                features.extend(further(&mut client).await?.filter(|next| *next != feature));
            }
        }
        client.into_wire().stop().await;
        Ok(code)
    }

    async fn play_feature(&self, client: &mut Client<Server>, feature: FeatureId) -> Result<u8, PlayError> {
        let seen = call(client, "feature_get_by_id", json!({ "feature_id": feature.0 })).await?;
        let key = seen["key"].as_str().map_or_else(|| feature.0.to_string(), str::to_owned);
        let moves = self.script.moves(&key).ok_or_else(|| PlayError::NoMoves { key: key.clone() })?;
        self.play_all(client, moves, Some(feature)).await
    }

    async fn play_planning(&self, client: &mut Client<Server>) -> Result<u8, PlayError> {
        let stats = call(client, "feature_get_stats", json!({})).await?;
        let has_features = stats["total"].as_u64().is_some_and(|total| total > 0);
        let moves = self.script.planning(has_features).ok_or(PlayError::NoPlan)?;
        self.play_all(client, moves, None).await
    }

    async fn play_all(
        &self,
        client: &mut Client<Server>,
        moves: &[Move],
        feature: Option<FeatureId>,
    ) -> Result<u8, PlayError> {
        for one in moves {
            if let Next::Exit(code) = moves::perform(one, &self.workspace, self.own, feature, client).await? {
                return Ok(code);
            }
        }
        Ok(0)
    }
}

/// Asks for the next feature; none when the server says that this session is done.
async fn further(client: &mut Client<Server>) -> Result<Option<FeatureId>, PlayError> {
    let tool = "feature_claim_and_get";
    let answer = told(client, tool, json!({})).await?;
    if answer.is_error {
        let is_done = answer.text.ends_with("end the session.");
        return if is_done {
            Ok(None)
        } else {
            Err(PlayError::ToolRefused { tool: tool.to_owned(), text: answer.text })
        };
    }
    Ok(answer.data.and_then(|data| data["id"].as_i64()).map(FeatureId))
}

/// Calls a tool, prints call and result, and returns the answer as data.
async fn call(client: &mut Client<Server>, tool: &str, arguments: Value) -> Result<Value, PlayError> {
    let answer = told(client, tool, arguments).await?;
    if answer.is_error {
        return Err(PlayError::ToolRefused { tool: tool.to_owned(), text: answer.text });
    }
    Ok(answer.data.unwrap_or_default())
}

/// Calls a tool, and prints call and result.
async fn told(client: &mut Client<Server>, tool: &str, arguments: Value) -> Result<Answer, PlayError> {
    print(&AgentEvent::ToolCall { tool: tool.to_owned(), input: arguments.to_string() })?;
    let answer = client.call(tool, arguments).await?;
    print(&AgentEvent::ToolResult {
        tool: tool.to_owned(),
        is_error: answer.is_error,
        output: answer.text.clone(),
    })?;
    Ok(answer)
}

fn print(event: &AgentEvent) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", crate::json::line(event))?;
    stdout.flush()
}

fn is_inside(workspace: &Path, path: &Path) -> bool {
    match (workspace.canonicalize(), path.canonicalize()) {
        (Ok(workspace), Ok(path)) => path.starts_with(workspace),
        (_, _) => false,
    }
}
