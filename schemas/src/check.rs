//! Checks: the shell commands that decide, and what one run of them showed.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How long a check may run unless it says otherwise, in seconds. Long enough for a test suite, short enough that
/// a hanging one does not cost a night.
pub const DEFAULT_CHECK_TIMEOUT_S: u32 = 600;

/// A shell command that decides whether a feature works: exit code 0 is green, anything else is red.
///
/// In files it may be written as a plain string when the default time limit is right.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Check {
    /// Given to `sh -c` in the root of the tree under test.
    pub command: String,
    /// After this many seconds the command is killed and counts as red.
    pub timeout_s: u32,
}

impl Check {
    /// Returns a check with the default time limit.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), timeout_s: DEFAULT_CHECK_TIMEOUT_S }
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckVisitor)
    }
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = Check;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check: a shell command, or an object with `command` and optionally `timeout_s`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Check, E> {
        validated(Check::new(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Check, A::Error> {
        let (mut command, mut timeout_s) = (None, DEFAULT_CHECK_TIMEOUT_S);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "command" => command = Some(map.next_value::<String>()?),
                "timeout_s" => timeout_s = map.next_value()?,
                other => return Err(de::Error::unknown_field(other, &["command", "timeout_s"])),
            }
        }
        let command = command.ok_or_else(|| de::Error::missing_field("command"))?;
        validated(Check { command, timeout_s })
    }
}

fn validated<E: de::Error>(check: Check) -> Result<Check, E> {
    if check.command.trim().is_empty() {
        return Err(E::custom("a check's command must not be empty"));
    }
    if check.timeout_s == 0 {
        return Err(E::custom("a check's timeout_s must be at least 1"));
    }
    Ok(check)
}

impl JsonSchema for Check {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A shell command that decides: exit code 0 is green, anything else is red.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "properties": {
                        "command": { "type": "string", "minLength": 1 },
                        "timeout_s": { "type": "integer", "minimum": 1 }
                    },
                    "required": ["command"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// At which point of a feature's life a check was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckPhase {
    /// On the base commit, before any work: expected to be red.
    Before,
    /// In the session's workspace, after the work.
    After,
    /// On the merge of that work with the main branch, before it lands.
    Merged,
    /// By hand, on what is on the main branch.
    Verify,
}

/// How one run of one check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum CheckVerdict {
    /// It ended with exit code 0.
    Green,
    /// It ended with another exit code; 128 + n when signal n ended it.
    Red { exit_code: i32 },
    /// It was killed at its time limit.
    TimedOut,
    /// It could not be started at all.
    NotStarted { reason: String },
}

impl CheckVerdict {
    /// Returns whether the check decided in favour of the work.
    pub fn is_green(&self) -> bool {
        *self == Self::Green
    }
}

impl fmt::Display for CheckVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Green => f.write_str("green"),
            Self::Red { exit_code } => write!(f, "red (exit {exit_code})"),
            Self::TimedOut => f.write_str("red (timed out)"),
            Self::NotStarted { reason } => write!(f, "red (not started: {reason})"),
        }
    }
}

/// What one run of one check showed: the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    pub command: String,
    pub verdict: CheckVerdict,
    /// Wall-clock time in milliseconds.
    pub duration_ms: u64,
    /// The end of what it printed (stdout and stderr as they came), bounded, invalid UTF-8 replaced.
    pub output_tail: String,
    /// A digest of all it printed, to tell two runs apart without keeping both: 64-bit FNV-1a in hexadecimal.
    pub output_digest: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_string_or_an_object() {
        let checks: Vec<Check> =
            serde_json::from_str(r#"["sh t.sh", {"command": "make", "timeout_s": 5}]"#).unwrap();
        assert_eq!(checks[0], Check::new("sh t.sh"));
        assert_eq!(checks[1], Check { command: "make".into(), timeout_s: 5 });
    }

    #[test]
    fn a_wrong_check_is_named() {
        let error = |text: &str| serde_json::from_str::<Check>(text).unwrap_err().to_string();
        assert!(error(r#"{"command": "make", "timeout": 5}"#).contains("unknown field `timeout`"));
        assert!(error(r#"{"timeout_s": 5}"#).contains("missing field `command`"));
        assert!(error(r#"" ""#).contains("must not be empty"));
        assert!(error("7").contains("a shell command, or an object"));
    }
}
