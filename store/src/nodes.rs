//! What scheduling needs of the features, read for the graph: all of them in one pass, or some of them.

use cogwork_schemas::{FeatureId, LandingWait, Status};
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::columns::{Id, Json, Micros, Word};
use crate::error::Fail;
use crate::features::{dependencies_of, list};
use crate::graph::{Draft, Graph, Node, Plain};
use crate::{Store, StoreError};

const NODE: &str = "SELECT f.id, f.status, f.priority, f.estimate_s, f.failed_attempts, f.crashes,
       coalesce(f.parked_because, CASE f.status WHEN 'needs_human' THEN f.human_request ->> 'prompt' END),
       a.session_id, a.submitted_at IS NOT NULL, a.lease_until, a.landing_wait
  FROM features f LEFT JOIN attempts a ON a.id = f.attempt_id";

/// What every feature with one status has, read from an index that holds it all. The attempts and the crashes, which
/// are mostly none, come as one number: the fewer columns, the faster.
const PLAIN: &str = "SELECT id, priority, estimate_s, failed_attempts << 32 | crashes
  FROM features INDEXED BY features_for_scheduling WHERE status = ?1";

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
        self.read(|tx| Ok(draft(tx)?.into_nodes().collect()))
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

/// Reads the graph of all features.
pub(crate) fn graph(tx: &Transaction<'_>) -> Result<Graph, Fail> {
    Ok(draft(tx)?.build()?)
}

fn draft(tx: &Transaction<'_>) -> Result<Draft, Fail> {
    let mut plain = Vec::new();
    for status in [Status::Pending, Status::Claimed, Status::Passing, Status::Parked, Status::NeedsHuman] {
        read_plain(tx, status, &mut plain)?;
    }
    let mut draft = Draft::of(plain);
    for special in list(tx, &format!("{NODE} {SPECIAL}"), [], node)? {
        draft.amend(special);
    }
    let mut statement =
        tx.prepare_cached("SELECT feature_id, depends_on FROM dependencies ORDER BY feature_id, depends_on")?;
    let mut edges = statement.query([])?;
    while let Some(edge) = edges.next()? {
        draft.depends(edge.get::<_, Id<_>>(0)?.0, edge.get::<_, Id<_>>(1)?.0);
    }
    Ok(draft)
}

fn read_plain(tx: &Transaction<'_>, status: Status, plain: &mut Vec<Plain>) -> Result<(), Fail> {
    let mut statement = tx.prepare_cached(PLAIN)?;
    let mut rows = statement.query([Word(status)])?;
    while let Some(row) = rows.next()? {
        let misfortunes = row.get::<_, i64>(3)?.cast_unsigned();
        plain.push(Plain {
            id: row.get::<_, Id<_>>(0)?.0,
            priority: row.get(1)?,
            estimate_s: row.get(2)?,
            failed_attempts: u32::try_from(misfortunes >> 32).unwrap_or(u32::MAX),
            crashes: u32::try_from(misfortunes & 0xffff_ffff).unwrap_or(u32::MAX),
            status,
        });
    }
    Ok(())
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

fn node(row: &Row<'_>) -> rusqlite::Result<Node> {
    Ok(Node {
        id: row.get::<_, Id<_>>(0)?.0,
        status: row.get::<_, Word<_>>(1)?.0,
        dependencies: Vec::new(),
        priority: row.get(2)?,
        estimate_s: row.get(3)?,
        failed_attempts: row.get(4)?,
        crashes: row.get(5)?,
        reason: match row.get::<_, Option<Json<LandingWait>>>(10)? {
            Some(wait) => Some(wait.0.to_string()),
            None => row.get(6)?,
        },
        session: row.get::<_, Option<Id<_>>>(7)?.map(|id| id.0),
        submitted: row.get(8)?,
        lease_until: row.get::<_, Option<Micros>>(9)?.map(|at| at.0),
    })
}
