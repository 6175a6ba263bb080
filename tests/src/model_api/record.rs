//! What the API was asked, one JSON line for each request, written before the answer goes out: whoever has an answer
//! finds its record.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

use super::asked::Asked;
use super::dialect::Dialect;

/// One request and what it was answered with.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Its number in the life of this server, from 1.
    pub n: u64,
    pub method: String,
    pub path: String,
    pub answer: Kind,
    /// None when nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What a model was asked; none of other requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRecord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Message,
    Error,
    Raw,
    Hang,
    /// No request to a model: a list of models, a count of tokens.
    Side,
    /// Something that a model API does not have, a connection to elsewhere for example.
    Unknown,
}

#[derive(Debug, Serialize)]
pub struct ModelRecord {
    pub dialect: Dialect,
    pub session: String,
    pub scenario: String,
    /// The number of the turn in the script, or `side`, `when_done`.
    pub turn: Value,
    pub name: String,
    pub stream: bool,
    pub user_agent: String,
    /// The names of all tools that the model was offered.
    pub tools: Vec<String>,
    /// The latest results, as the model saw them.
    pub results: Vec<String>,
    /// The names of the tools that the answer calls.
    pub calls: Vec<String>,
}

impl ModelRecord {
    /// A record of what was asked, with nothing of the answer.
    #[must_use]
    pub fn of(asked: &Asked, session: &str, user_agent: &str) -> Self {
        Self {
            dialect: asked.dialect,
            session: session.to_owned(),
            scenario: String::new(),
            turn: Value::Null,
            name: asked.model.clone(),
            stream: asked.stream,
            user_agent: user_agent.to_owned(),
            tools: asked.tools.iter().map(|tool| tool.name.clone()).collect(),
            results: asked.results.clone(),
            calls: Vec::new(),
        }
    }
}

/// Where records go.
#[derive(Debug, Default)]
pub struct Recorder {
    records: Option<Mutex<File>>,
    bodies: Option<PathBuf>,
}

impl Recorder {
    /// Appends records to a file, and keeps whole requests in a directory, `0001.json` and so on; either may be none.
    ///
    /// # Errors
    /// When one of them cannot be made.
    pub fn new(records: Option<&Path>, bodies: Option<PathBuf>) -> io::Result<Self> {
        if let Some(bodies) = &bodies {
            fs::create_dir_all(bodies)?;
        }
        let open = |path| File::options().create(true).append(true).open(path);
        Ok(Self { records: records.map(open).transpose()?.map(Mutex::new), bodies })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let Some(file) = &self.records else { return Ok(()) };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(&line)
    }

    /// Keeps the body of a request.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, n: u64, body: &Value) -> io::Result<()> {
        match &self.bodies {
            Some(bodies) => fs::write(bodies.join(format!("{n:04}.json")), format!("{body:#}")),
            None => Ok(()),
        }
    }
}
