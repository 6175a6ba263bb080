//! What is wrong with a plan: decided from the features alone.
//!
//! Pure. A finding says what is wrong with which feature and what to do; it forbids nothing, because a plan that is not
//! good can still be built.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cogwork_schemas::{Feature, FeatureId, Status, listed};
use cogwork_store::graph::find_cycle;

/// From so many features on, their dependencies say something about the whole.
const MANY: usize = 8;

/// So many features that are decided by the same commands make these say nothing about any one of them.
const SAME: usize = 3;

/// How a description says that no command can decide.
const REASON: &str = "no check:";

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing of a circle can ever start.
    Circle { path: Vec<FeatureId> },
    /// Most features wait for one another, so most sessions would wait, too.
    Narrow { chain: Vec<FeatureId>, total: usize },
    /// Nothing decides whether a feature works, and nobody says why.
    NoCheck { feature: FeatureId, name: String },
    /// A check that is green whatever happens.
    IdleCheck { feature: FeatureId, name: String, command: String },
    /// Several features are decided by the very same commands: the first that passes says that all do.
    SameChecks { features: Vec<FeatureId>, command: String },
    /// Several features are the same, by name or key.
    Twice { features: Vec<FeatureId>, name: String },
}

impl Finding {
    /// Returns whether a planning agent can do something about it with its tools; a person has to, otherwise.
    pub fn is_for_agent(&self) -> bool {
        match self {
            Self::Circle { .. }
            | Self::Narrow { .. }
            | Self::NoCheck { .. }
            | Self::IdleCheck { .. }
            | Self::SameChecks { .. } => true,
            Self::Twice { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circle { path } => {
                write!(
                    f,
                    "{} wait for each other in a circle and can never start: remove one dependency",
                    arrows(path)
                )
            }
            Self::Narrow { chain, total } => write!(
                f,
                "{} of {total} features form one chain, {}: they can only be built one after the other; keep the \
                 dependencies that are really needed",
                chain.len(),
                arrows(chain)
            ),
            Self::NoCheck { feature, name } => write!(
                f,
                "{feature} {name}: it has no check; give it one, or say why none can decide (`No check: ...` in the \
                 description)"
            ),
            Self::IdleCheck { feature, name, command } => {
                write!(
                    f,
                    "{feature} {name}: the check `{command}` is green whatever happens; give it one that can be red"
                )
            }
            Self::SameChecks { features, command } => write!(
                f,
                "{} have the same checks (`{command}`), which say nothing about any one of them: give each its own",
                listed(features)
            ),
            Self::Twice { features, name } => {
                write!(f, "{} are the same by name or key ({name}): delete all but one", listed(features))
            }
        }
    }
}

/// Returns all that is wrong with the features `new` among all features of a project.
pub fn lint(features: &[Feature], new: &BTreeSet<FeatureId>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = shape(features, new).into_iter().collect();
    let fresh = || features.iter().filter(|feature| new.contains(&feature.id));
    for feature in fresh() {
        let (id, name) = (feature.id, feature.name.clone());
        if feature.checks.is_empty() && !gives_reason(&feature.description) {
            findings.push(Finding::NoCheck { feature: id, name });
        } else if let Some(idle) = feature.checks.iter().find(|check| is_idle(&check.command)) {
            findings.push(Finding::IdleCheck { feature: id, name, command: idle.command.clone() });
        }
    }
    findings.extend(same_checks(fresh()));
    findings.extend(twice(features, new));
    findings
}

/// A circle makes every other word about the shape meaningless.
fn shape(features: &[Feature], new: &BTreeSet<FeatureId>) -> Option<Finding> {
    let open = features.iter().filter(|feature| feature.status != Status::Passing);
    let dependencies: BTreeMap<FeatureId, BTreeSet<FeatureId>> =
        open.map(|feature| (feature.id, feature.dependencies.iter().copied().collect())).collect();
    if let Some(path) = find_cycle(&dependencies) {
        return Some(Finding::Circle { path });
    }
    let chain = longest(&dependencies);
    let total = dependencies.len();
    let is_ours = chain.iter().any(|id| new.contains(id));
    (total >= MANY && chain.len() * 2 > total && is_ours).then_some(Finding::Narrow { chain, total })
}

/// Returns the longest chain of what is acyclic, the feature that starts it first.
fn longest(dependencies: &BTreeMap<FeatureId, BTreeSet<FeatureId>>) -> Vec<FeatureId> {
    // The length of the longest chain up to a feature, and the one before it there.
    let mut ends: BTreeMap<FeatureId, (usize, Option<FeatureId>)> = BTreeMap::new();
    for start in dependencies.keys() {
        let mut waiting = vec![*start];
        while let Some(id) = waiting.last().copied() {
            let below = || dependencies[&id].iter().filter(|below| dependencies.contains_key(below));
            let unknown: Vec<FeatureId> =
                below().filter(|below| !ends.contains_key(below)).copied().collect();
            if unknown.is_empty() {
                let before = below().max_by_key(|below| ends[below].0).copied();
                ends.insert(id, (before.map_or(1, |before| ends[&before].0 + 1), before));
                waiting.pop();
            } else {
                waiting.extend(unknown);
            }
        }
    }
    let mut at = ends.iter().max_by_key(|(_, (length, _))| *length).map(|(id, _)| *id);
    let mut chain = Vec::new();
    while let Some(id) = at {
        chain.push(id);
        at = ends[&id].1;
    }
    chain.reverse();
    chain
}

fn gives_reason(description: &str) -> bool {
    let reason =
        |line: &str| line.to_lowercase().strip_prefix(REASON).is_some_and(|why| !why.trim().is_empty());
    description.lines().any(|line| reason(line.trim()))
}

/// Returns whether a command ends with 0 whatever it is about.
fn is_idle(command: &str) -> bool {
    let command = command.trim();
    let is_plain = !command.contains(['&', '|', ';', '`', '$', '\n', '>', '<']);
    matches!(command, "true" | ":" | "exit" | "exit 0" | "/bin/true")
        || (is_plain && command.split_whitespace().next() == Some("echo"))
        || command.ends_with("|| true")
        || command.ends_with("|| :")
}

fn same_checks<'a>(features: impl Iterator<Item = &'a Feature>) -> Vec<Finding> {
    let mut by_checks: BTreeMap<Vec<&str>, Vec<FeatureId>> = BTreeMap::new();
    for feature in features.filter(|feature| !feature.checks.is_empty()) {
        let commands = feature.checks.iter().map(|check| check.command.trim()).collect();
        by_checks.entry(commands).or_default().push(feature.id);
    }
    let same = by_checks.into_iter().filter(|(_, features)| features.len() >= SAME);
    same.map(|(commands, features)| Finding::SameChecks { features, command: commands.join("`, `") })
        .collect()
}

