//! Many short lists in one piece of memory: a graph has two for each feature, and reads them all from end to end.

use std::collections::BTreeMap;

use super::number;

/// A list for each place. All are built at once and lie one behind the other; those that change later lie apart, until
/// they are so many that all are laid out anew.
#[derive(Debug, Clone)]
pub(super) struct Spans<T> {
    items: Vec<T>,
    /// Where the list of each place ends in `items`.
    ends: Vec<u32>,
    /// The lists that were changed since, by their places.
    changed: BTreeMap<usize, Vec<T>>,
}

/// So many may always lie apart; else one in eight.
const FEW: usize = 1_000;

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self { items: Vec::new(), ends: Vec::new(), changed: BTreeMap::new() }
    }
}

impl Spans<u32> {
    /// Makes the lists of so many places from pairs of a place and an item, which are gone through twice.
    pub(super) fn grouped<I: Iterator<Item = (usize, u32)>>(places: usize, pairs: impl Fn() -> I) -> Self {
        // One more in front: after the second time each start has become the end of its list.
        let mut starts = vec![0_u32; places + 1];
        for (place, _) in pairs() {
            starts[place + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut items = vec![0; sum as usize];
        for (place, item) in pairs() {
            items[starts[place] as usize] = item;
            starts[place] += 1;
        }
        starts.truncate(places);
        Self { items, ends: starts, changed: BTreeMap::new() }
    }
}

impl<T: Copy + PartialEq> Spans<T> {
    /// Begins lists that are filled in the order of their places.
    pub(super) fn with_capacity(places: usize, items: usize) -> Self {
        Self { items: Vec::with_capacity(items), ends: Vec::with_capacity(places), changed: BTreeMap::new() }
    }

    /// Adds to the list of the last place, which is the next one to be closed.
    pub(super) fn add(&mut self, item: T) {
        self.items.push(item);
    }

    /// Closes the list of the last place.
    pub(super) fn close(&mut self) {
        self.ends.push(number(self.items.len()));
    }

    /// Returns the list of a place; an empty one for a place that never had any.
    pub(super) fn of(&self, place: usize) -> &[T] {
        if !self.changed.is_empty()
            && let Some(list) = self.changed.get(&place)
        {
            return list;
        }
        let Some(end) = self.ends.get(place) else {
            return &[];
        };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[start as usize..*end as usize]
    }

    /// Puts another list in the place of one.
    pub(super) fn set(&mut self, place: usize, list: Vec<T>) {
        self.changed.insert(place, list);
        self.settle();
    }

    /// Adds to the end of a list.
    pub(super) fn push(&mut self, place: usize, item: T) {
        self.change(place).push(item);
        self.settle();
    }

    /// Takes one item out of a list, whose order changes.
    pub(super) fn remove(&mut self, place: usize, item: T) {
        let list = self.change(place);
        if let Some(at) = list.iter().position(|found| *found == item) {
            list.swap_remove(at);
        }
    }

    fn change(&mut self, place: usize) -> &mut Vec<T> {
        let now = if self.changed.contains_key(&place) { Vec::new() } else { self.of(place).to_vec() };
        self.changed.entry(place).or_insert(now)
    }

    /// Lays all lists out anew when too many lie apart.
    fn settle(&mut self) {
        if self.changed.len() <= FEW + self.ends.len() / 8 {
            return;
        }
        let last = self.changed.last_key_value().map_or(0, |(place, _)| place + 1);
        let places = self.ends.len().max(last);
        let mut anew = Self::with_capacity(places, self.items.len());
        for place in 0..places {
            anew.items.extend_from_slice(self.of(place));
            anew.close();
        }
        *self = anew;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is changed, and however often all is laid out anew, the lists are those of a plain vector of vectors.
    #[test]
    fn changes_are_those_of_lists_by_themselves() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pairs: Vec<(usize, u32)> = (0..500).map(|item| (rng.usize(0..300), item)).collect();
        let mut spans = Spans::grouped(300, || pairs.iter().copied());
        let mut plain: Vec<Vec<u32>> = vec![Vec::new(); 5_000];
        for (place, item) in pairs {
            plain[place].push(item);
        }
        let mut laid_out = 0;
        for item in 1_000..20_000 {
            let (place, apart) = (rng.usize(0..5_000), spans.changed.len());
            match rng.u32(0..4) {
                0 => {
                    let list: Vec<u32> = (0..rng.u32(0..4)).map(|more| item + more).collect();
                    spans.set(place, list.clone());
                    plain[place] = list;
                }
                1 => {
                    let gone = plain[place].first().copied().unwrap_or(item);
                    spans.remove(place, gone);
                    if !plain[place].is_empty() {
                        plain[place].swap_remove(0);
                    }
                }
                _ => {
                    spans.push(place, item);
                    plain[place].push(item);
                }
            }
            laid_out += usize::from(spans.changed.len() < apart);
            assert_eq!(spans.of(place), plain[place]);
        }
        assert!(laid_out > 1, "it was laid out anew {laid_out} times");
        for (place, list) in plain.iter().enumerate() {
            assert_eq!(spans.of(place), list);
        }
    }
}
