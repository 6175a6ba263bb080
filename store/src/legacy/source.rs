//! Which files of the original there are, and reading the first that holds its state. Reads only.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use super::{database, list_file};
use crate::StoreError;
use crate::error::AdoptionFault;

/// Where its versions kept the database, newest first.
const DATABASES: [&str; 3] = [".autoforge/features.db", ".autocoder/features.db", "features.db"];

/// Where the first of them kept everything.
const LIST: &str = "feature_list.json";

/// What a file of the original says, as it says it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The file, relative to the project.
    pub(super) source: String,
    /// Each feature by the names of its columns or fields.
    pub(super) features: Vec<Map<String, Value>>,
    /// What a missing priority means.
    pub(super) priority: MissingPriority,
    /// What else there is, which has no place here.
    pub(super) left_out: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) enum MissingPriority {
    /// The database's default.
    #[default]
    Late,
    /// The place in the list, from 1.
    Place,
}

/// Reads the file that holds the project's state: the first database that is one, or else the list. A database
/// without features counts only when there is no list: the original filled it from there.
///
/// # Errors
///
/// [`StoreError::NotAdopted`] for the first file that may hold it and cannot be read, or, when there is no other, for
/// one that is somebody else's.
pub(super) fn find(project: &Path) -> Result<Option<Found>, StoreError> {
    let (mut not_it, mut without_features) = (None, None);
    for name in DATABASES {
        let path = project.join(name);
        match present(&path).and_then(|there| there.then(|| database::read(&path)).transpose()) {
            Ok(None) => {}
            Ok(Some(found)) => {
                let found = Found { source: name.to_owned(), ..found };
                if !found.features.is_empty() {
                    return Ok(Some(beside_others(project, found)));
                }
                without_features = without_features.or(Some(found));
            }
            Err(fault @ (AdoptionFault::Empty | AdoptionFault::Foreign { .. })) => {
                not_it = not_it.or(Some((path, fault)));
            }
            Err(fault) => return Err(StoreError::NotAdopted { path, fault }),
        }
    }
    let path = project.join(LIST);
    match present(&path).and_then(|there| there.then(|| list_file::read(&path)).transpose()) {
        Ok(None) => {}
        Ok(Some(found)) => {
            return Ok(Some(beside_others(project, Found { source: LIST.to_owned(), ..found })));
        }
        Err(fault @ (AdoptionFault::Empty | AdoptionFault::Foreign { .. })) => {
            not_it = not_it.or(Some((path, fault)));
        }
        Err(fault) => return Err(StoreError::NotAdopted { path, fault }),
    }
    match (without_features, not_it) {
        (Some(found), _) => Ok(Some(found)),
        (None, Some((path, fault))) => Err(StoreError::NotAdopted { path, fault }),
        (None, None) => Ok(None),
    }
}

/// Names the files that were there as well and are not read.
fn beside_others(project: &Path, mut found: Found) -> Found {
    let others = DATABASES.into_iter().chain([LIST]).filter(|name| *name != found.source);
    let there = others.filter(|name| fs::symlink_metadata(project.join(name)).is_ok());
    let notes: Vec<_> = there.map(|name| format!("the file {name}, beside {}", found.source)).collect();
    found.left_out.extend(notes);
    found
}

/// Returns whether there is a file; anything else in its place is not followed and not opened: a link may lead out
/// of the project, a pipe may never answer.
fn present(path: &Path) -> Result<bool, AdoptionFault> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(AdoptionFault::Link),
        Ok(found) if !found.is_file() => Err(AdoptionFault::NoFile),
        Ok(found) if found.len() == 0 => Err(AdoptionFault::Empty),
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(source) => Err(AdoptionFault::Unreadable { source }),
    }
}
