//! The order in which ready features start: what is expensive to know about the graph, computed once and kept.
//!
//! Built on first use and thrown away by every change that could alter it (see [`super::Graph::upsert`]). Its
//! numbers are right for every feature that does not pass; for those that pass they are never asked. Features whose
//! chains are equally long are put in order only when somebody gets as far as them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cogwork_schemas::FeatureId;

use super::{Graph, number};

/// Counting stops here: no run has slots for more, so two features that both unblock this many are equally urgent.
/// The bound keeps the first order of a graph with 10,000 ready features a matter of milliseconds.
const UNBLOCKS_BOUND: u32 = 100;

/// What is known about the graph as a whole, by place.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The longest chain that begins with this feature, in seconds.
    chain_s: Vec<f64>,
    /// What is ready, by the bits of the length of its chain; for numbers from 0 up they are ordered as the
    /// numbers are.
    groups: BTreeMap<Reverse<u64>, Group>,
}

/// Ready features whose chains are equally long.
#[derive(Debug, Clone, Default)]
struct Group {
    places: BTreeSet<u32>,
    ranked: OnceLock<Ranked>,
}

/// A group in its order, which somebody has asked for.
#[derive(Debug, Clone, Default)]
struct Ranked {
    ranks: BTreeSet<Rank>,
    of: BTreeMap<u32, Rank>,
}

/// The place of a ready feature in its group: the smallest starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    unblocks: Reverse<u32>,
    priority: i64,
    id: FeatureId,
}

impl Order {
    /// Computes everything but the order within the groups: O((V + E) · log V).
    pub(super) fn new(graph: &Graph) -> Self {
        let mut order = Self { chain_s: chains(graph), groups: BTreeMap::new() };
        for place in 0..graph.nodes.len() {
            if graph.is_ready_at(place) {
                order.groups.entry(order.key(place)).or_default().places.insert(number(place));
            }
        }
        order
    }

    /// Puts a feature where it belongs now: among the ready ones, in its place, or nowhere.
    pub(super) fn settle(&mut self, graph: &Graph, place: usize) {
        if place >= self.chain_s.len() {
            return;
        }
        let key = self.key(place);
        let group = self.groups.entry(key).or_default();
        let number = number(place);
        group.places.remove(&number);
        if let Some(ranked) = group.ranked.get_mut() {
            ranked.take_out(number);
        }
        if graph.is_ready_at(place) {
            group.places.insert(number);
            if let Some(ranked) = group.ranked.get_mut() {
                ranked.put_in(graph, number, &mut Marks::default());
            }
        } else if group.places.is_empty() {
            self.groups.remove(&key);
        }
    }

    /// Returns what is ready, most urgent first.
    pub(super) fn ready<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = FeatureId> + 'a {
        let mut groups = self.groups.values();
        let (mut of_group, mut marks) = (None, Marks::default());
        std::iter::from_fn(move || {
            loop {
                let turn = match &mut of_group {
                    Some(turn) => turn,
                    none => none.insert(Turn::of(graph, groups.next()?)),
                };
                match turn.next(&mut marks) {
                    Some(id) => return Some(id),
                    None => of_group = None,
                }
            }
        })
    }

    /// Returns the longest chain that begins with a feature that does not pass, in seconds.
    pub(super) fn chain_s(&self, place: usize) -> f64 {
        self.chain_s.get(place).copied().unwrap_or(0.0)
    }

    fn key(&self, place: usize) -> Reverse<u64> {
        Reverse(self.chain_s(place).to_bits())
    }
}

/// How far somebody has got with a group.
enum Turn<'a> {
    /// Its order is being found out: what is not counted yet, by priority and id, what is, and how many were given away.
    ///
    /// Counting stops at a bound. So those that reach it come first, in the order of priority and id, in which they are
    /// looked at; of 10,000 that are equally urgent, whoever wants ten pays for little more than ten.
    Unknown {
        graph: &'a Graph,
        group: &'a Group,
        open: std::vec::IntoIter<(i64, FeatureId, u32)>,
        counted: Vec<(u32, Rank)>,
        given: usize,
    },
    Known(std::collections::btree_set::Iter<'a, Rank>),
}

impl<'a> Turn<'a> {
    fn of(graph: &'a Graph, group: &'a Group) -> Self {
        if let Some(ranked) = group.ranked.get() {
            return Self::Known(ranked.ranks.iter());
        }
        let keyed = group.places.iter().map(|place| {
            let node = graph.nodes[*place as usize].as_ref();
            node.map_or((0, FeatureId(0), *place), |node| (node.priority, node.id, *place))
        });
        let mut open: Vec<(i64, FeatureId, u32)> = keyed.collect();
        open.sort_unstable();
        Self::Unknown { graph, group, open: open.into_iter(), counted: Vec::new(), given: 0 }
    }

