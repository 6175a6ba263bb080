//! The model of what makes, wires, orders and deletes features: creation by a list, and the rules of dependencies.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{Fact, FeatureId, Status};
use cogwork_store::{Imported, StoreError};

use super::op::{Item, Tok};
use super::rules::{no, wrong};
use super::state::{Known, State, Told};
use super::words::{bad_list, cycle};

/// How long a call is remembered, in seconds.
const MEMORY_S: i64 = 600;

/// What an item of a list depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    There(FeatureId),
    Item(usize),
}

type Problems = BTreeSet<(Option<usize>, &'static str)>;

impl State {
    pub(super) fn last_priority(&self) -> i64 {
        self.features.values().map(|known| known.priority).max().unwrap_or(0)
    }

    fn by_key(&self, key: u8) -> Option<FeatureId> {
        self.features.iter().find(|(_, known)| known.key == Some(key)).map(|(id, _)| *id)
    }

    pub(super) fn create(&mut self, items: &[Item], call: Option<u8>, limit: usize) -> Told {
        let remembered = call.and_then(|call| self.calls.get(&call));
        if let Some((at, answer)) = remembered
            && *at >= self.second - MEMORY_S
        {
            return Ok(format!("{:?}", Imported { repeated: true, ..answer.clone() }));
        }
        let targets = self.targets(items, limit).map_err(|problems| bad_list(&problems))?;
        let said = items.iter().filter_map(|item| item.priority).max().unwrap_or(0);
        let mut last = self.last_priority().max(said);
        let mut made = Imported::default();
        for item in items {
            if let Some(there) = item.key.and_then(|key| self.by_key(key)) {
                made.known.push(there);
                made.items.push(there);
                continue;
            }
            let id = FeatureId(self.next_feature);
            self.next_feature += 1;
            let priority = item.priority.unwrap_or(last + 1);
            last = last.max(priority);
            let known = Known {
                key: item.key,
                priority,
                checks: item.checks,
                status: Status::Pending,
                proof: None,
                on: BTreeSet::new(),
                failed: 0,
                crashes: 0,
                parked: None,
                request: None,
                response: None,
                owner: None,
            };
            self.features.insert(id, known);
            self.note(Some(id), None, None, Fact::Created { name: "a feature".to_owned() });
            made.created.push(id);
            made.items.push(id);
        }
        for (id, on) in made.items.iter().zip(targets).filter(|(id, _)| made.created.contains(id)) {
            let resolved = on.into_iter().map(|target| match target {
                Target::There(id) => id,
                Target::Item(place) => made.items[place],
            });
            self.of(*id).on = resolved.collect();
        }
        if let Some(call) = call {
            let oldest = self.second - MEMORY_S;
            self.calls.retain(|_, (at, _)| *at >= oldest);
            self.calls.insert(call, (self.second, made.clone()));
        }
        Ok(format!("{made:?}"))
    }

    /// What each item depends on, or everything that is wrong with the list.
    fn targets(&self, items: &[Item], limit: usize) -> Result<Vec<BTreeSet<Target>>, Problems> {
        let mut problems = Problems::new();
        if items.is_empty() {
            problems.insert((None, ""));
        }
        let mut keys: BTreeMap<u8, usize> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if !item.named {
                problems.insert((Some(place), "name"));
            }
            if item.priority.is_some_and(|priority| priority.unsigned_abs() > 1_000_000_000_000) {
                problems.insert((Some(place), "priority"));
            }
            if item.ids.len() + item.keys.len() + item.places.len() > limit {
                problems.insert((Some(place), "dependencies"));
            }
            if let Some(key) = item.key
                && *keys.entry(key).or_insert(place) != place
            {
                problems.insert((Some(place), "key"));
            }
        }
        // An item under a key that the project knows stands for what is there.
        let at = |place: usize| match items[place].key.and_then(|key| self.by_key(key)) {
            Some(there) => Target::There(there),
            None => Target::Item(place),
        };
        let mut all = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let by_id =
                item.ids.iter().map(|id| self.features.contains_key(id).then_some(Target::There(*id)));
            let by_key = item.keys.iter().map(|key| match keys.get(key) {
                Some(place) => Some(at(*place)),
                None => self.by_key(*key).map(Target::There),
            });
            let by_place = item.places.iter().map(|other| (*other < items.len()).then(|| at(*other)));
            let named = by_id.chain(by_key).map(|target| ("dependencies", target));
            let mut on = BTreeSet::new();
            for (field, target) in named.chain(by_place.map(|target| ("depends_on_indices", target))) {
                match target {
                    Some(target) if target != Target::Item(place) => drop(on.insert(target)),
                    Some(_) | None => drop(problems.insert((Some(place), field))),
                }
            }
            all.push(on);
        }
        let new = |place: usize| at(place) == Target::Item(place);
        if (0..items.len()).any(|place| new(place) && circles(place, &all, new)) {
            problems.insert((None, ""));
        }
        if problems.is_empty() { Ok(all) } else { Err(problems) }
    }

    pub(super) fn rewire(&mut self, feature: FeatureId, wanted: BTreeSet<FeatureId>, limit: usize) -> Told {
        let had = self.features[&feature].on.clone();
        if had == wanted {
            return Ok("false".to_owned());
        }
        for on in wanted.difference(&had) {
            if *on == feature {
                return Err(format!("{:?}", StoreError::DependsOnItself { feature }));
            }
            self.known(*on)?;
        }
        let found = wanted.len();
        if found > limit && found > had.len() {
            return Err(format!("{:?}", StoreError::TooManyDependencies { feature, found, limit }));
        }
        if wanted.difference(&had).any(|on| self.reaches(*on, feature)) {
            return Err(cycle());
        }
        let dependencies = wanted.iter().copied().collect();
        self.of(feature).on = wanted;
        self.note(Some(feature), None, None, Fact::DependenciesChanged { dependencies });
        Ok("true".to_owned())
    }
}

