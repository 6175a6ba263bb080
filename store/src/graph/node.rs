//! What the graph is told of a feature, and what it says of it.

use cogwork_schemas::{FeatureId, SessionId, Status};
use jiff::Timestamp;

/// One feature, as far as scheduling is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub id: FeatureId,
    pub status: Status,
    /// The features that have to pass first. An id that does not exist is never satisfied.
    pub dependencies: Vec<FeatureId>,
    /// Lower is earlier among features that are equal in the graph.
    pub priority: i64,
    /// The expected work in seconds.
    pub estimate_s: Option<f64>,
    /// Attempts that count against the limit.
    pub failed_attempts: u32,
    /// Crashes in a row.
    pub crashes: u32,
    /// The session that owns it while claimed.
    pub session: Option<SessionId>,
    /// Its attempt is green and waits for integration.
    pub submitted: bool,
    /// When its claim may be taken back; `None` when nobody claims it or it is submitted.
    pub lease_until: Option<Timestamp>,
    /// What the last attempt said, while parked; what is asked, while a person has to answer; what its landing waits
    /// for, once it is submitted.
    pub reason: Option<String>,
}

impl Node {
    /// Returns a pending feature without dependencies, estimate or history.
    pub fn new(id: FeatureId) -> Self {
        Self {
            id,
            status: Status::Pending,
            dependencies: Vec::new(),
            priority: 0,
            estimate_s: None,
            failed_attempts: 0,
            crashes: 0,
            session: None,
            submitted: false,
            lease_until: None,
            reason: None,
        }
    }
}

/// A [`Node`] in a graph, which keeps it in pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeView<'a> {
    pub id: FeatureId,
    pub status: Status,
    /// Distinct and ascending.
    pub dependencies: &'a [FeatureId],
    pub priority: i64,
    pub estimate_s: Option<f64>,
    pub failed_attempts: u32,
    pub crashes: u32,
    pub session: Option<SessionId>,
    pub submitted: bool,
    pub lease_until: Option<Timestamp>,
    pub reason: Option<&'a str>,
}

impl From<NodeView<'_>> for Node {
    fn from(view: NodeView<'_>) -> Self {
        Self {
            id: view.id,
            status: view.status,
            dependencies: view.dependencies.to_vec(),
            priority: view.priority,
            estimate_s: view.estimate_s,
            failed_attempts: view.failed_attempts,
            crashes: view.crashes,
            session: view.session,
            submitted: view.submitted,
            lease_until: view.lease_until,
            reason: view.reason.map(str::to_owned),
        }
    }
}

/// What every feature has, without its dependencies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) id: FeatureId,
    pub(crate) priority: i64,
    pub(crate) estimate_s: Option<f64>,
    pub(crate) failed_attempts: u32,
    pub(crate) crashes: u32,
    pub(crate) status: Status,
}

/// What only some features have: those that somebody works on, that were given up or that ask.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Special {
    session: Option<SessionId>,
    submitted: bool,
    lease_until: Option<Timestamp>,
    reason: Option<String>,
}

/// Takes a node apart, its dependencies distinct and ascending.
pub(super) fn apart(node: Node) -> (Plain, Option<Special>, Vec<FeatureId>) {
    let Node { id, status, mut dependencies, priority, estimate_s, failed_attempts, crashes, .. } = node;
    if !dependencies.is_sorted_by(|one, next| one < next) {
        dependencies.sort_unstable();
        dependencies.dedup();
    }
    let Node { session, submitted, lease_until, reason, .. } = Node { dependencies: Vec::new(), ..node };
    let special = Special { session, submitted, lease_until, reason };
    let plain = Plain { id, priority, estimate_s, failed_attempts, crashes, status };
    (plain, (special != Special::default()).then_some(special), dependencies)
}

/// Puts a node together.
pub(super) fn view<'a>(
    plain: &Plain,
    special: Option<&'a Special>,
    dependencies: &'a [FeatureId],
) -> NodeView<'a> {
    let Plain { id, priority, estimate_s, failed_attempts, crashes, status } = *plain;
    NodeView {
        id,
        status,
        dependencies,
        priority,
        estimate_s,
        failed_attempts,
        crashes,
        session: special.and_then(|special| special.session),
        submitted: special.is_some_and(|special| special.submitted),
        lease_until: special.and_then(|special| special.lease_until),
        reason: special.and_then(|special| special.reason.as_deref()),
    }
}
