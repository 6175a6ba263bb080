//! The table of the tools: for each, a call that succeeds, the shape of its answer, and what a second call says.

use serde_json::{Value, json};

use crate::client::Client;
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project};

/// One tool.
pub(crate) struct Row {
    pub(crate) tool: &'static str,
    /// Whether it changes anything.
    pub(crate) writes: bool,
    /// What has to have happened to the feature that the call is about.
    pub(crate) before: Before,
    /// The arguments of a call that succeeds then.
    pub(crate) arguments: fn() -> Value,
    /// Every field of its answer, in order.
    pub(crate) answer: &'static [&'static str],
    /// Compares the first answer with that of the same call sent again.
    pub(crate) again: fn(&Value, &Value),
}

/// What has to have happened in a server's project before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// This server has claimed the feature.
    Claimed,
    Passing,
}

impl Row {
    /// A server whose project is ready for the call.
    pub(crate) fn prepare(&self, project: &Project, client: &mut Client) {
        match self.before {
            Before::Nothing => {}
            Before::Claimed => drop(client.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}))),
            Before::Passing => project.pass(NO_CHECK),
        }
    }

    /// The arguments with another feature.
    pub(crate) fn about(&self, id: i64) -> Value {
        let mut arguments = (self.arguments)();
        arguments["feature_id"] = id.into();
        arguments
    }

    /// Whether the call changes the feature that it names.
    pub(crate) fn changes_a_feature(&self) -> bool {
        self.writes && (self.arguments)().get("feature_id").is_some()
    }
}

fn same(first: &Value, second: &Value) {
    assert_eq!(first, second);
}

fn unchanged(first: &Value, second: &Value) {
    assert_eq!((&first["changed"], &second["changed"]), (&json!(true), &json!(false)), "{second}");
}

fn already(first: &Value, second: &Value) {
    assert_eq!(
        (&first["already_claimed"], &second["already_claimed"]),
        (&json!(false), &json!(true)),
        "{second}"
    );
}

fn repeated(first: &Value, second: &Value) {
    assert_eq!((&first["repeated"], &second["repeated"]), (&json!(false), &json!(true)), "{second}");
    let others = |answer: &Value| {
        let mut answer = answer.clone();
        answer["repeated"] = Value::Null;
        answer
    };
    assert_eq!(others(first), others(second));
}

fn no_further(first: &Value, second: &Value) {
    assert_eq!(first["new_priority"], second["new_priority"], "it is the last already");
    assert_eq!((&first["given_back"], &second["given_back"]), (&json!(true), &json!(false)));
}

fn no_check() -> Value {
    json!({"feature_id": NO_CHECK})
}

fn with_reason() -> Value {
    json!({"feature_id": NO_CHECK, "reason": "because"})
}

fn dependency() -> Value {
    json!({"feature_id": NO_CHECK, "dependency_id": ONE_CHECK})
}

fn item() -> Value {
    json!({"category": "new", "name": "New", "description": "Something new.", "steps": ["Do it."],
           "checks": [{"command": "true", "timeout_s": 5}], "depends_on": ["one", "3"], "key": "new", "priority": 7})
}

fn question() -> Value {
    json!({"feature_id": NO_CHECK, "prompt": "Which colour?", "fields": [
        {"id": "colour", "label": "Colour", "type": "select", "required": true,
         "options": [{"value": "red", "label": "Red"}, {"value": "blue", "label": "Blue"}]},
        {"id": "why", "label": "Why?", "required": false, "placeholder": "because"}]})
}

const SUMMARY: [&str; 7] =
    ["id", "name", "status", "passes", "in_progress", "needs_human_input", "dependencies"];

const PROGRESS: &[&str] = &[
    "id",
    "name",
    "status",
    "passes",
    "in_progress",
    "needs_human_input",
    "dependencies",
    "changed",
    "next",
];

