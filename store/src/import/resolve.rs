//! What each item of a feature list means in a project, and everything that is wrong with the list. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{Check, DependencyRef, FeatureId, ListedFeature};

use crate::graph::find_cycle;
use crate::types::{ImportLimits, ListProblem, NewFeature};

/// After this many circles the rest is left for the next try: breaking one mostly breaks others.
const CYCLES_SHOWN: usize = 10;

/// What the project holds already, of all that the list names.
#[derive(Debug, Default)]
pub(super) struct Project {
    pub(super) ids: BTreeSet<FeatureId>,
    pub(super) keys: BTreeMap<String, FeatureId>,
}

/// What an item is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A feature that the project has under this key.
    Known(FeatureId),
    /// A new feature.
    New { dependencies: BTreeSet<Target> },
}

/// What an item depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Existing(FeatureId),
    /// The item at this place in the list.
    Item(usize),
}

/// Priorities stay within this, so that there is always one behind all others.
pub(crate) const PRIORITY_BOUND: i64 = 1_000_000_000_000;

/// Returns the meaning of every item, in order, or all problems of the list.
pub(super) fn resolve(
    items: &[NewFeature],
    limits: &ImportLimits,
    project: &Project,
) -> Result<Vec<Meaning>, Vec<ListProblem>> {
    if items.is_empty() {
        return Err(vec![of_list("it holds no features: add at least one".to_owned())]);
    }
    if items.len() > limits.features {
        let (found, limit) = (items.len(), limits.features);
        return Err(vec![of_list(format!("it holds {found} features, more than {limit}: split it"))]);
    }
    let problem = |index: usize, field: &'static str, what: String| ListProblem {
        item: Some(index),
        field,
        label: label(items, index),
        what,
    };
    let mut problems = Vec::new();
    for (index, item) in items.iter().enumerate() {
        problems.extend(faults(item, limits).map(|(field, what)| problem(index, field, what)));
    }
    let names = Names::of(items, project, &mut problems);
    let mut meanings = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let mut dependencies = BTreeSet::new();
        let by_name = item.listed.dependencies.iter().map(|wanted| ("dependencies", names.target(wanted)));
        let by_place =
            item.depends_on_items.iter().map(|place| ("depends_on_indices", names.place(items, *place)));
        for (field, target) in by_name.chain(by_place) {
            match target {
                Ok(Target::Item(target)) if target == index => {
                    problems.push(problem(index, field, "it depends on itself".to_owned()));
                }
                Ok(target) => {
                    dependencies.insert(target);
                }
                Err(what) => problems.push(problem(index, field, what)),
            }
        }
        meanings.push(match known(&item.listed, project) {
            Some(id) => Meaning::Known(id),
            None => Meaning::New { dependencies },
        });
    }
    problems.extend(circles(items, &meanings).into_iter().map(of_list));
    if problems.is_empty() { Ok(meanings) } else { Err(problems) }
}

fn of_list(what: String) -> ListProblem {
    ListProblem { item: None, field: "", label: String::new(), what }
}

/// Returns what is wrong with an item by itself, each with its field.
fn faults(item: &NewFeature, limits: &ImportLimits) -> impl Iterator<Item = (&'static str, String)> {
    let NewFeature { listed: item, depends_on_items } = item;
    let text = |field: &'static str, text: &str, limit: usize| {
        let chars = text.chars().count();
        let what = if text.trim().is_empty() {
            format!("the {field} is empty")
        } else if chars > limit {
            format!("the {field} has {chars} characters, more than {limit}")
        } else if text.contains(char::is_control) {
            format!("the {field} {text:?} holds a line break or another control character")
        } else {
            return None;
        };
        Some((field, what))
    };
    let many = |field: &'static str, what: &str, found: usize, limit: usize| {
        (found > limit).then(|| (field, format!("it has {found} {what}, more than {limit}")))
    };
    let bytes = item.description.len() + item.steps.iter().map(String::len).sum::<usize>();
    let dependencies = item.dependencies.len() + depends_on_items.len();
    let digits = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_digit());
    let mut faults = vec![
        item.key.as_deref().and_then(|key| text("key", key, limits.key_chars)),
        item.key.as_deref().filter(|key| digits(key)).map(|key| {
            ("key", format!("the key {key} is a number, which would be taken for an id: add a letter"))
        }),
        text("name", &item.name, limits.name_chars),
        text("category", &item.category, limits.category_chars),
        many("description", "bytes of description and steps", bytes, limits.text_bytes),
        many("dependencies", "dependencies", dependencies, limits.dependencies),
        many("checks", "checks", item.checks.len(), limits.checks),
        item.estimate_s
            .filter(|estimate| !estimate.is_finite() || *estimate < 0.0)
            .map(|estimate| ("estimate_s", format!("the estimate {estimate} is no number of seconds"))),
        item.priority.filter(|priority| priority.unsigned_abs() > PRIORITY_BOUND.unsigned_abs()).map(
            |priority| {
                let what =
                    format!("the priority {priority} is beyond {PRIORITY_BOUND}: use a smaller number");
                ("priority", what)
            },
        ),
    ];
    faults.extend(item.checks.iter().map(|check| check_fault(check).map(|what| ("checks", what))));
    faults.into_iter().flatten()
}

