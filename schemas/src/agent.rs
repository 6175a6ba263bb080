//! The output of any agent, in one language.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing an agent said or did, normalised by its backend. Progress, never proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AgentEvent {
    /// It wrote prose.
    Text { text: String },
    /// It called a tool.
    ToolCall { tool: String, input: String },
    /// A tool answered it.
    ToolResult { tool: String, is_error: bool, output: String },
    /// It printed something that its backend does not understand; a sign of life and nothing more.
    Other { line: String },
}
