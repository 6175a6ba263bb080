//! Where the vectors of a graph keep what they know of an id.

use cogwork_schemas::FeatureId;

/// Numbers for ids, from 0 and without gaps: those of ids that follow each other from 1, which is how the store
/// counts, say themselves where they are; others in the order in which they were first named.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// Ids from 1 to this have the place before their number, whether there is such a feature or not.
    direct: usize,
    /// All other ids, ascending, with their places.
    others: Vec<(FeatureId, u32)>,
}

impl Places {
    /// Gives places to ids, ascending, as well as to as many more between them as there are of them at most.
    pub(super) fn of(ascending: impl ExactSizeIterator<Item = FeatureId> + Clone) -> Self {
        let (count, first) = (ascending.len(), ascending.clone().next());
        let highest = ascending.clone().last().and_then(|last| usize::try_from(last.0).ok());
        if let Some(highest) = highest
            && first.is_some_and(|first| first.0 >= 1)
            && highest / 2 <= count
        {
            return Self { direct: highest, others: Vec::new() };
        }
        // Memory ends long before the numbers do.
        Self { direct: 0, others: ascending.zip(0..).collect() }
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.direct + self.others.len()
    }

    /// Returns the place of an id, if it has one.
    pub(super) fn find(&self, id: FeatureId) -> Option<usize> {
        match self.direct(id) {
            Some(place) => Some(place),
            None if self.others.is_empty() => None,
            None => Some(self.others[self.index(id).ok()?].1 as usize),
        }
    }

    /// Returns the place of an id, which is the next one when it had none.
    pub(super) fn find_or_add(&mut self, id: FeatureId) -> usize {
        if let Some(place) = self.direct(id) {
            return place;
        }
        let next = self.count();
        if self.others.is_empty() && usize::try_from(id.0) == Ok(next + 1) {
            self.direct += 1;
            return next;
        }
        match self.index(id) {
            Ok(index) => self.others[index].1 as usize,
            Err(index) => {
                self.others.insert(index, (id, u32::try_from(next).unwrap_or(u32::MAX)));
                next
            }
        }
    }

    /// Returns all places, in the order of their ids.
    pub(super) fn ascending(&self) -> impl Iterator<Item = usize> + '_ {
        let split = self.others.partition_point(|(id, _)| id.0 < 1);
        let (below, above) = self.others.split_at(split);
        let place = |(_, place): &(FeatureId, u32)| *place as usize;
        below.iter().map(place).chain(0..self.direct).chain(above.iter().map(place))
    }

    fn direct(&self, id: FeatureId) -> Option<usize> {
        let place = usize::try_from(id.0.wrapping_sub(1)).ok()?;
        (place < self.direct).then_some(place)
    }

    fn index(&self, id: FeatureId) -> Result<usize, usize> {
        self.others.binary_search_by_key(&id, |(id, _)| *id)
    }
}