/// Returns what is wrong with checks that a feature is to have.
pub(crate) fn check_faults(checks: &[Check], limits: &ImportLimits) -> Vec<String> {
    let found = checks.len();
    let many =
        (found > limits.checks).then(|| format!("there are {found} checks, more than {}", limits.checks));
    many.into_iter().chain(checks.iter().filter_map(check_fault)).collect()
}

fn check_fault(check: &Check) -> Option<String> {
    if check.command.trim().is_empty() {
        return Some("a check's command is empty".to_owned());
    }
    (check.timeout_s == 0).then(|| format!("the check `{}` has a time limit of 0 s", check.command))
}

/// What dependencies may be called.
struct Names<'a> {
    project: &'a Project,
    keys: BTreeMap<&'a str, Target>,
    /// The ids of the list; when there are none, numbers mean features of the project.
    ids: BTreeMap<i64, Target>,
}

impl<'a> Names<'a> {
    fn of(items: &'a [NewFeature], project: &'a Project, problems: &mut Vec<ListProblem>) -> Self {
        let mut names = Self { project, keys: BTreeMap::new(), ids: BTreeMap::new() };
        let (mut key_places, mut id_places) = (BTreeMap::new(), BTreeMap::new());
        for (index, NewFeature { listed: item, .. }) in items.iter().enumerate() {
            let twice =
                |field: &'static str, what: String| ListProblem { field, ..of_item(items, index, what) };
            let (place, target) =
                (index + 1, known(item, project).map_or(Target::Item(index), Target::Existing));
            if let Some(key) = &item.key {
                names.keys.entry(key).or_insert(target);
                let first = *key_places.entry(key).or_insert(place);
                if first != place {
                    let what =
                        format!("the features {first} and {place} of the list have the same key `{key}`");
                    problems.push(twice("key", what));
                }
            }
            if let Some(id) = item.id {
                names.ids.entry(id).or_insert(target);
                let first = *id_places.entry(id).or_insert(place);
                if first != place {
                    let what = format!("the features {first} and {place} of the list have the same id {id}");
                    problems.push(twice("id", what));
                }
            }
        }
        names
    }

    /// Returns the item at a place of the list, or what the project has in its stead.
    fn place(&self, items: &[NewFeature], place: usize) -> Result<Target, String> {
        match items.get(place) {
            Some(item) => Ok(known(&item.listed, self.project).map_or(Target::Item(place), Target::Existing)),
            // No list is as long as half of the numbers: what is above was less than 0.
            None => Err(format!(
                "it depends on the item {}, but the places of the list are 0 to {}",
                place.cast_signed(),
                items.len().saturating_sub(1)
            )),
        }
    }

    fn target(&self, wanted: &DependencyRef) -> Result<Target, String> {
        let found = match wanted {
            DependencyRef::Key(key) => {
                let existing = || self.project.keys.get(key).copied().map(Target::Existing);
                self.keys.get(key.as_str()).copied().or_else(existing)
            }
            DependencyRef::Id(id) if self.ids.is_empty() => {
                Some(FeatureId(*id)).filter(|id| self.project.ids.contains(id)).map(Target::Existing)
            }
            DependencyRef::Id(id) => self.ids.get(id).copied(),
        };
        found.ok_or_else(|| match wanted {
            DependencyRef::Key(_) => {
                format!("it depends on {wanted}, which is neither in the list nor in the project")
            }
            DependencyRef::Id(_) if self.ids.is_empty() => {
                format!(
                    "it depends on {wanted}, which is no feature of the project (and the list gives no ids)"
                )
            }
            DependencyRef::Id(_) => format!("it depends on {wanted}, which is no id of the list"),
        })
    }
}

fn of_item(items: &[NewFeature], index: usize, what: String) -> ListProblem {
    ListProblem { item: Some(index), field: "", label: label(items, index), what }
}

fn known(item: &ListedFeature, project: &Project) -> Option<FeatureId> {
    project.keys.get(item.key.as_ref()?).copied()
}

/// Returns the circles among the new features, each as its path. What exists depends on nothing new, so no circle
/// leads through it.
fn circles(items: &[NewFeature], meanings: &[Meaning]) -> Vec<String> {
    let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, meaning) in meanings.iter().enumerate() {
        match meaning {
            Meaning::Known(_) => {}
            Meaning::New { dependencies } => {
                let inside = dependencies.iter().filter_map(|target| match target {
                    Target::Item(index) => Some(*index),
                    Target::Existing(_) => None,
                });
                edges.insert(index, inside.collect());
            }
        }
    }
    let mut found = Vec::new();
    while found.len() < CYCLES_SHOWN
        && let Some(path) = find_cycle(&edges)
    {
        for index in &path {
            edges.remove(index);
        }
        let path: Vec<String> = path.into_iter().map(|index| label(items, index)).collect();
        found.push(format!("these depend on each other in a circle: {}", path.join(" → ")));
    }
    found
}

/// Returns what a message calls an item: its key, its id, or its place.
fn label(items: &[NewFeature], index: usize) -> String {
    let item = &items[index].listed;
    match (&item.key, item.id) {
        (Some(key), _) => format!("`{key}`"),
        (None, Some(id)) => FeatureId(id).to_string(),
        (None, None) => format!("feature {} of the list ({:?})", index + 1, item.name),
    }
}
