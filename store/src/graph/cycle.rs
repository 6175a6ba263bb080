//! Finding a dependency cycle, of features or of anything that has an order.

use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// Returns the shortest way from one key to another along the dependencies, both ends included, or `None` when
/// there is none. `below` returns what a key depends on; the same answers always give the same way.
pub fn find_path<K: Ord + Clone, E>(
    from: &K,
    to: &K,
    mut below: impl FnMut(&K) -> Result<Vec<K>, E>,
) -> Result<Option<Vec<K>>, E> {
    // Each key reached, with the one it was reached from.
    let mut reached: BTreeMap<K, Option<K>> = BTreeMap::from([(from.clone(), None)]);
    let mut open = VecDeque::from([from.clone()]);
    while let Some(key) = open.pop_front() {
        if key == *to {
            let mut path = vec![key];
            while let Some(Some(before)) = path.last().and_then(|last| reached.get(last)) {
                path.push(before.clone());
            }
            path.reverse();
            return Ok(Some(path));
        }
        for next in below(&key)? {
            if !reached.contains_key(&next) {
                reached.insert(next.clone(), Some(key.clone()));
                open.push_back(next);
            }
        }
    }
    Ok(None)
}

/// Returns the part of the path that begins at `entry`, turned so that its smallest key is first, and closed.
fn closed<'a, K: Ord + Clone + 'a>(path: impl Iterator<Item = &'a K>, entry: &K) -> Vec<K> {
    let mut cycle: Vec<K> = path.skip_while(|key| *key != entry).cloned().collect();
    let smallest = (0..cycle.len()).min_by_key(|index| &cycle[*index]).unwrap_or(0);
    cycle.rotate_left(smallest);
    cycle.extend(cycle.first().cloned());
    cycle
}
