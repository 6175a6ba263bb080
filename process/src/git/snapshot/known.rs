//! What the base holds, as git lists it. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::beneath::split;
use crate::git::call::records;
use crate::git::lossy;

#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its files and links, each with whether it is a link.
    pub(super) files: HashMap<Vec<u8>, bool>,
    /// The directories of those.
    pub(super) dirs: HashSet<Vec<u8>>,
    /// Its submodules, each with the commit that is linked.
    pub(super) submodules: BTreeMap<Vec<u8>, String>,
}

impl Known {
    /// Reads `git ls-tree -r -z`: `mode type object\tpath`.
    pub(super) fn parse(listed: &[u8]) -> Option<Self> {
        let mut known = Self::default();
        for record in records(listed) {
            let tab = record.iter().position(|byte| *byte == b'\t')?;
            let (about, path) = (&record[..tab], record[tab + 1..].to_vec());
            let mut words = about.split(|byte| *byte == b' ');
            let (mode, object) = (words.next()?, words.nth(1)?);
            known.add_dirs(&path);
            match mode {
                b"160000" => drop(known.submodules.insert(path, lossy(object))),
                mode => drop(known.files.insert(path, mode == b"120000")),
            }
        }
        Some(known)
    }

    fn add_dirs(&mut self, path: &[u8]) {
        let mut dir = split(path).0;
        while !dir.is_empty() && self.dirs.insert(dir.to_vec()) {
            dir = split(dir).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let records = ["100644 blob 1f\ta b/c\td", "120000 blob 2f\ta b/link", "160000 commit 3f\tsub/x"];
        let known = Known::parse(records.join("\0").as_bytes()).unwrap();
        assert_eq!(known.files, [(b"a b/c\td".to_vec(), false), (b"a b/link".to_vec(), true)].into());
        assert_eq!(known.dirs, [b"a b".to_vec(), b"sub".to_vec()].into());
        assert_eq!(known.submodules, [(b"sub/x".to_vec(), "3f".to_owned())].into());
        assert!(Known::parse(b"nonsense\0").is_none());
    }
}
