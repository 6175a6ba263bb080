//! One entry in a client's settings file: found, put in, taken out, with every other byte left as it is.
//!
//! The files belong to their users: comments, order, indentation and line ends stay. What each kind of file allows is
//! what its client can read, so that a file which the client would refuse is refused here too. Touches no file.

mod json;
mod toml;

use std::fmt;

use serde_json::{Map, Value};

/// How a settings file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// JSON and nothing else.
    Json,
    /// JSON with comments.
    Commented,
    /// JSON with comments and commas after the last item.
    Relaxed,
    Toml,
}

/// Where the entry stands: under its name, in the section of all servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) section: &'a str,
    pub(super) name: &'a str,
}

/// What becomes of keys in an entry that we do not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// The entry is ours, and somebody added to it.
    Keep,
    /// The entry is somebody else's, and is replaced as a whole.
    Drop,
}

/// Why a file is not edited.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EditError {
    /// It cannot be read.
    Syntax { line: usize, column: usize, detail: String },
    /// It can be read, but has no place for the entry.
    Shape { detail: String },
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column, detail } => write!(f, "line {line}, column {column}: {detail}"),
            Self::Shape { detail } => f.write_str(detail),
        }
    }
}

impl Syntax {
    /// Returns the entry at this spot, if there is one.
    ///
    /// # Errors
    /// The text cannot be read, or has something else where the entry would be.
    pub(super) fn entry(self, text: &str, spot: Spot<'_>) -> Result<Option<Value>, EditError> {
        match self.read(text)? {
            Value::Object(root) => match root.get(spot.section) {
                None => Ok(None),
                Some(Value::Object(section)) => Ok(section.get(spot.name).cloned()),
                Some(_) => Err(EditError::not_a_table(spot.section)),
            },
            Value::Null if text.trim().is_empty() => Ok(None),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(EditError::Shape { detail: "the file holds something else than an object".to_owned() })
            }
        }
    }

    /// Returns the text with this entry at this spot.
    ///
    /// # Errors
    /// As [`Syntax::entry`], or the entry cannot be put in without touching something else.
    pub(super) fn put(
        self,
        text: &str,
        spot: Spot<'_>,
        entry: &Map<String, Value>,
        others: Others,
    ) -> Result<String, EditError> {
        let known = self.entry(text, spot)?;
        if let (Some(Value::Object(known)), Others::Keep) = (&known, others)
            && entry.iter().all(|(key, value)| known.get(key) == Some(value))
        {
            return Ok(text.to_owned());
        }
        let new = match self {
            Self::Json | Self::Commented | Self::Relaxed => json::put(text, spot, entry, others)?,
            Self::Toml => toml::put(text, spot, entry, others)?,
        };
        let found = self.entry(&new, spot)?;
        let is_there =
            |found: &Map<String, Value>| entry.iter().all(|(key, value)| found.get(key) == Some(value));
        if found.as_ref().and_then(Value::as_object).is_some_and(is_there) {
            self.same_otherwise(text, &new, spot)?;
            return Ok(new);
        }
        Err(EditError::elsewhere())
    }

    /// Returns the text without the entry at this spot. Comments on its own lines are taken to be about it, comments
    /// above it are not.
    ///
    /// # Errors
    /// As [`Syntax::put`].
    pub(super) fn remove(self, text: &str, spot: Spot<'_>) -> Result<String, EditError> {
        if self.entry(text, spot)?.is_none() {
            return Ok(text.to_owned());
        }
        let new = match self {
            Self::Json | Self::Commented | Self::Relaxed => json::remove(text, spot)?,
            Self::Toml => toml::remove(text, spot)?,
        };
        if self.entry(&new, spot)?.is_some() {
            return Err(EditError::elsewhere());
        }
        self.same_otherwise(text, &new, spot)?;
        Ok(new)
    }

    fn read(self, text: &str) -> Result<Value, EditError> {
        match self {
            Self::Json | Self::Commented | Self::Relaxed => json::read(text, self),
            Self::Toml => toml::read(text),
        }
    }

    /// The last line of defence: what an edit means for everything else is compared, not believed.
    fn same_otherwise(self, old: &str, new: &str, spot: Spot<'_>) -> Result<(), EditError> {
        if others(self.read(old)?, spot) == others(self.read(new)?, spot) {
            Ok(())
        } else {
            Err(EditError::elsewhere())
        }
    }
}

impl EditError {
    fn not_a_table(key: &str) -> Self {
        Self::Shape { detail: format!("`{key}` holds something else than named servers") }
    }

    fn twice(key: &str) -> Self {
        Self::Shape {
            detail: format!("`{key}` stands there twice, and clients disagree on which one counts"),
        }
    }

    fn elsewhere() -> Self {
        Self::Shape { detail: "the entry cannot be edited without changing something else".to_owned() }
    }
}

/// Returns everything in the file but the entry, and but a section that holds no other.
fn others(file: Value, spot: Spot<'_>) -> Map<String, Value> {
    let mut root = match file {
        Value::Object(root) => root,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    if let Some(Value::Object(section)) = root.get_mut(spot.section) {
        section.shift_remove(spot.name);
        if section.is_empty() {
            root.shift_remove(spot.section);
        }
    }
    root
}

/// Returns the line and column, both from 1, of a place in a text.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
