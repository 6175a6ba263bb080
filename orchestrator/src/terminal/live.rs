//! A terminal that moves: one line per running session and one for the whole, below the lines of what happened.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cogwork_schemas::{AgentEvent, Entry, Fact, Feature, FeatureId, SessionId};
use console::{Style, Term};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::frame::{SessionLine, Size, Whole, frame};
use super::line::describe;
use super::plain::not_shown;
use super::tally::Tally;
use super::{Names, Progress, Reporter, clean, duration, here, since};

/// Redraws per second: smooth for the eye, nothing for the processor.
const HERTZ: u8 = 8;

pub(super) struct Live {
    names: Names,
    start: Timestamp,
    tally: Tally,
    screen: ProgressBar,
    term: Term,
    sessions: BTreeMap<SessionId, Seen>,
}

/// What was heard of a session.
#[derive(Debug, Default)]
struct Seen {
    feature: Option<FeatureId>,
    doing: String,
    waits: Option<String>,
    /// What the lives of its agent have cost that are over, and the one that goes on.
    cost_usd: [Option<f64>; 2],
}

impl Seen {
    fn cost(&self) -> Option<f64> {
        self.cost_usd.iter().flatten().copied().reduce(|before, now| before + now)
    }
}

/// Returns whether stderr is a terminal that can be drawn on; a dumb one, or none, gets plain lines.
pub(super) fn is_possible() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

impl Live {
    pub(super) fn new(features: &[Feature], start: Timestamp) -> Self {
        let screen = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
        let only_lines = ProgressStyle::with_template("{msg}");
        screen.set_style(only_lines.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let (names, tally) = (Names::new(features), Tally::new(features));
        Self { names, start, tally, screen, term: Term::stderr(), sessions: BTreeMap::new() }
    }

    fn say(&self, at: Timestamp, label: &str, text: &str, tone: &Style) -> io::Result<()> {
        let line = format!("{}  {label}  {}", since(self.start, at), tone.apply_to(text));
        self.screen.println(self.size().line(&line));
        Ok(())
    }

    fn size(&self) -> Size {
        Size::of(&self.term)
    }

    fn learn(&mut self, entry: &Entry) {
        self.names.notice(entry);
        self.tally.learn(entry);
        let Some(session) = entry.session else { return };
        let seen = self.sessions.entry(session).or_default();
        if let Fact::SessionWaits { until, because } = &entry.fact {
            seen.waits = Some(format!("waits until {}: {because}", here().at(*until)));
        } else if let Fact::SessionGoesOn = entry.fact {
            seen.waits = None;
        } else if let Fact::SessionEnded { usage, .. } = entry.fact {
            let cost_usd = [usage.and_then(|usage| usage.cost_usd), None];
            *seen = Seen { cost_usd, ..Seen::default() };
        }
    }
}

/// Returns how a line looks that tells of this: good news, bad news, or neither.
fn tone(fact: &Fact) -> Style {
    let style = Style::new().for_stderr();
    if matches!(fact, Fact::Integrated { .. }) {
        style.green()
    } else if matches!(fact, Fact::Parked { .. } | Fact::ReportedFailing { .. }) {
        style.red()
    } else if matches!(
        fact,
        Fact::AttemptEnded { .. }
            | Fact::Checked { .. }
            | Fact::SessionWaits { .. }
            | Fact::HumanAsked { .. }
    ) {
        style.yellow()
    } else {
        style
    }
}

impl Reporter for Live {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.learn(entry);
        // Claims and red checks are the moving lines' matter; what stays is how things ended.
        let stays =
            !matches!(entry.fact, Fact::Claimed { .. } | Fact::ChecksRed { .. } | Fact::ChecksGreen { .. });
        match describe(entry).filter(|_| stays) {
            Some(text) => self.say(entry.at, &self.names.label(entry.feature), &text, &tone(&entry.fact)),
            None => Ok(()),
        }
    }

    fn agent(&mut self, session: SessionId, event: &AgentEvent) -> io::Result<()> {
        let seen = self.sessions.entry(session).or_default();
        match event {
            AgentEvent::Text { text } if text.trim().is_empty() => {}
            AgentEvent::Text { text } => seen.doing = clean(text.trim()),
            AgentEvent::ToolCall { tool, input } => seen.doing = clean(&format!("{tool} {input}")),
            AgentEvent::Retrying { cause, .. } => {
                seen.doing = clean(&format!("no answer ({cause}), trying again"));
            }
            AgentEvent::Started { .. } => seen.cost_usd = [seen.cost(), None],
            AgentEvent::Usage { cost_usd, .. } => seen.cost_usd[1] = cost_usd.or(seen.cost_usd[1]),
            AgentEvent::ToolResult { .. }
            | AgentEvent::Allowance { .. }
            | AgentEvent::Result { .. }
            | AgentEvent::Other { .. } => {}
        }
        Ok(())
    }

    fn note(&mut self, at: Timestamp, text: &str) -> io::Result<()> {
        self.say(at, &self.names.label(None), text, &Style::new())
    }

    fn lost(&mut self, at: Timestamp, entries: u64) -> io::Result<()> {
        self.say(at, &self.names.label(None), &not_shown(entries), &Style::new())
    }

    fn last_words(&mut self, text: &str) -> io::Result<()> {
        io::stdout().lock().write_all(text.as_bytes())
    }

    fn wants_agents(&self) -> bool {
        true
    }

    fn wants_progress(&self) -> bool {
        true
    }

    fn tick(&mut self, now: Timestamp, progress: &Progress) {
        let mut lines = Vec::new();
        let mut waiting = 0_u64;
        for running in &progress.running {
            let seen = self.sessions.entry(running.session).or_default();
            if seen.feature.replace(running.feature).is_some_and(|before| before != running.feature) {
                seen.doing = String::new();
            }
            waiting += u64::from(seen.waits.is_some());
            lines.push(SessionLine {
                label: self.names.name(running.feature),
                at_it_ms: u64::try_from(now.duration_since(running.since).as_millis()).unwrap_or(0),
                cost_usd: seen.cost(),
                doing: seen.waits.clone().unwrap_or_else(|| seen.doing.clone()),
            });
        }
        let mut parts = vec![format!("{} running", progress.running.len())];
        parts.extend((waiting > 0).then(|| format!("{waiting} at a limit")));
        parts.extend(self.tally.parts());
        parts.extend(progress.left_ms.map(|ms| format!("about {} left", duration(ms))));
        let cost = self.sessions.values().filter_map(Seen::cost).reduce(|one, other| one + other);
        parts.extend(cost.map(|usd| format!("{usd:.2} USD")));
        let whole = Whole { total: progress.total, done: progress.passing, parts };
        // At once: nobody sees half of it.
        self.screen.set_message(frame(&lines, &whole, self.size()).join("\n"));
    }

    fn close(&mut self) {
        self.screen.finish_and_clear();
    }
}
