//! A feature as a model describes it, and as the store takes it.

use cogwork_schemas::{Check, DependencyRef, ListedFeature};
use cogwork_store::NewFeature;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Hash, Deserialize, JsonSchema)]
pub(super) struct Wanted {
    /// What it belongs to, such as `auth`, 1 to 100 characters.
    category: String,
    /// What it is, in a few words, 1 to 255 characters.
    name: String,
    /// What is to be built, for somebody who knows nothing else.
    description: String,
    /// How to build or try it, step by step.
    steps: Vec<String>,
    /// Commands that decide whether it passes; at least one should be red before the work.
    checks: Option<Vec<CheckArg>>,
    /// Features that have to pass first: ids or keys.
    depends_on: Option<Vec<String>>,
    /// A name of your own for it, unique in the project; a key that is known makes no second feature.
    key: Option<String>,
    /// Lower is earlier among equals. Default: behind all others.
    priority: Option<i64>,
}

/// An item of a list is a feature that may also depend on others of the list.
#[derive(Debug, Hash, Deserialize, JsonSchema)]
pub(super) struct Item {
    #[serde(flatten)]
    wanted: Wanted,
    /// Features of this call that have to pass first, by their place in `features`, from 0.
    depends_on_indices: Option<Vec<i64>>,
}

#[derive(Debug, Hash, Deserialize, JsonSchema)]
pub(in crate::tools) struct CheckArg {
    /// Run with `sh -c` in the project; exit code 0 is green.
    command: String,
    /// Seconds until it is stopped and red. Default 600.
    timeout_s: Option<i64>,
}

impl Item {
    pub(super) fn has_dependencies(&self) -> bool {
        let by_name = self.wanted.depends_on.as_ref().is_some_and(|names| !names.is_empty());
        by_name || self.depends_on_indices.as_ref().is_some_and(|places| !places.is_empty())
    }
}

impl From<CheckArg> for Check {
    fn from(arg: CheckArg) -> Self {
        let mut check = Self::new(arg.command);
        if let Some(seconds) = arg.timeout_s {
            // 0 is refused by the store, which sees the whole list and tells all that is wrong with it at once.
            check.timeout_s = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        }
        check
    }
}

impl From<Wanted> for NewFeature {
    fn from(wanted: Wanted) -> Self {
        let dependencies = wanted.depends_on.unwrap_or_default();
        Self::from(ListedFeature {
            id: None,
            key: wanted.key,
            category: wanted.category,
            name: wanted.name,
            description: wanted.description,
            steps: wanted.steps,
            checks: wanted.checks.unwrap_or_default().into_iter().map(Check::from).collect(),
            dependencies: dependencies.iter().map(|name| dependency(name)).collect(),
            priority: wanted.priority,
            estimate_s: None,
        })
    }
}

impl From<Item> for NewFeature {
    fn from(item: Item) -> Self {
        let places = item.depends_on_indices.unwrap_or_default();
        // A negative place is none of the list either: as the far place that it is without its sign it goes to the
        // store, which tells it with the sign.
        let places =
            places.into_iter().map(|place| usize::try_from(place.cast_unsigned()).unwrap_or(usize::MAX));
        Self { depends_on_items: places.collect(), ..Self::from(item.wanted) }
    }
}

/// Numbers are ids, as people write them too (`#7`); keys are never numbers.
fn dependency(name: &str) -> DependencyRef {
    match name.trim().trim_start_matches('#').parse() {
        Ok(id) => DependencyRef::Id(id),
        Err(_) => DependencyRef::Key(name.trim().to_owned()),
    }
}
