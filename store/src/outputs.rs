//! The output of checks, each kept once however often it was printed: evidence and the journal refer to it.

use cogwork_schemas::CheckReport;
use rusqlite::{OptionalExtension, Transaction};

use crate::error::Fail;

/// The number of a kept output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputId(pub(crate) i64);

/// Keeps what a check printed, unless it is kept already.
///
/// The digest finds it and the text decides: two outputs that share a digest stay two.
pub(crate) fn keep(tx: &Transaction<'_>, report: &CheckReport) -> Result<OutputId, Fail> {
    let params = (&report.output_digest, &report.output_tail);
    let kept = tx
        .prepare_cached("SELECT id FROM outputs WHERE digest = ?1 AND tail = ?2")?
        .query_row(params, |row| row.get(0))
        .optional()?;
    let id = match kept {
        Some(id) => id,
        None => tx
            .prepare_cached("INSERT INTO outputs (digest, tail) VALUES (?1, ?2) RETURNING id")?
            .query_row(params, |row| row.get(0))?,
    };
    Ok(OutputId(id))
}