/// Every tool, by name.
pub(crate) const TABLE: &[Row] = &[
    Row {
        tool: "ask_user",
        writes: false,
        before: Before::Nothing,
        arguments: || {
            json!({"questions": [{"question": "Which?", "header": "Colour", "multi_select": false,
                                  "options": [{"label": "Red"}, {"label": "Blue"}]}]})
        },
        answer: &["answered", "why", "next"],
        again: same,
    },
    Row {
        tool: "feature_add_dependency",
        writes: true,
        before: Before::Nothing,
        arguments: dependency,
        answer: &["success", "feature_id", "dependencies", "changed"],
        again: unchanged,
    },
    Row {
        tool: "feature_claim_and_get",
        writes: true,
        before: Before::Nothing,
        arguments: no_check,
        answer: &[
            "id",
            "name",
            "category",
            "status",
            "passes",
            "in_progress",
            "needs_human_input",
            "already_claimed",
            "claimed_by_you",
            "claimed_by",
            "priority",
            "failed_attempts",
            "blocked_by",
            "dependencies",
            "description",
            "steps",
            "checks",
            "hint",
        ],
        again: already,
    },
    Row {
        tool: "feature_clear_in_progress",
        writes: true,
        before: Before::Claimed,
        arguments: with_reason,
        answer: PROGRESS,
        again: unchanged,
    },
    Row {
        tool: "feature_create",
        writes: true,
        before: Before::Nothing,
        arguments: item,
        answer: &["success", "created", "repeated", "feature"],
        again: repeated,
    },
    Row {
        tool: "feature_create_bulk",
        writes: true,
        before: Before::Nothing,
        arguments: || {
            let second = json!({"category": "new", "name": "Second", "description": "d", "steps": [],
                                "depends_on_indices": [0]});
            json!({"features": [item(), second]})
        },
        answer: &["created", "ids", "known", "with_dependencies", "repeated"],
        again: repeated,
    },
    Row {
        tool: "feature_explain",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"feature_id": BLOCKED}),
        answer: &["id", "name", "status", "ready", "why", "next", "roots"],
        again: same,
    },
    Row {
        tool: "feature_get_blocked",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"limit": 5, "offset": 0}),
        answer: &["features", "count", "total_blocked", "has_more"],
        again: same,
    },
    Row {
        tool: "feature_get_by_id",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"feature_id": BLOCKED, "field": "dependencies", "offset": 0}),
        answer: &[
            "id",
            "name",
            "category",
            "status",
            "passes",
            "in_progress",
            "needs_human_input",
            "priority",
            "failed_attempts",
            "blocked_by",
            "dependencies",
            "part",
        ],
        again: same,
    },
    Row {
        tool: "feature_get_graph",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"feature_id": BLOCKED, "depth": 1, "limit": 5, "offset": 0}),
        answer: &["nodes", "edges", "total_nodes", "truncated"],
        again: same,
    },
    Row {
        tool: "feature_get_ready",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"limit": 2, "offset": 1, "response_format": "detailed"}),
        answer: &["features", "count", "total_ready", "has_more", "next_offset"],
        again: same,
    },
    Row {
        tool: "feature_get_stats",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({}),
        answer: &[
            "passing",
            "in_progress",
            "needs_human_input",
            "parked",
            "blocked",
            "ready",
            "total",
            "percentage",
        ],
        again: same,
    },
    Row {
        tool: "feature_get_summary",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"feature_id": BLOCKED}),
        answer: &SUMMARY,
        again: same,
    },
    Row {
        tool: "feature_mark_failing",
        writes: true,
        before: Before::Passing,
        arguments: with_reason,
        answer: &["success", "feature_id", "name", "changed", "status", "next"],
        again: unchanged,
    },
    Row {
        tool: "feature_mark_in_progress",
        writes: true,
        before: Before::Nothing,
        arguments: no_check,
        answer: PROGRESS,
        again: unchanged,
    },
    Row {
        tool: "feature_mark_passing",
        writes: true,
        before: Before::Claimed,
        arguments: no_check,
        answer: &[
            "success",
            "feature_id",
            "name",
            "changed",
            "state",
            "proof",
            "newly_ready",
            "stats",
            "hint",
            "next",
        ],
        again: unchanged,
    },
    Row {
        tool: "feature_remove_dependency",
        writes: true,
        before: Before::Nothing,
        arguments: || json!({"feature_id": BLOCKED, "dependency_id": ONE_CHECK}),
        answer: &["success", "feature_id", "dependencies", "changed"],
        again: unchanged,
    },
    Row {
        tool: "feature_request_human_input",
        writes: true,
        before: Before::Claimed,
        arguments: question,
        answer: &["success", "feature_id", "status", "changed", "answered", "next"],
        again: unchanged,
    },
    Row {
        tool: "feature_search",
        writes: false,
        before: Before::Nothing,
        arguments: || json!({"query": "check", "status": "pending", "limit": 2, "offset": 0}),
        answer: &["features", "count", "total", "has_more", "next_offset"],
        again: same,
    },
    Row {
        tool: "feature_set_checks",
        writes: true,
        before: Before::Nothing,
        arguments: || json!({"feature_id": NO_CHECK, "checks": [{"command": "test -f new", "timeout_s": 5}]}),
        answer: &["success", "feature_id", "checks", "changed"],
        again: unchanged,
    },
    Row {
        tool: "feature_set_dependencies",
        writes: true,
        before: Before::Nothing,
        arguments: || json!({"feature_id": NO_CHECK, "dependency_ids": [ONE_CHECK, BLOCKED]}),
        answer: &["success", "feature_id", "dependencies", "changed"],
        again: unchanged,
    },
    Row {
        tool: "feature_skip",
        writes: true,
        before: Before::Claimed,
        arguments: with_reason,
        answer: &["id", "name", "old_priority", "new_priority", "given_back", "next"],
        again: no_further,
    },
];
