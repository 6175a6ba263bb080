//! What scheduling needs of the features, read for the graph: all of them in one pass, or some of them.

use cogwork_schemas::FeatureId;
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::columns::{Id, Micros, Word};
use crate::error::Fail;
use crate::features::{dependencies_of, list};
use crate::graph::Node;
use crate::{Store, StoreError};

const NODE: &str = "SELECT f.id, f.status, f.priority, f.estimate_s, f.failed_attempts, f.crashes,
       coalesce(f.parked_because, CASE f.status WHEN 'needs_human' THEN f.human_request ->> '$.prompt' END),
       a.session_id, a.submitted_at IS NOT NULL, a.lease_until
  FROM features f LEFT JOIN attempts a ON a.id = f.attempt_id";

/// What every feature has, read from an index that holds it all; by status, because that is how the index begins.
const PLAIN: &str = "SELECT id, status, priority, estimate_s, failed_attempts, crashes
  FROM features INDEXED BY features_for_scheduling";

/// What only some have: the features that somebody works on, that were given up or that ask.
const SPECIAL: &str = "WHERE f.status IN ('claimed', 'parked', 'needs_human')";

impl Store {
    /// Returns what scheduling needs to know of every feature, by id. Whoever wants the graph of them asks for
    /// [`Store::graph`], which reads only what changed.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.read(nodes)
    }

    /// Returns what scheduling needs to know of some features, in the order asked; ids that do not exist are left
    /// out.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn nodes_of(&self, ids: &[FeatureId]) -> Result<Vec<Node>, StoreError> {
        self.read(|tx| ids.iter().filter_map(|id| node_of(tx, *id).transpose()).collect())
    }
}

/// Reads all nodes, by id.
pub(crate) fn nodes(tx: &Transaction<'_>) -> Result<Vec<Node>, Fail> {
    let mut nodes = list(tx, PLAIN, [], plain)?;
    // Mostly a few long runs, one for each status, which this sort only joins.
    nodes.sort_by_key(|node| node.id);
    for special in list(tx, &format!("{NODE} {SPECIAL}"), [], node)? {
        if let Ok(index) = nodes.binary_search_by_key(&special.id, |node| node.id) {
            nodes[index] = special;
        }
    }
    let mut statement =
        tx.prepare_cached("SELECT feature_id, depends_on FROM dependencies ORDER BY feature_id, depends_on")?;
    let mut edges = statement.query([])?;
    let mut index = 0;
    while let Some(edge) = edges.next()? {
        let id = edge.get::<_, Id<FeatureId>>(0)?.0;
        // Both are in the order of ids, and the schema has no dependencies of what does not exist.
        while nodes.get(index).is_some_and(|node| node.id < id) {
            index += 1;
        }
        if let Some(node) = nodes.get_mut(index) {
            node.dependencies.push(edge.get::<_, Id<_>>(1)?.0);
        }
    }
    Ok(nodes)
}

/// Reads one node, if there is such a feature.
pub(crate) fn node_of(tx: &Transaction<'_>, id: FeatureId) -> Result<Option<Node>, Fail> {
    let mut statement = tx.prepare_cached(&format!("{NODE} WHERE f.id = ?1"))?;
    let Some(mut node) = statement.query_row([Id(id)], node).optional()? else {
        return Ok(None);
    };
    node.dependencies = dependencies_of(tx, id)?;
    Ok(Some(node))
}

fn plain(row: &Row<'_>) -> rusqlite::Result<Node> {
    Ok(Node {
        status: row.get::<_, Word<_>>(1)?.0,
        priority: row.get(2)?,
        estimate_s: row.get(3)?,
        failed_attempts: row.get(4)?,
        crashes: row.get(5)?,
        ..Node::new(row.get::<_, Id<_>>(0)?.0)
    })
}

fn node(row: &Row<'_>) -> rusqlite::Result<Node> {
    Ok(Node {
        id: row.get::<_, Id<_>>(0)?.0,
        status: row.get::<_, Word<_>>(1)?.0,
        dependencies: Vec::new(),
        priority: row.get(2)?,
        estimate_s: row.get(3)?,
        failed_attempts: row.get(4)?,
        crashes: row.get(5)?,
        reason: row.get(6)?,
        session: row.get::<_, Option<Id<_>>>(7)?.map(|id| id.0),
        submitted: row.get(8)?,
        lease_until: row.get::<_, Option<Micros>>(9)?.map(|at| at.0),
    })
}
