//! The four dialects: each reads a request and writes an answer, whole, as events, or as an error. Pure.

use serde::Serialize;
use serde_json::Value;

use super::answer::Answer;
use super::asked::Asked;

mod anthropic;
mod chat;
mod gemini;
mod responses;

/// How an agent talks to its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Anthropic Messages: Claude Code.
    Anthropic,
    /// OpenAI Chat Completions: OpenCode and many others.
    Chat,
    /// OpenAI Responses: Codex.
    Responses,
    /// generateContent: Gemini CLI.
    Gemini,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where the dialect names its events.
    pub name: Option<&'static str>,
    pub data: String,
}

impl Event {
    fn named(name: &'static str, data: &Value) -> Self {
        Self { name: Some(name), data: data.to_string() }
    }

    fn plain(data: &Value) -> Self {
        Self { name: None, data: data.to_string() }
    }

    /// Returns the event as it goes over the wire.
    #[must_use]
    pub fn encoded(&self) -> String {
        let name = self.name.map_or_else(String::new, |name| format!("event: {name}\n"));
        format!("{name}data: {}\n\n", self.data)
    }
}

impl Dialect {
    /// Returns the dialect of a request to this path, where it asks a model.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.contains(":generateContent") || path.contains(":streamGenerateContent") {
            Some(Self::Gemini)
        } else {
            None
        }
    }

    /// Reads a request.
    #[must_use]
    pub fn read(self, path: &str, body: &Value) -> Asked {
        match self {
            Self::Anthropic => anthropic::read(body),
            Self::Chat => chat::read(body),
            Self::Responses => responses::read(body),
            Self::Gemini => gemini::read(path, body),
        }
    }

    /// Returns an answer in one piece.
    #[must_use]
    pub fn whole(self, answer: &Answer) -> Value {
        match self {
            Self::Anthropic => anthropic::whole(answer),
            Self::Chat => chat::whole(answer),
            Self::Responses => responses::whole(answer),
            Self::Gemini => gemini::whole(answer),
        }
    }

    /// Returns an answer as a stream.
    #[must_use]
    pub fn events(self, answer: &Answer) -> Vec<Event> {
        match self {
            Self::Anthropic => anthropic::events(answer),
            Self::Chat => chat::events(answer),
            Self::Responses => responses::events(answer),
            Self::Gemini => gemini::events(answer),
        }
    }

    /// Returns the body of an error; `kind` replaces the usual word for this status.
    #[must_use]
    pub fn error(self, status: u16, kind: Option<&str>, message: &str) -> Value {
        match self {
            Self::Anthropic => anthropic::error(status, kind, message),
            Self::Chat | Self::Responses => chat::error(status, kind, message),
            Self::Gemini => gemini::error(status, kind, message),
        }
    }
}

/// Cuts a text as a model streams it: small pieces, but no more than some hundred of them.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let size = (chars.len() / 200).max(24);
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests;