    fn next(&mut self, marks: &mut Marks) -> Option<FeatureId> {
        if let Self::Unknown { graph, group, open, counted, given } = self {
            for (priority, id, place) in open {
                let unblocks = unblocks(graph, place, marks);
                counted.push((place, Rank { unblocks: Reverse(unblocks), priority, id }));
                if unblocks == UNBLOCKS_BOUND {
                    *given += 1;
                    return Some(id);
                }
            }
            let (counted, given) = (std::mem::take(counted), *given);
            let mut ranks = group.ranked.get_or_init(|| Ranked::of(counted)).ranks.iter();
            // Those are the first of all.
            ranks.by_ref().take(given).for_each(drop);
            *self = Self::Known(ranks);
        }
        match self {
            Self::Known(ranks) => ranks.next().map(|rank| rank.id),
            Self::Unknown { .. } => None,
        }
    }
}

impl Ranked {
    fn of(counted: Vec<(u32, Rank)>) -> Self {
        let of: BTreeMap<u32, Rank> = counted.into_iter().collect();
        Self { ranks: of.values().copied().collect(), of }
    }

    fn put_in(&mut self, graph: &Graph, place: u32, marks: &mut Marks) {
        let rank = Rank::of(graph, place, marks);
        self.of.insert(place, rank);
        self.ranks.insert(rank);
    }

    fn take_out(&mut self, place: u32) {
        if let Some(rank) = self.of.remove(&place) {
            self.ranks.remove(&rank);
        }
    }
}

impl Rank {
    fn of(graph: &Graph, place: u32, marks: &mut Marks) -> Self {
        let node = graph.nodes[place as usize].as_ref();
        Self {
            unblocks: Reverse(unblocks(graph, place, marks)),
            priority: node.map_or(0, |node| node.priority),
            id: node.map_or(FeatureId(0), |node| node.id),
        }
    }
}

/// Which count reached each place last; kept from one count to the next to save clearing them.
#[derive(Debug, Default)]
struct Marks {
    reached: Vec<u32>,
    count: u32,
    open: Vec<u32>,
}

/// Counts the distinct features that cannot start before this one passes, up to the bound.
fn unblocks(graph: &Graph, place: u32, marks: &mut Marks) -> u32 {
    if graph.above.of(place as usize).is_empty() {
        return 0;
    }
    marks.reached.resize(graph.nodes.len(), 0);
    marks.count += 1;
    marks.reached[place as usize] = marks.count;
    marks.open.clear();
    marks.open.push(place);
    let mut found = 0;
    while let Some(place) = marks.open.pop() {
        for above in graph.above.of(place as usize) {
            let reached = &mut marks.reached[*above as usize];
            if *reached != marks.count && !graph.links[*above as usize].passes {
                *reached = marks.count;
                marks.open.push(*above);
                found += 1;
                if found == UNBLOCKS_BOUND {
                    return found;
                }
            }
        }
    }
    found
}

/// Computes the longest chain from each feature that does not pass, last features first. What is in a cycle keeps
/// its own length.
fn chains(graph: &Graph) -> Vec<f64> {
    let own_s = estimates(graph);
    let mut longest_s = own_s.clone();
    if graph.leads_down {
        for place in (0..graph.nodes.len()).rev().filter(|place| !graph.links[*place].passes) {
            for below in graph.dependencies_at(place) {
                longest_s[below] = longest_s[below].max(own_s[below] + longest_s[place]);
            }
        }
        return longest_s;
    }
    let mut waiting: Vec<u32> = vec![0; graph.nodes.len()];
    let mut known = Vec::new();
    for (place, links) in graph.links.iter().enumerate() {
        let open = graph.above.of(place).iter().filter(|above| !graph.links[**above as usize].passes);
        waiting[place] = number(open.count());
        if waiting[place] == 0 && !links.passes {
            known.push(place);
        }
    }
    while let Some(place) = known.pop() {
        for below in graph.dependencies_at(place).filter(|below| !graph.links[*below].passes) {
            longest_s[below] = longest_s[below].max(own_s[below] + longest_s[place]);
            waiting[below] -= 1;
            if waiting[below] == 0 {
                known.push(below);
            }
        }
    }
    longest_s
}

/// Returns each feature's expected work in seconds. What has no estimate, or one that is no duration, is taken for
/// as much work as the median of the others, or 1 when nobody said anything.
pub(super) fn estimates(graph: &Graph) -> Vec<f64> {
    let estimates: Vec<Option<f64>> = graph
        .nodes
        .iter()
        .map(|node| node.as_ref()?.estimate_s.filter(|seconds| seconds.is_finite() && *seconds >= 0.0))
        .collect();
    let default = median(estimates.iter().copied().flatten().collect()).unwrap_or(1.0);
    // `+ 0.0` turns a negative zero, whose bits would sort last, into a plain one.
    estimates.into_iter().map(|estimate| estimate.unwrap_or(default) + 0.0).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}
