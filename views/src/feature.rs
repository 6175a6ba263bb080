//! One feature with its whole history, and all features in a line each.

use cogwork_schemas::{
    AttemptOutcome, CheckPhase, CheckReport, Feature, FeatureId, Hold, Proof, SessionId, Standing,
};
use cogwork_store::graph::Graph;
use cogwork_store::{AttemptRecord, Evidence, Store, StoreError};
use jiff::Timestamp;
use serde::Serialize;

/// One feature: what it is, why it stands where it stands, and the evidence of every attempt.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureView {
    #[serde(skip)]
    pub standing: Standing,
    pub feature: Feature,
    pub why: Option<Hold>,
    /// What was left for the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub attempts: Vec<AttemptView>,
}

/// One attempt at it.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    pub number: u32,
    pub session: SessionId,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<AttemptOutcome>,
    pub evidence: Vec<EvidenceView>,
}

/// One run of one check.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceView {
    pub at: Timestamp,
    pub phase: CheckPhase,
    pub commit: Option<String>,
    pub report: CheckReport,
}

/// What a feature has come to.
#[derive(Debug, Clone)]
pub struct FeatureLine {
    pub feature: Feature,
    pub standing: Standing,
    pub attempts: usize,
    /// What the last attempt came to.
    pub last: Option<AttemptOutcome>,
    /// The commit that its checks were run on last, once merged.
    pub commit: Option<String>,
    /// The time between claims and their ends, over all attempts.
    pub worked_ms: u64,
}

/// Why a feature is not running.
#[derive(Debug, Clone, Serialize)]
pub struct HoldView {
    pub id: FeatureId,
    pub name: String,
    pub why: Hold,
}

/// Returns where a feature stands. The roots of what blocks it are not asked for: that is to walk most of the graph for
/// each.
pub fn standing(feature: &Feature, graph: &Graph) -> Standing {
    let is_submitted = graph.node(feature.id).is_some_and(|node| node.submitted);
    Standing::new(feature.status, feature.proof, graph.is_ready(feature.id), is_submitted)
}

impl FeatureView {
    /// Looks at one feature.
    ///
    /// # Errors
    ///
    /// The database's; [`StoreError::UnknownFeature`].
    pub fn of(store: &Store, id: FeatureId) -> Result<Self, StoreError> {
        let (feature, graph) = (store.feature(id)?, store.graph()?);
        Ok(Self {
            standing: standing(&feature, &graph),
            why: graph.hold(id),
            feature,
            note: store.note(id)?.map(|note| note.text),
            attempts: store.attempts_of(id)?.into_iter().map(AttemptView::from).collect(),
        })
    }
}

impl FeatureLine {
    /// Looks at all features of a project.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn of_project(store: &Store) -> Result<Vec<Self>, StoreError> {
        let graph = store.graph()?;
        store
            .features()?
            .into_iter()
            .map(|feature| Ok(Self::new(standing(&feature, &graph), store.attempts_of(feature.id)?, feature)))
            .collect()
    }

    fn new(standing: Standing, attempts: Vec<AttemptRecord>, feature: Feature) -> Self {
        let worked = attempts.iter().filter_map(|it| Some(it.ended_at?.duration_since(it.started_at)));
        let worked_ms = worked.filter_map(|taken| u64::try_from(taken.as_millis()).ok()).sum();
        let count = attempts.len();
        let (last, evidence) =
            attempts.into_iter().next_back().map(|last| (last.outcome, last.evidence)).unzip();
        let merged = evidence.into_iter().flatten().rev().find(|seen| seen.phase == CheckPhase::Merged);
        Self {
            feature,
            standing,
            attempts: count,
            last: last.flatten(),
            commit: merged.and_then(|seen| seen.commit),
            worked_ms,
        }
    }

    /// Returns what speaks for it: how many checks, and what was seen of them; nothing for what does not pass.
    pub fn proof_in_words(&self) -> Option<String> {
        let checks = match self.feature.checks.len() as u64 {
            0 => String::new(),
            count => crate::counted(count, "check") + ", ",
        };
        let seen = match self.feature.proof? {
            Proof::RedGreen => "red → green",
            Proof::AlreadyGreen => "green before the work",
            Proof::Unverified => "the agent's word",
        };
        Some(format!("{checks}{seen}"))
    }
}

impl HoldView {
    /// Says why a feature is not running.
    ///
    /// # Errors
    ///
    /// The database's; [`StoreError::UnknownFeature`].
    pub fn of(store: &Store, id: FeatureId) -> Result<Option<Self>, StoreError> {
        let Feature { id, name, .. } = store.feature(id)?;
        Ok(store.graph()?.hold(id).map(|why| Self { id, name, why }))
    }

    /// Says it of every feature that does not pass.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn of_project(store: &Store) -> Result<Vec<Self>, StoreError> {
        let mut names: std::collections::BTreeMap<FeatureId, String> =
            store.features()?.into_iter().map(|feature| (feature.id, feature.name)).collect();
        let graph = store.graph()?;
        let open = graph.holds().filter(|(_, why)| *why != Hold::Passing);
        Ok(open.filter_map(|(id, why)| Some(Self { id, name: names.remove(&id)?, why })).collect())
    }
}

impl From<AttemptRecord> for AttemptView {
    fn from(record: AttemptRecord) -> Self {
        let AttemptRecord { number, session, started_at, ended_at, outcome, evidence, .. } = record;
        let evidence = evidence
            .into_iter()
            .map(|Evidence { at, phase, commit, report }| EvidenceView { at, phase, commit, report })
            .collect();
        Self { number, session, started_at, ended_at, outcome, evidence }
    }
}
