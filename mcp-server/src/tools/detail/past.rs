//! What earlier attempts at a feature came to, as far as an answer has room for it.

use cogwork_schemas::CheckReport;
use cogwork_store::AttemptRecord;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{cut, short};

/// How many failed attempts a claim tells of, and how many red checks of the last of them.
const TOLD_ATTEMPTS: usize = 3;
const TOLD_RED: usize = 2;

/// Characters of how an attempt ended.
const OUTCOME_CHARS: usize = 500;

/// Characters of a red check's output.
const TAIL_CHARS: usize = 800;

/// An attempt that failed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Earlier {
    number: u32,
    outcome: String,
    /// What it left red, of the last one only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    red: Vec<LeftRed>,
}

impl Earlier {
    /// Returns the last of the attempts that failed; the very last one shows what it left red.
    pub(super) fn all(failures: &[AttemptRecord]) -> Vec<Self> {
        let told = &failures[failures.len().saturating_sub(TOLD_ATTEMPTS)..];
        told.iter().enumerate().map(|(index, record)| Self::of(record, index + 1 == told.len())).collect()
    }

    fn of(record: &AttemptRecord, with_red: bool) -> Self {
        let red = if with_red { record.left_red() } else { Vec::new() };
        let outcome = record.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            number: record.number,
            outcome: cut(&outcome, OUTCOME_CHARS),
            red: red.iter().take(TOLD_RED).map(LeftRed::of).collect(),
        }
    }
}

/// A check that an attempt left red.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftRed {
    command: String,
    verdict: String,
    /// The end of what it printed.
    output_tail: String,
}

impl LeftRed {
    fn of(report: &CheckReport) -> Self {
        let tail = report.output_tail.trim_end();
        let surplus = tail.chars().count().saturating_sub(TAIL_CHARS);
        Self {
            command: short(&report.command),
            verdict: report.verdict.to_string(),
            output_tail: tail.chars().skip(surplus).collect(),
        }
    }
}
