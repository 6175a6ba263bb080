//! A feature as a prompt shows it, and what is known of earlier work on it.

use cogwork_schemas::{Check, CheckReport, CheckVerdict, Feature};
use serde::Serialize;

/// Lines of a red check's output that a prompt shows: the end of a test run, not all of it.
const TAIL_LINES: usize = 30;

/// Characters of the same, so that one line without an end cannot fill a prompt.
const TAIL_CHARS: usize = 3_000;

/// The part of a feature that an agent has to know. Every field is always there, `none` where there is nothing, so
/// that a template may ask for it without a guard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureText {
    /// The number that the tools take.
    pub id: i64,
    /// The author's own name for it.
    pub key: Option<String>,
    pub category: String,
    pub name: String,
    pub description: String,
    /// Prose, in order.
    pub steps: Vec<String>,
    /// The commands that decide, each with `command` and `timeout_s`.
    pub checks: Vec<Check>,
    /// What a person was asked about it last, and said.
    pub answered: Option<Answered>,
}

impl From<&Feature> for FeatureText {
    fn from(feature: &Feature) -> Self {
        Self {
            id: feature.id.0,
            key: feature.key.clone(),
            category: feature.category.clone(),
            name: feature.name.clone(),
            description: feature.description.clone(),
            steps: feature.steps.clone(),
            checks: feature.checks.clone(),
            answered: Answered::of(feature),
        }
    }
}

/// A question to a person and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    pub question: String,
    /// A line for each field: its label and what was filled in.
    pub answers: Vec<String>,
}

impl Answered {
    fn of(feature: &Feature) -> Option<Self> {
        let (request, response) = (feature.human_request.as_ref()?, feature.human_response.as_ref()?);
        let label = |id: &str| {
            let field = request.fields.iter().find(|field| field.id == id);
            field.map_or(id, |field| &field.label).to_owned()
        };
        let answers = response.fields.iter().map(|(id, answer)| format!("{}: {answer}", label(id)));
        Some(Self { question: request.prompt.clone(), answers: answers.collect() })
    }
}

/// One earlier attempt that did not land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousAttempt {
    /// Counts from 1 per feature.
    pub number: u32,
    /// How it ended and why, as one line.
    pub outcome: String,
    /// The checks that it left red, where they are to be shown; empty otherwise.
    pub red: Vec<RedCheck>,
}

/// A check that is red, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedCheck {
    pub command: String,
    /// How it ended, such as `exit code 1`.
    pub verdict: String,
    /// The end of what it printed; may be empty.
    pub tail: String,
}

impl RedCheck {
    /// Returns the evidence of a check, if it is red.
    pub fn of(report: &CheckReport) -> Option<Self> {
        let verdict = match &report.verdict {
            CheckVerdict::Green => return None,
            CheckVerdict::Red { exit_code } => format!("exit code {exit_code}"),
            CheckVerdict::TimedOut => "killed at its time limit".to_owned(),
            CheckVerdict::NotStarted { reason } => format!("could not be started: {reason}"),
        };
        Some(Self { command: report.command.clone(), verdict, tail: tail(&report.output_tail) })
    }
}

/// Cuts an output to the lines and characters at its end that a prompt has room for.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let text = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    let surplus = text.chars().count().saturating_sub(TAIL_CHARS);
    text.chars().skip(surplus).collect()
}
