//! Finding a dependency cycle, of features or of anything that has an order.

use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BTreeSet};

/// Where the search stands with a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// On the path from the root to the key that is looked at.
    OnPath,
    /// Everything below it was searched; no cycle leads through it.
    Done,
}

/// Returns a cycle as a path along the dependencies whose first is its last, or `None` when there is none.
///
/// The same input always gives the same cycle, and it begins with its smallest key. What a key depends on may be
/// absent from the map; then it is a key without dependencies. Iterative, so any depth will do;
/// O((V + E) · log V).
pub fn find_cycle<K: Ord + Clone>(dependencies: &BTreeMap<K, BTreeSet<K>>) -> Option<Vec<K>> {
    let mut marks: BTreeMap<&K, Mark> = BTreeMap::new();
    let mut path: Vec<(&K, Iter<'_, K>)> = Vec::new();
    for (root, below) in dependencies {
        if marks.contains_key(root) {
            continue;
        }
        marks.insert(root, Mark::OnPath);
        path.push((root, below.iter()));
        while let Some((key, below)) = path.last_mut() {
            let Some(next) = below.next() else {
                marks.insert(key, Mark::Done);
                path.pop();
                continue;
            };
            match marks.get(next) {
                Some(Mark::Done) => {}
                Some(Mark::OnPath) => return Some(closed(path.iter().map(|(key, _)| *key), next)),
                None => {
                    if let Some(below) = dependencies.get(next) {
                        marks.insert(next, Mark::OnPath);
                        path.push((next, below.iter()));
                    }
                }
            }
        }
    }
    None
}

/// Returns the part of the path that begins at `entry`, turned so that its smallest key is first, and closed.
fn closed<'a, K: Ord + Clone + 'a>(path: impl Iterator<Item = &'a K>, entry: &K) -> Vec<K> {
    let mut cycle: Vec<K> = path.skip_while(|key| *key != entry).cloned().collect();
    let smallest = (0..cycle.len()).min_by_key(|index| &cycle[*index]).unwrap_or(0);
    cycle.rotate_left(smallest);
    cycle.extend(cycle.first().cloned());
    cycle
}
