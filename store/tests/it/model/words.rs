//! The values that both sides use: what a step means as arguments of the store, and how answers are compared.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{
    Answer, Check, CheckReport, CheckVerdict, DependencyRef, HumanRequest, ListedFeature, ProcessIdentity,
};
use cogwork_store::{NewFeature, StoreError};

use super::op::{Item, Report};
use super::state::check;

pub(crate) fn commit(number: Option<u8>) -> Option<String> {
    number.map(|number| format!("c{number}"))
}

pub(crate) fn identity(pid: i32) -> ProcessIdentity {
    ProcessIdentity { pid, started: 7, boot_id: "this boot".to_owned() }
}

pub(crate) fn question(well: bool) -> HumanRequest {
    let text = if well {
        r#"{"prompt": "Which?", "fields": [{"id": "a", "label": "A"}]}"#
    } else {
        r#"{"prompt": "", "fields": []}"#
    };
    serde_json::from_str(text).unwrap()
}

pub(crate) fn answers(well: bool) -> BTreeMap<String, Answer> {
    let field = if well { "a" } else { "b" };
    BTreeMap::from([(field.to_owned(), Answer::Text("this one".to_owned()))])
}

pub(crate) fn reports(given: &[Report]) -> Vec<CheckReport> {
    let report = |report: &Report| CheckReport {
        command: check(report.check),
        verdict: if report.green { CheckVerdict::Green } else { CheckVerdict::Red { exit_code: 1 } },
        duration_ms: 7,
        output_tail: "it says so".to_owned(),
        output_digest: "cbf29ce484222325".to_owned(),
    };
    given.iter().map(report).collect()
}

pub(crate) fn features(items: &[Item]) -> Vec<NewFeature> {
    let feature = |item: &Item| {
        let ids = item.ids.iter().map(|id| DependencyRef::Id(id.0));
        let keys = item.keys.iter().map(|key| DependencyRef::Key(format!("k{key}")));
        NewFeature {
            listed: ListedFeature {
                id: None,
                key: item.key.map(|key| format!("k{key}")),
                category: "model".to_owned(),
                name: if item.named { "a feature" } else { " " }.to_owned(),
                description: String::new(),
                steps: Vec::new(),
                checks: (0..item.checks).map(|number| Check::new(check(number))).collect(),
                dependencies: ids.chain(keys).collect(),
                priority: item.priority,
                estimate_s: None,
            },
            depends_on_items: item.places.clone(),
        }
    };
    items.iter().map(feature).collect()
}

/// A refusal as it is compared: whole, but for the ways that circles are told in and the words about a list.
pub(crate) fn refusal(error: &StoreError) -> String {
    if let StoreError::BadList { problems } = error {
        return bad_list(&problems.iter().map(|problem| (problem.item, problem.field)).collect());
    }
    if matches!(error, StoreError::Cycle(_)) { cycle() } else { format!("{error:?}") }
}

pub(crate) fn cycle() -> String {
    "a circle".to_owned()
}

pub(crate) fn bad_list(problems: &BTreeSet<(Option<usize>, &'static str)>) -> String {
    format!("a bad list: {problems:?}")
}
