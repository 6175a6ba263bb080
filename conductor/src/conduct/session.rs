//! A session as the conductor sees it: what it is at, and until when something has to be heard of it.
//!
//! All times are steady: a machine that slept for a night has taken nothing from anybody.

use cogwork_schemas::{AttemptId, FeatureId};
use jiff::{SignedDuration, Timestamp};

use crate::engine::SessionEnd;

/// How long a runner may take to be started: a fork, an exec, a warden.
const START_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// A runner that was told to stop has its own, shorter graces; this one is for a runner that hangs itself.
const STOP_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// How long a runner may take to be gone once it was killed. A process that waits for a dead disk may never be.
const KILL_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// What a runner needs beyond its agent and its checks: a clone, a commit, a sweep.
const RUNNER_MARGIN: SignedDuration = SignedDuration::from_secs(300);
/// After so many leases without a sign of life, a runner is stopped by a signal, or hangs: it renews three times in each.
const SILENT_LEASES: i32 = 4;

/// What is known of a session that is under way.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) feature: FeatureId,
    pub(super) slot: Option<u32>,
    /// What it has taken, the first included.
    pub(super) attempts: Vec<AttemptId>,
    /// When it began with the feature that it is at, by the clock on the wall.
    pub(super) since: Timestamp,
    /// How it ended, once that is known.
    pub(super) end: Option<SessionEnd>,
    pub(super) life: Life,
    /// Whether the engine was told that it runs.
    pub(super) is_known: bool,
    lease: SignedDuration,
    /// How long it may take at the feature it is at.
    limit: SignedDuration,
    overdue_at: Timestamp,
    silent_at: Timestamp,
}

/// Where its runner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Starting {
        until: Timestamp,
    },
    Running,
    /// It was told to stop.
    Stopping {
        until: Timestamp,
    },
    /// It has said that its session is over, and has only to go.
    Leaving {
        until: Timestamp,
    },
    Killed {
        until: Timestamp,
    },
    /// It is gone, and the ledger is asked what it has left.
    Gone,
}

impl Session {
    /// A session that was claimed for a feature whose checks may take so many seconds.
    pub(super) fn new(
        now: Timestamp,
        (feature, attempt, since): (FeatureId, AttemptId, Timestamp),
        slot: Option<u32>,
        lease: SignedDuration,
        limit: SignedDuration,
        check_s: u64,
    ) -> Self {
        let limit = feature_limit(limit, check_s);
        Self {
            feature,
            slot,
            attempts: vec![attempt],
            since,
            end: None,
            life: Life::Starting { until: now + START_LIMIT },
            is_known: false,
            lease,
            limit,
            overdue_at: now + limit,
            silent_at: now + lease * SILENT_LEASES,
        }
    }

    /// Returns the attempt that it was started for.
    pub(super) fn first(&self) -> AttemptId {
        self.attempts.first().copied().unwrap_or(AttemptId(0))
    }

    pub(super) fn started(&mut self) {
        self.is_known = true;
        if let Life::Starting { .. } = self.life {
            self.life = Life::Running;
        }
    }

    /// Notes a sign of life.
    pub(super) fn hear(&mut self, now: Timestamp) {
        self.silent_at = now + self.lease * SILENT_LEASES;
    }

    /// Notes that it has begun with a further feature.
    pub(super) fn goes_on(
        &mut self,
        now: Timestamp,
        (feature, attempt, since): (FeatureId, AttemptId, Timestamp),
        limit: SignedDuration,
        check_s: u64,
    ) {
        self.feature = feature;
        self.attempts.push(attempt);
        self.since = since;
        self.limit = feature_limit(limit, check_s);
        self.overdue_at = now + self.limit;
    }

    /// Notes that it waits so long for its agent's account or service, and has all its time after that.
    pub(super) fn waits(&mut self, now: Timestamp, wait: SignedDuration) {
        self.overdue_at = now
            .saturating_add(wait)
            .unwrap_or(Timestamp::MAX)
            .saturating_add(self.limit)
            .unwrap_or(Timestamp::MAX);
    }

    /// Notes that it is told to stop; returns whether it has to be.
    pub(super) fn stop(&mut self, now: Timestamp) -> bool {
        match self.life {
            Life::Starting { .. } | Life::Running => {
                self.life = Life::Stopping { until: now + STOP_GRACE };
                true
            }
            Life::Stopping { .. } | Life::Leaving { .. } | Life::Killed { .. } | Life::Gone => false,
        }
    }

    /// Notes that it is over, and how; its runner is to go by itself.
    pub(super) fn report(&mut self, now: Timestamp, end: SessionEnd) {
        self.end = Some(end);
        if !matches!(self.life, Life::Killed { .. } | Life::Gone) {
            self.life = Life::Leaving { until: now + STOP_GRACE };
        }
    }

    /// Returns until when something has to happen.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self.life {
            Life::Starting { until }
            | Life::Stopping { until }
            | Life::Leaving { until }
            | Life::Killed { until } => Some(until),
            Life::Running => Some(self.overdue_at.min(self.silent_at)),
            Life::Gone => None,
        }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// Notes that it is killed and returns why; nothing when it was before, in vain.
    pub(super) fn kill(&mut self, now: Timestamp) -> Option<&'static str> {
        let why = match self.life {
            Life::Starting { .. } => "does not start",
            Life::Running if self.overdue_at <= now => "has taken all its time and does not end",
            Life::Running => "gives no sign of life",
            Life::Stopping { .. } => "was told to stop and does not end",
            Life::Leaving { .. } => "has ended and its runner does not",
            Life::Killed { .. } | Life::Gone => return None,
        };
        self.life = Life::Killed { until: now + KILL_GRACE };
        Some(why)
    }
}

/// Checks run before the work, when the agent says it is done, and after it.
fn feature_limit(session: SignedDuration, check_s: u64) -> SignedDuration {
    let checks = SignedDuration::from_secs(i64::try_from(check_s).unwrap_or(i64::MAX / 8).min(i64::MAX / 8));
    session.saturating_add(checks.saturating_mul(3)).saturating_add(RUNNER_MARGIN).min(LONGEST)
}

/// A year: beyond this, dates could not be counted with.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 365);
