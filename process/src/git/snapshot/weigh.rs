//! How much lies in a directory that no snapshot has looked into.

use super::beneath::{Beneath, join};
use super::entry::{Kind, entries_of, look_unless_dir};

/// What lies in a directory, or what a file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of the files.
    pub bytes: u64,
    /// Whether that is all: it is not where there was more than was to be looked at, or something could not be.
    pub is_all: bool,
}

/// Weighs what is at `at`, by at most so many entries.
pub(super) fn weigh(root: &Beneath, at: &[u8], at_most: usize) -> Weight {
    let Ok(stat) = root.stat(at) else { return Weight::default() };
    if let Some(bytes) = Kind::of_stat(stat).bytes() {
        return Weight { bytes, is_all: true };
    }
    let mut weight = Weight { bytes: 0, is_all: true };
    let (mut open, mut looked_at) = (vec![at.to_vec()], 0);
    while let Some(path) = open.pop() {
        let Ok((entries, dir)) = root.dir(&path).and_then(|dir| Ok((entries_of(&dir)?, dir))) else {
            weight.is_all = false;
            continue;
        };
        for (name, kind) in entries {
            looked_at += 1;
            if looked_at > at_most {
                weight.is_all = false;
                return weight;
            }
            match look_unless_dir(&dir, &name, kind).map(|kind| kind.bytes()) {
                Ok(Some(bytes)) => weight.bytes = weight.bytes.saturating_add(bytes),
                Ok(None) => open.push(join(&path, &name)),
                Err(_) => weight.is_all = false,
            }
        }
    }
    weight
}
