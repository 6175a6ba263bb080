//! What a session machine was told and what it asked for, written down so that it can be played again.
//!
//! Pure: it makes records and reads them. The runner alone reads these lines, so that they are the machine's own
//! types as they stand; [`FORM`] says whether they still are.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, Event, Limits, Patience, Policy, Session};

/// The form of the records. Greater by one with every change to the machine or its types after which older ones
/// cannot be read, or would play differently.
pub(super) const FORM: u32 = 1;

/// One line of the record of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The machine as it is made; the first line.
    Begin { form: u32, at: Timestamp, limits: Limits, policy: Policy, seed: u64 },
    /// It was told something.
    Step {
        at: Timestamp,
        event: Event,
        /// What it asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        effects: Vec<Effect>,
    },
    /// The file was full; the last line.
    Full,
}

impl Record {
    /// Returns what a machine that begins now is made from.
    pub fn begin(at: Timestamp, limits: Limits, policy: Policy, seed: u64) -> Self {
        Self::Begin { form: FORM, at, limits, policy, seed }
    }
}

/// Leaves out of a record what makes no difference: of what is seen of a working agent in a row only the last of each
/// kind counts, because all that it does is to set a clock. So the record of a flood is as short as that of silence.
#[derive(Debug, Default)]
pub struct Recorder {
    signs: Vec<Record>,
}

impl Recorder {
    /// Takes note of a step; returns what is to be written now.
    pub fn step(&mut self, at: Timestamp, event: Event, effects: &[Effect]) -> Vec<Record> {
        let sign = effects.is_empty().then(|| sign(&event)).flatten();
        if sign.is_some() {
            self.signs.retain(|record| match record {
                Record::Step { event: earlier, .. } => self::sign(earlier) != sign,
                Record::Begin { .. } | Record::Full => true,
            });
        }
        self.signs.push(Record::Step { at, event, effects: effects.to_vec() });
        if sign.is_some() { Vec::new() } else { std::mem::take(&mut self.signs) }
    }
}

/// What is seen of an agent while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Output,
    Progress,
    Result,
}

fn sign(event: &Event) -> Option<Sign> {
    match event {
        Event::AgentOutput => Some(Sign::Output),
        Event::AgentProgress => Some(Sign::Progress),
        Event::AgentResult => Some(Sign::Result),
        Event::Prepared
        | Event::NotPrepared { .. }
        | Event::AgentStarted
        | Event::AgentNotStarted { .. }
        | Event::Memory { .. }
        | Event::AgentHopeless { .. }
        | Event::NextFeature
        | Event::AgentExited(_)
        | Event::WaitOver
        | Event::Judged
        | Event::Control(_)
        | Event::Signal
        | Event::ParentGone
        | Event::LeaseLost
        | Event::Deadline => None,
    }
}

/// What came of playing a record again: as many steps, each with the same effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    pub steps: usize,
    /// `None` when the record ends before the session did.
    pub outcome: Option<SessionOutcome>,
}

/// Why a record could not be played to its end. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("it is empty")]
    Empty,
    #[error("its form is {found}, and this version of Cogwork reads form {FORM}")]
    OtherForm { found: String },
    #[error("line {line} is not understood: {why}")]
    Unreadable { line: usize, why: String },
    #[error("it is full after {steps} steps, and the end of the session is not in it")]
    Full { steps: usize },
    #[error("line {line} cannot have happened then ({what}): {event}")]
    Impossible { line: usize, event: String, what: &'static str },
    #[error(
        "line {line} differs: after {event} the machine asks for {now}, and asked for {then} in the session"
    )]
    Differs { line: usize, event: String, now: String, then: String },
    #[error("line {line} comes after the end of the session")]
    AfterTheEnd { line: usize },
}

/// Plays a record on a machine of its own and compares what it asks for. A last line that was cut off is left out.
///
/// # Errors
/// When the record is none, or at the first line at which the machine does something else.
pub fn replay(text: &str) -> Result<Replayed, ReplayError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines().enumerate().map(|(index, line)| (index + 1, line));
    let (_, first) = lines.next().filter(|(_, line)| !line.is_empty()).ok_or(ReplayError::Empty)?;
    let mut machine = begin(first)?;
    let mut replayed = Replayed { steps: 0, outcome: None };
    for (line, text) in lines {
        if replayed.outcome.is_some() {
            return Err(ReplayError::AfterTheEnd { line });
        }
        let unreadable = |why: String| ReplayError::Unreadable { line, why };
        let record = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let (at, event, then) = match record {
            Record::Step { at, event, effects } => (at, event, effects),
            Record::Begin { .. } => return Err(unreadable("a machine begins only once".to_owned())),
            Record::Full => return Err(ReplayError::Full { steps: replayed.steps }),
        };
        let said = format!("{event:?}");
        let now = machine.step(at, event);
        if let Some(what) = machine.fault() {
            return Err(ReplayError::Impossible { line, event: said, what });
        }
        if now != then {
            let (now, then) = (list(&now), list(&then));
            return Err(ReplayError::Differs { line, event: said, now, then });
        }
        replayed.steps += 1;
        if let Some(Effect::Finish { outcome, .. }) = now.last() {
            replayed.outcome = Some(outcome.clone());
        }
    }
    Ok(replayed)
}

fn begin(line: &str) -> Result<Session, ReplayError> {
    let unreadable = |error: serde_json::Error| ReplayError::Unreadable { line: 1, why: error.to_string() };
    let value: serde_json::Value = serde_json::from_str(line).map_err(unreadable)?;
    // Before the rest, which another version may have written differently.
    if value["form"] != FORM {
        let found = if value["form"].is_null() { "unknown".to_owned() } else { value["form"].to_string() };
        return Err(ReplayError::OtherForm { found });
    }
    match serde_json::from_value(value).map_err(unreadable)? {
        Record::Begin { at, limits, policy, seed, .. } => {
            Ok(Session::new(at, limits, Patience::new(policy, seed)))
        }
        Record::Step { .. } | Record::Full => {
            Err(ReplayError::Unreadable { line: 1, why: "it does not say how the machine began".to_owned() })
        }
    }
}

fn list(effects: &[Effect]) -> String {
    match effects {
        [] => "nothing".to_owned(),
        effects => effects.iter().map(|effect| format!("{effect:?}")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
