//! The output of any agent, in one language.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing an agent said or did, normalised by its backend. Progress, never proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AgentEvent {
    /// It is up and has told what it is. `id` is what it can be resumed by.
    Started {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// It wrote prose.
    Text { text: String },
    /// It called a tool.
    ToolCall { tool: String, input: String },
    /// A tool answered it.
    ToolResult { tool: String, is_error: bool, output: String },
    /// Its model did not answer, and it tries again by itself.
    Retrying {
        cause: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    },
    /// How much of what the account may use is used, as the service said it. `used` is a share from 0 to 1.
    Allowance {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resets_at: Option<Timestamp>,
        /// The service refuses.
        rejected: bool,
    },
    /// What its work has cost so far in this life, as far as it says so.
    Usage {
        input_tokens: u64,
        output_tokens: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_usd: Option<f64>,
    },
    /// It says that it is through with what it was asked. It may go on nevertheless.
    Result { ok: bool, text: String },
    /// It printed something that its backend does not understand; a sign of life and nothing more.
    Other { line: String },
}
