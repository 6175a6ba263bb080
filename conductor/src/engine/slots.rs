//! Which freed slot waits for a landing, and for how long.
//!
//! A slot is not given away before the work that freed it is judged, where that pays: what lands first may make a
//! feature ready that is more urgent than everything that is ready now, and on a graph with a long chain that decides
//! how long the run takes. It pays only while the landing takes little compared with the work that would start instead.

use std::collections::{BTreeMap, VecDeque};

use cogwork_schemas::{AttemptId, FeatureId, Status};
use cogwork_store::graph::Graph;
use jiff::{SignedDuration, Timestamp};

/// No slot of a run waits longer than this for one landing: a session that starts at once takes minutes.
pub(crate) const SLOT_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// A landing may take this part of the work that would start instead.
const PART: f64 = 0.1;
/// So many of the last are looked at: a few slow checks long ago say nothing about the next landing.
const LAST: usize = 10;

/// How long something took lately.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<SignedDuration>);

impl Recent {
    pub(super) fn learn(&mut self, taken: SignedDuration) {
        if self.0.len() == LAST {
            self.0.pop_front();
        }
        self.0.push_back(taken);
    }

    /// Returns the median; nothing before anything was learned.
    pub(super) fn median(&self) -> Option<SignedDuration> {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

/// The slots that wait, each for the landing of the work that freed it.
#[derive(Debug)]
pub(super) struct WaitingSlots {
    longest: SignedDuration,
    waiting: BTreeMap<AttemptId, Wait>,
    landings: Recent,
    sessions: Recent,
    /// When the landing that is under way began.
    began: Option<(AttemptId, Timestamp)>,
}

#[derive(Debug)]
struct Wait {
    feature: FeatureId,
    /// How long the landing was expected to take when it was queued.
    expected: SignedDuration,
    until: Timestamp,
}

impl WaitingSlots {
    /// None waits longer than this.
    pub(super) fn new(longest: SignedDuration) -> Self {
        Self {
            longest,
            waiting: BTreeMap::new(),
            landings: Recent::default(),
            sessions: Recent::default(),
            began: None,
        }
    }

    /// A session of ours was this long at work.
    pub(super) fn worked(&mut self, taken: SignedDuration) {
        self.sessions.learn(taken);
    }

    /// The work of an attempt waits to land, behind so many others, and its session has freed a slot.
    pub(super) fn freed(
        &mut self,
        now: Timestamp,
        (feature, attempt): (FeatureId, AttemptId),
        before: usize,
    ) {
        let Some(median) = self.landings.median() else { return };
        let expected = median * i32::try_from(before + 1).unwrap_or(i32::MAX);
        if expected <= self.longest {
            self.waiting.insert(attempt, Wait { feature, expected, until: now + expected });
        }
    }

    pub(super) fn landing_began(&mut self, now: Timestamp, attempt: AttemptId) {
        self.began = Some((attempt, now));
    }

    /// A landing came to its end. Only one that got through says how long they take.
    pub(super) fn landing_ended(&mut self, now: Timestamp, attempt: AttemptId, has_landed: bool) {
        self.waiting.remove(&attempt);
        if let Some((_, began)) = self.began.take_if(|(began, _)| *began == attempt)
            && has_landed
        {
            self.landings.learn(now.duration_since(began).max(SignedDuration::ZERO));
        }
    }

    pub(super) fn forget(&mut self, feature: FeatureId) {
        self.waiting.retain(|_, wait| wait.feature != feature);
    }

    /// Returns which slots wait rather than go to `candidate`, which is ready: until when, and for which landing.
    pub(super) fn kept_from(
        &self,
        now: Timestamp,
        graph: &Graph,
        candidate: FeatureId,
    ) -> Vec<(Timestamp, FeatureId)> {
        let Some(work_s) = self.work_s(graph, candidate) else { return Vec::new() };
        let waits = self.waiting.values().filter(|wait| wait.until > now);
        let pays = |wait: &&Wait| {
            wait.expected.as_secs_f64() <= work_s * PART && brings_more_urgent(graph, wait.feature, candidate)
        };
        waits.filter(pays).map(|wait| (wait.until, wait.feature)).collect()
    }

    #[cfg(test)]
    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.waiting.values().filter(|wait| wait.until > now).count()
    }

    /// Lets go of those that have waited long enough.
    pub(super) fn on_deadline(&mut self, now: Timestamp) {
        self.waiting.retain(|_, wait| wait.until > now);
    }

    fn work_s(&self, graph: &Graph, id: FeatureId) -> Option<f64> {
        let estimate = graph.node(id).and_then(|node| node.estimate_s);
        estimate.or_else(|| self.sessions.median().map(|median| median.as_secs_f64()))
    }
}

/// Returns whether the landing of a feature makes something ready that is more urgent than another.
fn brings_more_urgent(graph: &Graph, landing: FeatureId, than: FeatureId) -> bool {
    let urgency = graph.chain_s(than);
    graph.dependents(landing).into_iter().any(|id| {
        graph.node(id).is_some_and(|node| node.status == Status::Pending)
            && graph.unmet_of(id).all(|unmet| unmet == landing)
            && graph.chain_s(id) > urgency
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_last_ten() {
        let mut recent = Recent::default();
        assert_eq!(recent.median(), None);
        for seconds in [100, 100, 100, 100, 100, 100, 1, 1, 1, 1, 1, 1] {
            recent.learn(SignedDuration::from_secs(seconds));
        }
        assert_eq!(recent.median(), Some(SignedDuration::from_secs(1)));
    }
}
