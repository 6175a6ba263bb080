//! One turn of a script, with its templates filled in: how it stands in the file, and what it is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Planned, seconds};

/// What one request is answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub delay: Duration,
    pub headers: BTreeMap<String, String>,
    pub play: Play,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Play {
    /// The model says something.
    Message(Box<Message>),
    /// The API refuses.
    Refusal(Refusal),
    /// Some other program answers, such as a proxy.
    Raw { status: u16, content_type: String, body: String },
    /// Nobody answers, and after this time the connection is closed.
    Hang(Duration),
}

/// What the model says and does; the wishes become calls of tools that the agent has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    pub thinking: Option<String>,
    pub text: Option<String>,
    pub wishes: Vec<Wish>,
    /// Another reason to stop than the natural one, in the dialect's own word.
    pub stop: Option<String>,
    pub model: Option<String>,
    pub usage: Option<Tokens>,
    /// Between two events of a stream.
    pub chunk_delay: Duration,
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    Tool {
        name: String,
        input: Value,
    },
    /// The agent's own shell.
    Shell(String),
    /// The agent's own way to write a file.
    Write {
        path: String,
        content: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    /// The dialect's word for it, where it is not the usual one of the status.
    pub kind: Option<String>,
    pub message: String,
    /// Instead of the dialect's own error body.
    pub body: Option<Value>,
}

/// What goes wrong in the middle of a stream, and after how many events.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub after: usize,
    pub breakage: Breakage,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Breakage {
    /// The connection is cut.
    Disconnect,
    /// The body ends as if it were complete.
    End,
    /// One event is no JSON.
    Garbage,
    /// The API reports an error, and ends.
    Error(Refusal),
    /// Nothing more comes for this time.
    Hang(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { input: 100, output: 20, cache_read: 0, cache_write: 0 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    text: Option<String>,
    thinking: Option<String>,
    tool: Option<FileTool>,
    #[serde(default)]
    tools: Vec<FileTool>,
    shell: Option<String>,
    write: Option<FileWrite>,
    usage: Option<Tokens>,
    stop: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    model: Option<String>,
    error: Option<Value>,
    retry_after: Option<Value>,
    #[serde(default)]
    delay: f64,
    #[serde(default)]
    chunk_delay: f64,
    hang: Option<f64>,
    fault: Option<FileFault>,
    raw: Option<String>,
    status: Option<u16>,
    content_type: Option<String>,
    // Read where the position in the script is kept.
    #[serde(default, rename = "times")]
    _times: u64,
    #[serde(default, rename = "if_result")]
    _if_result: Option<String>,
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTool {
    name: String,
    #[serde(default = "empty_object")]
    input: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWrite {
    path: String,
    content: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileError {
    status: u16,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    body: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFault {
    kind: FaultKind,
    #[serde(default = "one")]
    after: usize,
    seconds: Option<f64>,
    status: Option<u16>,
    #[serde(rename = "type")]
    error_type: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultKind {
    Disconnect,
    End,
    Garbage,
    Error,
    Hang,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

fn one() -> usize {
    1
}

/// As long as any test lasts.
const AN_HOUR: f64 = 3_600.0;
const OVERLOADED: u16 = 529;

impl Turn {
    /// Reads a turn whose templates are filled in.
    ///
    /// # Errors
    /// What serde says about a field that is unknown or has the wrong type.
    pub fn read(planned: &Planned) -> Result<Self, serde_json::Error> {
        let mut file: File = serde_json::from_value(Value::Object(planned.clone()))?;
        let mut headers = texts(std::mem::take(&mut file.headers));
        if let Some(after) = file.retry_after.take() {
            headers.insert("retry-after".into(), text(after));
        }
        let delay = seconds(file.delay);
        let play = if let Some(hang) = file.hang {
            Play::Hang(seconds(hang))
        } else if let Some(error) = file.error.take() {
            let error = refused(error)?;
            headers.extend(texts(error.headers));
            Play::Refusal(refusal(error.status, error.kind, error.message, error.body))
        } else if let Some(body) = file.raw.take() {
            let content_type = file.content_type.take().unwrap_or_else(|| "text/event-stream".into());
            Play::Raw { status: file.status.unwrap_or(200), content_type, body }
        } else {
            Play::Message(Box::new(file.message()))
        };
        Ok(Self { delay, headers, play })
    }
}

impl File {
    fn message(self) -> Message {
        let tools = self.tools.into_iter().chain(self.tool);
        let mut wishes: Vec<Wish> =
            tools.map(|FileTool { name, input }| Wish::Tool { name, input }).collect();
        wishes.extend(self.shell.map(Wish::Shell));
        wishes.extend(self.write.map(|FileWrite { path, content }| Wish::Write { path, content }));
        Message {
            thinking: self.thinking,
            text: self.text,
            wishes,
            stop: self.stop,
            model: self.model,
            usage: self.usage,
            chunk_delay: seconds(self.chunk_delay),
            fault: self.fault.map(FileFault::fault),
        }
    }
}

impl FileFault {
    fn fault(self) -> Fault {
        let breakage = match self.kind {
            FaultKind::Disconnect => Breakage::Disconnect,
            FaultKind::End => Breakage::End,
            FaultKind::Garbage => Breakage::Garbage,
            FaultKind::Hang => Breakage::Hang(seconds(self.seconds.unwrap_or(AN_HOUR))),
            FaultKind::Error => {
                let message = self.message.or_else(|| Some("Overloaded".into()));
                Breakage::Error(refusal(self.status.unwrap_or(OVERLOADED), self.error_type, message, None))
            }
        };
        Fault { after: self.after, breakage }
    }
}

/// An error is a status alone or an object.
fn refused(error: Value) -> Result<FileError, serde_json::Error> {
    if error.is_number() {
        let status = serde_json::from_value(error)?;
        return Ok(FileError { status, kind: None, message: None, headers: BTreeMap::new(), body: None });
    }
    serde_json::from_value(error)
}

fn refusal(status: u16, kind: Option<String>, message: Option<String>, body: Option<Value>) -> Refusal {
    let message = message.unwrap_or_else(|| format!("mock error {status}"));
    Refusal { status, kind, message, body }
}

fn texts(values: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    values.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// A header may stand in the file as a number.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
