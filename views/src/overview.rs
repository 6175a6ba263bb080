//! Where a project stands: what `cogwork status` says.

use cogwork_schemas::{
    Activity, Asker, FeatureId, ProcessIdentity, RunOutcome, SessionId, SessionOutcome, StartHold, Usage,
};
use cogwork_store::{Adoption, LiveSession, Pause, RunRecord, Store, StoreError, Waiting};
use jiff::Timestamp;
use serde::Serialize;

use crate::{Counts, When};

/// Where a project stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    #[serde(flatten)]
    pub counts: Counts,
    /// Since when no session is started, until somebody asks to resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The sessions that are not over.
    pub sessions: Vec<SessionView>,
    /// Slots of the run that is under way which are free, and why they stay so.
    pub idle_slots: Vec<IdleSlot>,
    /// The run that began last, unless it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// What was taken over from another program when the project began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<TakenOver>,
}

/// Nothing is started in the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paused {
    pub since: Timestamp,
    pub by: Asker,
}

/// One session that is not over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionView {
    pub id: SessionId,
    pub agent: String,
    pub features: Vec<FeatureId>,
    pub since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Until when it waits, and for what; none while it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<WaitView>,
    /// What was told last of what it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// What it took so far, as far as its agent says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Why a session does nothing for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitView {
    pub until: Timestamp,
    pub because: SessionOutcome,
}

/// A slot that no session has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdleSlot {
    pub slot: u32,
    pub since: Timestamp,
    pub why: StartHold,
}

/// A run that is over, or was killed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastRun {
    pub started_at: Timestamp,
    /// When it ended; none for one that was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
}

/// What was taken over from another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenOver {
    pub at: Timestamp,
    pub source: String,
    pub features: u32,
    pub left_out: Vec<String>,
}

impl Overview {
    /// Looks at a project; `under_way` is the process of the run that holds it now.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn of_project(store: &Store, under_way: Option<&ProcessIdentity>) -> Result<Self, StoreError> {
        let last = store.last_run()?;
        let is_under_way = |run: &RunRecord| under_way == Some(&run.process);
        let idle_slots = match last.as_ref().filter(|run| is_under_way(run)) {
            Some(run) => store.idle_slots(run.id)?,
            None => Vec::new(),
        };
        let idle_slots = idle_slots.into_iter().map(|(slot, since, why)| IdleSlot { slot, since, why });
        Ok(Self {
            counts: Counts::of_project(store)?,
            paused: store.pause()?.map(|Pause { since, by }| Paused { since, by }),
            sessions: store.live_sessions()?.into_iter().map(SessionView::from).collect(),
            idle_slots: idle_slots.collect(),
            last_run: last.filter(|run| !is_under_way(run)).map(LastRun::from),
            adopted: store.adoption()?.map(TakenOver::from),
        })
    }

    /// Returns what goes on, a line for each thing: what is paused, what sessions do, why slots stay free.
    pub fn activity_lines(&self, when: &When) -> Vec<String> {
        let paused = self.paused.iter().map(|Paused { since, by }| {
            format!("paused since {} by {by}: nothing is started until `cogwork resume`", when.at(*since))
        });
        let sessions = self.sessions.iter().map(|session| format!("  {}", session.line(when)));
        let idle = self.idle_slots.iter().map(|IdleSlot { slot, since, why }| {
            format!(
                "nothing is started in slot {slot} since {}: {}",
                when.at(*since),
                hold_in_words(why, when)
            )
        });
        paused.chain(sessions).chain(idle).collect()
    }
}

impl SessionView {
    /// Returns what it does: `s7 (claude) at #3 since 14:05: Edit src/main.rs`.
    pub fn line(&self, when: &When) -> String {
        let features: Vec<_> = self.features.iter().map(ToString::to_string).collect();
        let at = if features.is_empty() {
            "between features".to_owned()
        } else {
            format!("at {}", features.join(", "))
        };
        let doing = match (&self.waits, &self.activity) {
            (Some(WaitView { until, because }), _) => {
                format!(": waits until {}: {}", when.at(*until), outcome_in_words(because, when))
            }
            (None, Some(activity)) => doing(activity),
            (None, None) => String::new(),
        };
        let cost = self
            .usage
            .and_then(|usage| usage.cost_usd)
            .map_or_else(String::new, |usd| format!(", {usd:.2} USD"));
        format!("{} ({}) {at} since {}{cost}{doing}", self.id, self.agent, when.at(self.since))
    }
}

