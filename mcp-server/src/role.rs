//! What each role is served: its tools, which of them a client should load at once, and how it is told to work.
//!
//! Clients offer no way to hide a tool from a model, so the server does. The list is fixed at the start and never
//! changes while it runs.

use cogwork_schemas::Role;

use crate::options::Assignment;

const ROLES: [Role; 6] =
    [Role::Initializer, Role::Coding, Role::Testing, Role::Chat, Role::Orchestrator, Role::All];

/// Reads a role from the word of the command line.
///
/// # Errors
/// A sentence with all words there are.
pub(crate) fn parse(word: &str) -> Result<Role, String> {
    ROLES.into_iter().find(|role| role.word() == word).ok_or_else(|| {
        let words: Vec<&str> = ROLES.iter().map(|role| role.word()).collect();
        format!("the role must be one of {}", words.join(", "))
    })
}

/// Returns the tools of a role, or `None` when it has all there are.
pub(crate) fn tools(role: Role) -> Option<&'static [&'static str]> {
    match role {
        Role::Initializer => Some(&[
            "feature_add_dependency",
            "feature_create",
            "feature_create_bulk",
            "feature_explain",
            "feature_get_blocked",
            "feature_get_by_id",
            "feature_get_graph",
            "feature_get_ready",
            "feature_get_stats",
            "feature_search",
            "feature_set_checks",
            "feature_set_dependencies",
        ]),
        Role::Coding => Some(&[
            "feature_claim_and_get",
            "feature_clear_in_progress",
            "feature_explain",
            "feature_get_blocked",
            "feature_get_by_id",
            "feature_get_graph",
            "feature_get_ready",
            "feature_get_stats",
            "feature_get_summary",
            "feature_mark_failing",
            "feature_mark_in_progress",
            "feature_mark_passing",
            "feature_request_human_input",
            "feature_skip",
        ]),
        Role::Testing => Some(&[
            "feature_explain",
            "feature_get_blocked",
            "feature_get_by_id",
            "feature_get_graph",
            "feature_get_ready",
            "feature_get_stats",
            "feature_get_summary",
            "feature_mark_failing",
            "feature_mark_passing",
        ]),
        Role::Chat => Some(&[
            "ask_user",
            "feature_create",
            "feature_create_bulk",
            "feature_explain",
            "feature_get_blocked",
            "feature_get_by_id",
            "feature_get_graph",
            "feature_get_ready",
            "feature_get_stats",
            "feature_get_summary",
            "feature_search",
        ]),
        Role::Orchestrator | Role::All => None,
    }
}

/// Returns whether a role has a tool.
pub(crate) fn has(role: Role, tool: &str) -> bool {
    tools(role).is_none_or(|names| names.contains(&tool))
}

/// Returns whether somebody sits in front of a session of this role and can be asked. In the others agents work alone,
/// and a question that waits for its answer would hold them up for ever.
pub(crate) fn is_interactive(role: Role) -> bool {
    match role {
        Role::Chat | Role::Orchestrator | Role::All => true,
        Role::Initializer | Role::Coding | Role::Testing => false,
    }
}

/// Returns whether a client that loads tools on demand should have this one from the start: the few a session
/// always needs, so that none begins with a search.
pub(crate) fn always_loaded(role: Role, tool: &str) -> bool {
    match role {
        Role::Coding => {
            matches!(tool, "feature_claim_and_get" | "feature_get_by_id" | "feature_mark_passing")
        }
        Role::Testing => {
            matches!(tool, "feature_get_by_id" | "feature_mark_failing" | "feature_mark_passing")
        }
        Role::All | Role::Orchestrator => {
            matches!(tool, "feature_get_ready" | "feature_claim_and_get" | "feature_mark_passing")
        }
        Role::Initializer => {
            matches!(tool, "feature_get_stats" | "feature_create_bulk" | "feature_set_dependencies")
        }
        Role::Chat => matches!(tool, "feature_get_stats" | "feature_get_ready" | "feature_create"),
    }
}

/// Returns the server's instructions: what it is first, because some clients show no more than that.
pub(crate) fn instructions(role: Role, assignment: &Assignment) -> String {
    let loop_ = match role {
        Role::Initializer => return format!("{WHAT}\n{PLAN}\n{LIMITS}"),
        Role::Chat => return format!("{WHAT} {LIMITS}"),
        Role::Testing => TEST,
        Role::Coding | Role::Orchestrator | Role::All => BUILD,
    };
    let whose = match assignment {
        Assignment::Given(features) if features.is_empty() => {
            "No feature is assigned to you: you can only read."
        }
        Assignment::Given(_) => "Change only the features assigned to you; others belong to other sessions.",
        Assignment::Own { .. } => {
            "You hold a feature from your claim until it passes or this server ends; work on one at a time."
        }
    };
    format!("{WHAT}\n{loop_}\n{whose} {LIMITS}")
}

const WHAT: &str = "Cogwork's feature database: what is to be built in this project, in which order, and the judge of \
                    whether it works.";

const BUILD: &str = "\
Your loop:
1. feature_claim_and_get: your feature with its description, steps and checks. Without an id it takes the best one.
2. Build it in the current directory and commit. Run its checks yourself until they are green.
3. feature_mark_passing: the server runs the checks. Red ones come back with their output: fix the work, call again.
Checks decide, not words: never change or weaken what a check runs to make it green.
Stuck? Ask a person with feature_request_human_input; give it back with feature_clear_in_progress and a note for the \
next attempt, or with feature_skip if others should come first.";

const PLAN: &str = "\
Your work is the plan: feature_create_bulk adds features with checks (commands that decide whether one passes) and \
dependencies, in as many calls as you like; give each a key and name others by it. Depend on what is really needed: \
everything else is built at the same time.";

const TEST: &str = "\
Your loop, for each feature assigned to you:
1. feature_get_by_id: its description, steps and checks.
2. Try it as a person would. If it is broken, call feature_mark_failing with what you saw, repair it and commit.
3. feature_mark_passing: the server runs the checks. Red ones come back with their output: fix the work, call again.";

const LIMITS: &str = "feature_explain says why a feature is not running. Answers are at most 10,000 characters and say how \
                      to get the rest; lists take limit and offset.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_as_it_is_written() {
        for role in ROLES {
            assert_eq!(parse(role.word()), Ok(role));
        }
        assert!(parse("boss").unwrap_err().contains("initializer, coding, testing"));
    }

    #[test]
    fn instructions_are_short_and_begin_with_what_this_is() {
        for role in ROLES {
            for assignment in [Assignment::Given(Vec::new()), Assignment::Own { only: Vec::new() }] {
                let text = instructions(role, &assignment);
                assert!(text.starts_with("Cogwork's feature database"), "{text}");
                assert!(text.len() < 1_500, "{} has {} bytes", role.word(), text.len());
            }
        }
    }
}