impl State {
    pub(super) fn skip(&mut self, feature: FeatureId, token: Option<Tok>) -> Told {
        let status = self.known(feature)?;
        if status == Status::Passing {
            return Err(wrong(feature, "skipped", status));
        }
        if status == Status::Claimed {
            let Some(token) = token else {
                return Err(no(&StoreError::StaleToken { feature: None, attempt: None, ended: None }));
            };
            if self.attempts[&self.live(token)?].feature != feature {
                return Err(self.stale(token));
            }
        }
        let last = self.last_priority();
        let old = self.features[&feature].priority;
        if old == last && self.features.values().filter(|known| known.priority == last).count() == 1 {
            return Ok(format!("{:?}", (old, old)));
        }
        self.of(feature).priority = last + 1;
        let reason = Some("later".to_owned());
        self.note(Some(feature), None, None, Fact::Skipped { priority: last + 1, reason });
        Ok(format!("{:?}", (old, last + 1)))
    }

    pub(super) fn delete(&mut self, feature: FeatureId) -> Told {
        let status = self.known(feature)?;
        if self.live_of(feature).is_some() {
            return Err(wrong(feature, "deleted", status));
        }
        let on = |(_, known): &(&FeatureId, &Known)| known.on.contains(&feature);
        let dependents: Vec<FeatureId> = self.features.iter().filter(on).map(|(id, _)| *id).collect();
        for dependent in &dependents {
            self.of(*dependent).on.remove(&feature);
            let dependencies = self.features[dependent].on.iter().copied().collect();
            self.note(Some(*dependent), None, None, Fact::DependenciesChanged { dependencies });
        }
        self.features.remove(&feature);
        self.attempts.retain(|_, attempt| attempt.feature != feature);
        self.note(Some(feature), None, None, Fact::Deleted { name: "a feature".to_owned() });
        Ok(format!("{dependents:?}"))
    }
}

/// Whether a way through the new items of a list leads from one back to itself.
fn circles(start: usize, on: &[BTreeSet<Target>], new: impl Fn(usize) -> bool) -> bool {
    let (mut open, mut seen) = (vec![start], BTreeSet::new());
    while let Some(place) = open.pop() {
        for target in &on[place] {
            let Target::Item(next) = target else { continue };
            if *next == start {
                return true;
            }
            if new(*next) && seen.insert(*next) {
                open.push(*next);
            }
        }
    }
    false
}
