//! How many features stand where, while a run goes on: kept from what the journal tells.

use std::collections::BTreeMap;

use cogwork_schemas::{Entry, Fact, Feature, FeatureId, Standing, Status};

/// The features that are done or need somebody.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<FeatureId, Standing>);

impl Tally {
    pub(super) fn new(features: &[Feature]) -> Self {
        let standing = |feature: &Feature| match feature.status {
            Status::Pending | Status::Claimed => None,
            Status::Passing | Status::NeedsHuman | Status::Parked => {
                Some((feature.id, Standing::new(feature.status, feature.proof, false, false)))
            }
        };
        Self(features.iter().filter_map(standing).collect())
    }

    pub(super) fn learn(&mut self, entry: &Entry) {
        let Some(id) = entry.feature else { return };
        let is_open_again = matches!(
            entry.fact,
            Fact::Retried
                | Fact::HumanAnswered { .. }
                | Fact::ReportedFailing { reopened: true, .. }
                | Fact::Deleted { .. }
        );
        if let Fact::Integrated { proof, .. } = &entry.fact {
            self.0.insert(id, Standing::new(Status::Passing, Some(*proof), true, false));
        } else if let Fact::Parked { .. } = entry.fact {
            self.0.insert(id, Standing::GivenUp);
        } else if let Fact::HumanAsked { .. } = entry.fact {
            self.0.insert(id, Standing::NeedsYou);
        } else if is_open_again {
            self.0.remove(&id);
        }
    }

    /// Returns how many stand where, each by itself; what is empty is left out.
    pub(super) fn parts(&self) -> Vec<String> {
        let count = |standing: Standing| self.0.values().filter(|one| **one == standing).count();
        let part =
            |standing: Standing| Some((count(standing), standing.word())).filter(|(count, _)| *count > 0);
        // Who is needed first.
        Standing::ALL
            .into_iter()
            .rev()
            .filter_map(part)
            .map(|(count, word)| format!("{count} {word}"))
            .collect()
    }
}
