//! The graph that a store keeps: built at the first question, afterwards brought up to date from the journal.
//!
//! Every change of a feature names it in the journal, in its own transaction. So the entries since the last look
//! say which features to read anew, whoever changed them, and the graph is exactly what the database holds at the
//! moment of the transaction that asks. A graph that could not be brought up to date is dropped, never kept.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use cogwork_schemas::{Fact, FeatureId};
use rusqlite::Transaction;

use crate::columns::Id;
use crate::error::Fail;
use crate::features::list;
use crate::graph::Graph;
use crate::journal::{last_seq, read_fact};
use crate::nodes;
use crate::{Store, StoreError};

/// Reading one feature by itself takes as long as reading this many in a row.
const ROW_COST: usize = 8;

/// So few features are read one by one whatever the size of the project.
const FEW: usize = 16;

/// Where the graph is kept.
#[derive(Default)]
pub(crate) struct Kept(RefCell<Option<Seen>>);

/// A graph, and the journal's number when it was right.
struct Seen {
    seq: i64,
    graph: Arc<Graph>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Store {
    /// Returns the graph of the project as it is now.
    ///
    /// The first question reads every feature. After that it costs microseconds while nothing happens, and tens of
    /// them for each feature that changed, in this process or in another; what [`Graph::upsert`] says about the
    /// order holds here too. Leases leave no journal entry when they are renewed, so
    /// [`Node::lease_until`](crate::graph::Node::lease_until) may be older than the database's.
    ///
    /// Let go of it before the store changes again: a graph that somebody still holds then is copied.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn graph(&self) -> Result<Arc<Graph>, StoreError> {
        self.read(|tx| self.kept.now(tx))
    }
}

impl Kept {
    /// Returns the graph as it is at the moment of this transaction. A transaction that writes asks before its own
    /// changes, because they may still be undone.
    pub(crate) fn now(&self, tx: &Transaction<'_>) -> Result<Arc<Graph>, Fail> {
        let last = last_seq(tx)?;
        // Taken out: whatever fails on the way leaves nothing behind.
        let seen = match self.0.take() {
            Some(seen) if seen.seq == last => seen,
            Some(seen) if seen.seq < last => seen.brought_to(tx, last)?,
            Some(_) | None => Seen::anew(tx, last)?,
        };
        let graph = Arc::clone(&seen.graph);
        self.0.replace(Some(seen));
        Ok(graph)
    }

    /// Drops what was seen of changes that were undone. `last` is the journal's last number now.
    pub(crate) fn forget_beyond(&self, last: Option<i64>) {
        self.0.replace_with(|seen| seen.take().filter(|seen| last.is_some_and(|last| seen.seq <= last)));
    }
}

impl Seen {
    fn anew(tx: &Transaction<'_>, seq: i64) -> Result<Self, Fail> {
        Ok(Self { seq, graph: Arc::new(nodes::graph(tx)?) })
    }

    fn brought_to(mut self, tx: &Transaction<'_>, last: i64) -> Result<Self, Fail> {
        let entries = usize::try_from(last - self.seq).unwrap_or(usize::MAX);
        let affordable = FEW + self.graph.counts().total() / ROW_COST;
        // Mostly a feature has a few entries in a row.
        if entries / ROW_COST > affordable {
            return Self::anew(tx, last);
        }
        let Some(changed) = changed_since(tx, self.seq)?.filter(|changed| changed.len() <= affordable) else {
            return Self::anew(tx, last);
        };
        let graph = Arc::make_mut(&mut self.graph);
        for id in changed {
            match nodes::node_of(tx, id)? {
                Some(node) => graph.upsert(node),
                None => graph.remove(id),
            }
        }
        self.seq = last;
        Ok(self)
    }
}

/// Returns the features that the journal names after `seq`, or `None` when it does not say which were changed.
fn changed_since(tx: &Transaction<'_>, seq: i64) -> Result<Option<Vec<FeatureId>>, Fail> {
    let named: Vec<Option<FeatureId>> =
        list(tx, "SELECT DISTINCT feature_id FROM journal WHERE seq > ?1", [seq], |row| {
            Ok(row.get::<_, Option<Id<_>>>(0)?.map(|id| id.0))
        })?;
    if named.contains(&None) {
        let sql = "SELECT version, fact FROM journal WHERE seq > ?1 AND feature_id IS NULL";
        let facts: Vec<Option<Fact>> = list(tx, sql, [seq], |row| read_fact(row, 0, 1))?;
        // What a later program wrote may mean anything.
        if facts.iter().any(|fact| fact.as_ref().is_none_or(changes_features)) {
            return Ok(None);
        }
    }
    Ok(Some(named.into_iter().flatten().collect()))
}

/// Returns whether an entry that names no feature may have changed some.
fn changes_features(fact: &Fact) -> bool {
    match fact {
        Fact::RunStarted { .. }
        | Fact::RunEnded { .. }
        | Fact::Commanded { .. }
        | Fact::SessionStarted { .. }
        | Fact::SessionUp { .. }
        | Fact::SessionWaits { .. }
        | Fact::SessionGoesOn
        | Fact::SessionActive { .. }
        | Fact::SessionEnded { .. }
        | Fact::SlotIdle { .. }
        | Fact::StartAvoided { .. }
        | Fact::LandingWaits { .. }
        | Fact::LandingBegun { .. }
        | Fact::LandingEnded { .. }
        | Fact::ChecksChanged { .. }
        | Fact::NotShown { .. }
        | Fact::NoteLeft { .. } => false,
        Fact::Created { .. }
        | Fact::Claimed { .. }
        | Fact::Checked { .. }
        | Fact::ChecksRed { .. }
        | Fact::ChecksAlreadyGreen { .. }
        | Fact::ChecksGreen { .. }
        | Fact::SaidDone { .. }
        | Fact::Integrated { .. }
        | Fact::AttemptEnded { .. }
        | Fact::Parked { .. }
        | Fact::Retried
        | Fact::Inspected { .. }
        | Fact::ReportedFailing { .. }
        | Fact::Skipped { .. }
        | Fact::DependenciesChanged { .. }
        | Fact::Deleted { .. }
        | Fact::HumanAsked { .. }
        | Fact::HumanAnswered { .. }
        | Fact::Adopted { .. } => true,
    }
}
