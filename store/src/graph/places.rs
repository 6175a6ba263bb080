//! Where the vectors of a graph keep what they know of an id.

use cogwork_schemas::FeatureId;

/// Numbers for ids, from 0 and without gaps, in the order in which the ids were first named.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// By id.
    known: Vec<(FeatureId, u32)>,
}

impl Places {
    /// Returns the place of an id, if it has one.
    pub(super) fn find(&self, id: FeatureId) -> Option<usize> {
        Some(self.known[self.index(id).ok()?].1 as usize)
    }

    /// Returns the place of an id, which is the next one when it had none.
    pub(super) fn find_or_add(&mut self, id: FeatureId) -> usize {
        match self.index(id) {
            Ok(index) => self.known[index].1 as usize,
            Err(index) => {
                let place = self.known.len();
                // Memory ends long before the numbers do.
                self.known.insert(index, (id, u32::try_from(place).unwrap_or(u32::MAX)));
                place
            }
        }
    }

    /// Returns all places, in the order of their ids.
    pub(super) fn ascending(&self) -> impl Iterator<Item = usize> + '_ {
        self.known.iter().map(|(_, place)| *place as usize)
    }

    fn index(&self, id: FeatureId) -> Result<usize, usize> {
        // The store counts from 1 and seldom deletes: mostly the id says where it is.
        let guess = usize::try_from(id.0.wrapping_sub(1)).unwrap_or(usize::MAX);
        match self.known.get(guess) {
            Some((known, _)) if *known == id => Ok(guess),
            Some(_) | None => self.known.binary_search_by_key(&id, |(id, _)| *id),
        }
    }
}
