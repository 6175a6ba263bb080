//! What decides when features are freed, for many of them at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use cogwork_schemas::FeatureId;

use super::Graph;

/// The roots of features that wait, as [`Graph::hold`] has them; each feature's are made of those below it, and along a
/// chain they are the same ones.
#[derive(Debug, Default)]
pub(super) struct Roots {
    known: BTreeMap<FeatureId, Arc<[FeatureId]>>,
}

impl Roots {
    /// Returns the roots of a feature that waits.
    pub(super) fn of(&mut self, graph: &Graph, id: FeatureId) -> Arc<[FeatureId]> {
        let mut open = vec![(id, false)];
        while let Some((id, below_is_known)) = open.pop() {
            if below_is_known {
                let roots = self.made(graph, id);
                self.known.insert(id, roots);
            } else if let Entry::Vacant(first) = self.known.entry(id) {
                // Found again before it is made, it is in a circle, which adds nothing.
                first.insert(Arc::default());
                open.push((id, true));
                open.extend(
                    graph.unmet_of(id).filter(|below| graph.waits(*below)).map(|below| (below, false)),
                );
            }
        }
        self.known.get(&id).cloned().unwrap_or_default()
    }

    fn made(&self, graph: &Graph, id: FeatureId) -> Arc<[FeatureId]> {
        let mut below: Vec<Arc<[FeatureId]>> = graph
            .unmet_of(id)
            .map(|below| match self.known.get(&below) {
                Some(roots) => Arc::clone(roots),
                None => Arc::from([below]),
            })
            .collect();
        below.dedup();
        match below.as_slice() {
            [only] => Arc::clone(only),
            several => {
                let mut all: Vec<FeatureId> =
                    several.iter().flat_map(|roots| roots.iter().copied()).collect();
                all.sort_unstable();
                all.dedup();
                all.into()
            }
        }
    }
}
