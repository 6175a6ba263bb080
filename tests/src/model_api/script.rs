//! The script: what the model says, turn by turn, and how it misbehaves. Data only; nothing in here waits or answers.
//!
//! A file holds one script, `{"turns": [TURN, …]}`, or several, `{"scenarios": {NAME: SCRIPT, …}, "select": [{"prompt":
//! REGEX, "scenario": NAME}, …]}`, of which the first rule that matches the opening prompt chooses one, else `default`.
//!
//! | of a script | meaning |
//! | --- | --- |
//! | `turns` | each answers one request that offers tools |
//! | `side` | answer those without tools, such as titles; the last one for ever |
//! | `main_requires_tools` | false: there are no side requests |
//! | `when_done` | answers what comes after the last turn |
//! | `loop` | true: starts over instead |
//! | `headers`, `usage` | of every answer that is a message |
//!
//! | of a turn | meaning |
//! | --- | --- |
//! | `text`, `thinking` | what the model says |
//! | `tool` `{name, input}`, `tools` `[…]` | what it calls; `*ENDING` finds the tool under any agent's prefix |
//! | `shell`, `write` `{path, content}` | the same with the agent's own tools |
//! | `stop`, `model`, `usage`, `headers` | of this message |
//! | `error` | a status, or `{status, type, message, headers, body}`, with the dialect's own error body |
//! | `retry_after` | adds that header |
//! | `raw`, `status`, `content_type` | this body, as it stands |
//! | `hang` | accepts, is silent for so many seconds and closes |
//! | `delay`, `chunk_delay` | seconds before the answer, and between the events of a stream |
//! | `fault` `{kind, after, …}` | after so many events: `disconnect`, `end`, `garbage`, `error`, `hang` |
//! | `times` | answers so many requests; 0: all |
//! | `if_result` | is passed over unless the latest results match |
//! | `note` | for the reader |

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};

mod turn;

pub use turn::{Breakage, Fault, Message, Play, Refusal, Tokens, Turn, Wish};

/// Why a file is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the file is no script: {0}")]
    File(#[source] serde_json::Error),
    #[error("turn {index} of the scenario `{scenario}` cannot be understood: {source}")]
    Turn { scenario: String, index: usize, source: serde_json::Error },
    #[error("`{pattern}` is no regular expression: {source}")]
    Pattern { pattern: String, source: regex::Error },
    #[error("there is no scenario `{0}`")]
    NoScenario(String),
}

/// All scenarios of a file, and how one is chosen.
#[derive(Debug)]
pub struct Scripts {
    pub(super) scenarios: BTreeMap<String, Script>,
    select: Vec<(Regex, String)>,
}

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default)]
    pub(super) turns: Vec<Planned>,
    #[serde(default = "one_ok")]
    pub(super) side: Vec<Planned>,
    #[serde(default = "yes")]
    pub(super) main_requires_tools: bool,
    #[serde(default = "done")]
    pub(super) when_done: Planned,
    #[serde(default, rename = "loop")]
    pub(super) starts_over: bool,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) usage: Tokens,
}

/// A turn as it stands in the file, with its templates.
pub type Planned = Map<String, Value>;

fn planned(turn: Value) -> Planned {
    match turn {
        Value::Object(turn) => turn,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn one_ok() -> Vec<Planned> {
    vec![planned(json!({"text": "ok"}))]
}

fn done() -> Planned {
    planned(json!({"text": "done"}))
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    scenarios: BTreeMap<String, Script>,
    #[serde(default)]
    select: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    prompt: String,
    scenario: String,
}

impl Scripts {
    /// Reads a file's text. Every turn is looked at now, so that a mistake does not show in the middle of a test.
    ///
    /// # Errors
    /// [`ScriptError`] names the turn or rule that makes no sense.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let value: Value = serde_json::from_str(text).map_err(ScriptError::File)?;
        let many: Many = if value.get("scenarios").is_some() {
            serde_json::from_value(value).map_err(ScriptError::File)?
        } else {
            let script = serde_json::from_value(value).map_err(ScriptError::File)?;
            Many { scenarios: BTreeMap::from([(DEFAULT.to_owned(), script)]), select: Vec::new() }
        };
        for (name, script) in &many.scenarios {
            script.check(name)?;
        }
        let mut select = Vec::new();
        for Rule { prompt, scenario } in many.select {
            if !many.scenarios.contains_key(&scenario) {
                return Err(ScriptError::NoScenario(scenario));
            }
            select.push((regex(&prompt)?, scenario));
        }
        Ok(Self { scenarios: many.scenarios, select })
    }

    /// Returns the name of the scenario for a conversation that opens so.
    #[must_use]
    pub fn choose(&self, opening: &str) -> &str {
        let rule = self.select.iter().find(|(prompt, _)| prompt.is_match(opening));
        rule.map_or(DEFAULT, |(_, scenario)| scenario)
    }
}

const DEFAULT: &str = "default";

impl Script {
    fn check(&self, scenario: &str) -> Result<(), ScriptError> {
        let all = self.turns.iter().chain(&self.side).chain([&self.when_done]);
        for (index, planned) in all.enumerate() {
            let scenario = scenario.to_owned();
            Turn::read(planned).map_err(|source| ScriptError::Turn { scenario, index, source })?;
            if let Some(pattern) = planned.get("if_result").and_then(Value::as_str) {
                regex(pattern)?;
            }
        }
        Ok(())
    }
}

fn regex(pattern: &str) -> Result<Regex, ScriptError> {
    Regex::new(pattern).map_err(|source| ScriptError::Pattern { pattern: pattern.to_owned(), source })
}

/// Returns a number of seconds as a duration; what is none is no time.
fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

#[cfg(test)]
mod tests;