fn twice(features: &[Feature], new: &BTreeSet<FeatureId>) -> Vec<Finding> {
    let mut found: BTreeMap<BTreeSet<FeatureId>, String> = BTreeMap::new();
    let by_name = alike(features, |feature| Some(&feature.name));
    let by_key = alike(features, |feature| feature.key.as_deref());
    for ids in by_name.into_iter().chain(by_key) {
        if ids.len() > 1 && ids.iter().any(|id| new.contains(id)) {
            let first = features.iter().find(|feature| ids.contains(&feature.id));
            found.insert(ids, first.map(|feature| feature.name.clone()).unwrap_or_default());
        }
    }
    found
        .into_iter()
        .map(|(ids, name)| Finding::Twice { features: ids.into_iter().collect(), name })
        .collect()
}

/// Groups features whose words are the same but for case and what is neither letter nor digit.
fn alike<'a>(
    features: &'a [Feature],
    words: impl Fn(&'a Feature) -> Option<&'a str>,
) -> Vec<BTreeSet<FeatureId>> {
    let mut groups: BTreeMap<String, BTreeSet<FeatureId>> = BTreeMap::new();
    for feature in features {
        let plain: Option<String> = words(feature)
            .map(|words| words.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect());
        if let Some(plain) = plain.filter(|plain| !plain.is_empty()) {
            groups.entry(plain).or_default().insert(feature.id);
        }
    }
    groups.into_values().collect()
}

fn arrows(ids: &[FeatureId]) -> String {
    ids.iter().map(FeatureId::to_string).collect::<Vec<_>>().join(" → ")
}

#[cfg(test)]
mod tests;
