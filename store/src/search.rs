//! Finding features by what people call them, without taking the project into memory.
//!
//! A search reads every text once, as SQLite has it, and keeps ids alone. An index over all words was left out: it
//! would make each new feature several times as expensive to save what nobody waits for.

use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, Status, Summary};
use rusqlite::{OptionalExtension, Row};

use crate::columns::{Id, Word};
use crate::features::{dependencies_of, list, unknown};
use crate::{Store, StoreError};

/// How well a feature answers a search; the smaller the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    ByIdOrKey,
    ByName,
    Elsewhere,
}

impl Store {
    /// Returns the features in whose name, key, category or description all words of the query occur, in any case;
    /// a query that is an id or a key finds that feature first, then come those that have the words in their name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn search(&self, query: &str, status: Option<Status>) -> Result<Vec<FeatureId>, StoreError> {
        let words: Vec<String> = query.split_whitespace().map(lower).collect();
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT id, name, key, category, description FROM features WHERE ?1 IS NULL OR status = ?1",
            )?;
            let mut rows = statement.query([status.map(Word)])?;
            let (mut found, mut text) = (Vec::new(), String::new());
            while let Some(row) = rows.next()? {
                if let Some(rank) = rank(row, &words, &mut text)? {
                    found.push((rank, row.get::<_, Id<FeatureId>>(0)?.0));
                }
            }
            found.sort_unstable();
            Ok(found.into_iter().map(|(_, id)| id).collect())
        })
    }

    /// Returns the features of a category, in whatever case it is written.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn in_category(&self, category: &str) -> Result<BTreeSet<FeatureId>, StoreError> {
        let wanted = lower(category);
        self.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT id, category FROM features")?;
            let mut rows = statement.query([])?;
            let (mut found, mut text) = (BTreeSet::new(), String::new());
            while let Some(row) = rows.next()? {
                text.clear();
                push_lower(&mut text, string(row, 1)?);
                if text == wanted {
                    found.insert(row.get::<_, Id<FeatureId>>(0)?.0);
                }
            }
            Ok(found)
        })
    }

    /// Returns what all features are called, by id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn names(&self) -> Result<Vec<(FeatureId, String)>, StoreError> {
        self.read(|tx| {
            list(tx, "SELECT id, name FROM features ORDER BY id", [], |row| {
                Ok((row.get::<_, Id<_>>(0)?.0, row.get(1)?))
            })
        })
    }

    /// Returns one feature as a list shows it.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`] when there is none.
    pub fn summary(&self, id: FeatureId) -> Result<Summary, StoreError> {
        self.read(|tx| {
            let sql = "SELECT id, name, category, status, priority FROM features WHERE id = ?1";
            let Some(mut summary) = tx.prepare_cached(sql)?.query_row([Id(id)], summary).optional()? else {
                return Err(unknown(tx, id)?);
            };
            summary.dependencies = dependencies_of(tx, id)?;
            Ok(summary)
        })
    }

    /// Returns what a feature depends on, by id, without what those depend on in turn.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn dependencies(&self, id: FeatureId) -> Result<Vec<Summary>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT f.id, f.name, f.category, f.status, f.priority
                         FROM dependencies d JOIN features f ON f.id = d.depends_on
                        WHERE d.feature_id = ?1 ORDER BY f.id";
            list(tx, sql, [Id(id)], summary)
        })
    }
}

/// Returns how well a feature fits, or `None` when a word does not occur. `text` is lent for the work.
fn rank(row: &Row<'_>, words: &[String], text: &mut String) -> rusqlite::Result<Option<Rank>> {
    let key = row.get_ref(2)?.as_str_or_null()?;
    if let [word] = words {
        let id: i64 = row.get(0)?;
        if word.trim_start_matches('#') == id.to_string() || key.is_some_and(|key| lower(key) == *word) {
            return Ok(Some(Rank::ByIdOrKey));
        }
    }
    let has_all = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
    text.clear();
    push_lower(text, string(row, 1)?);
    if has_all(text) {
        return Ok(Some(Rank::ByName));
    }
    for more in [key.unwrap_or_default(), string(row, 3)?, string(row, 4)?] {
        text.push('\n');
        push_lower(text, more);
    }
    Ok(has_all(text).then_some(Rank::Elsewhere))
}

/// Returns a text where SQLite has it.
fn string<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn lower(text: &str) -> String {
    let mut lower = String::new();
    push_lower(&mut lower, text);
    lower
}

/// Appends a text in lower case. Most is ASCII, for which there is a quick way.
fn push_lower(to: &mut String, text: &str) {
    if text.is_ascii() {
        let start = to.len();
        to.push_str(text);
        to[start..].make_ascii_lowercase();
    } else {
        to.extend(text.chars().flat_map(char::to_lowercase));
    }
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        id: row.get::<_, Id<_>>(0)?.0,
        name: row.get(1)?,
        category: row.get(2)?,
        status: row.get::<_, Word<_>>(3)?.0,
        priority: row.get(4)?,
        dependencies: Vec::new(),
    })
}