fn doing(Activity { tool, change, checks }: &Activity) -> String {
    let checks = checks.map(|seen| format!("{} of {} checks green", seen.green, seen.total));
    let change = change.as_ref().map(|path| format!("changed {path}"));
    let all: Vec<_> = [tool.clone(), change, checks].into_iter().flatten().collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join("; ")) }
}

/// Returns how a session ended, with times as people read them.
fn outcome_in_words(outcome: &SessionOutcome, when: &When) -> String {
    if let SessionOutcome::UsageLimit { resets_at: Some(at), window } = outcome {
        let window = window.as_ref().map_or_else(String::new, |window| format!(" ({window})"));
        return format!("the account's usage limit{window} resets at {}", when.at(*at));
    }
    outcome.to_string()
}

/// Returns why nothing is started, with times as people read them.
fn hold_in_words(hold: &StartHold, when: &When) -> String {
    if let StartHold::KeptForLanding { feature, until } = hold {
        return format!("it is kept for what the landing of {feature} frees, until {}", when.at(*until));
    }
    if let StartHold::BackingOff { until } = hold {
        return format!("its sessions crashed; the next one may start at {}", when.at(*until));
    }
    if let StartHold::GateClosed { account, until: Some(until) } = hold {
        return format!("the account {account} is at its limit until {}", when.at(*until));
    }
    hold.to_string()
}

impl From<LiveSession> for SessionView {
    fn from(session: LiveSession) -> Self {
        let LiveSession { id, agent, started_at, slot, usage, waiting, activity, attempts, .. } = session;
        Self {
            id,
            agent,
            features: attempts.iter().map(|attempt| attempt.feature).collect(),
            since: started_at,
            slot,
            waits: waiting.map(|Waiting { until, because }| WaitView { until, because }),
            activity,
            usage,
        }
    }
}

impl From<RunRecord> for LastRun {
    fn from(run: RunRecord) -> Self {
        let (ended_at, outcome) = run.ended.unzip();
        Self { started_at: run.started_at, ended_at, outcome }
    }
}

impl From<Adoption> for TakenOver {
    fn from(Adoption { at, source, features, left_out }: Adoption) -> Self {
        Self { at, source, features, left_out }
    }
}

#[cfg(test)]
mod tests {
    use cogwork_schemas::ChecksSeen;
    use jiff::tz::TimeZone;

    use super::*;

    fn session() -> SessionView {
        SessionView {
            id: SessionId(7),
            agent: "claude".into(),
            features: vec![FeatureId(3)],
            since: "2026-11-30T12:05:00Z".parse().unwrap(),
            slot: Some(1),
            waits: None,
            activity: None,
            usage: None,
        }
    }

    #[test]
    fn a_session_says_what_it_does() {
        let when = When { now: "2026-11-30T13:00:00Z".parse().unwrap(), zone: TimeZone::UTC };
        assert_eq!(session().line(&when), "s7 (claude) at #3 since 12:05");
        let checks = Some(ChecksSeen { green: 1, total: 2 });
        let activity = Activity { tool: Some("Edit a.rs".into()), change: None, checks };
        let usage = Some(Usage { cost_usd: Some(0.5), ..Usage::default() });
        let busy = SessionView { activity: Some(activity), usage, ..session() };
        assert_eq!(
            busy.line(&when),
            "s7 (claude) at #3 since 12:05, 0.50 USD: Edit a.rs; 1 of 2 checks green"
        );
        let until = "2027-11-30T13:00:00Z".parse().unwrap();
        let because = SessionOutcome::UsageLimit { resets_at: Some(until), window: Some("five_hour".into()) };
        let waits = SessionView { waits: Some(WaitView { until, because }), ..busy };
        assert_eq!(
            waits.line(&when),
            "s7 (claude) at #3 since 12:05, 0.50 USD: waits until 30 Nov 2027: the account's usage limit (five_hour) \
             resets at 30 Nov 2027"
        );
        let between = SessionView { features: Vec::new(), ..session() };
        assert_eq!(between.line(&when), "s7 (claude) between features since 12:05");
    }
}
