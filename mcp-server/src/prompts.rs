//! The prompts: what a person can have an agent do with one word.
//!
//! It owns their names, arguments and texts; the texts stand in `prompts/`, one file each. They teach the same loop
//! as the instructions of a role and are offered only to roles that can follow them. It reads a feature where a
//! prompt is about one, and changes nothing.

use cogwork_schemas::{FeatureId, Role};
use rmcp::ErrorData;
use rmcp::model::{
    GetPromptRequestParams, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage,
    Role as Speaker,
};
use serde_json::Value;

use crate::answer::{MAX_CHARS, cut};
use crate::resources;
use crate::server::Server;

/// The argument that names a feature; completed with the ids there are.
pub(crate) const FEATURE_ID: &str = "feature_id";

const SPEC_PATH: &str = "spec_path";

/// The longest path that a prompt repeats.
const PATH_CHARS: usize = 500;

/// One prompt.
struct Template {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Its only argument, what it is, and whether it must be given.
    argument: Option<(&'static str, &'static str, bool)>,
    text: &'static str,
    /// Who has the tools it speaks of.
    roles: &'static [Role],
    writes: bool,
}

const BUILDERS: &[Role] = &[Role::Coding, Role::Orchestrator, Role::All];
const TESTERS: &[Role] = &[Role::Testing, Role::Orchestrator, Role::All];
const PLANNERS: &[Role] = &[Role::Initializer, Role::Chat, Role::Orchestrator, Role::All];
const REPORTERS: &[Role] = &[Role::Initializer, Role::Chat, Role::Orchestrator, Role::All];

const A_FEATURE: (&str, &str, bool) = (FEATURE_ID, "The feature's id, such as 12.", true);

const TEMPLATES: [Template; 5] = [
    Template {
        name: "next_feature",
        title: "Build the next feature",
        description: "Claim the best feature that is ready, build it, and have its checks decide.",
        argument: None,
        text: include_str!("prompts/next_feature.md"),
        roles: BUILDERS,
        writes: true,
    },
    Template {
        name: "plan",
        title: "Plan the project",
        description: "Turn a specification into features with checks and dependencies.",
        argument: Some((
            SPEC_PATH,
            "The file with the specification; without it, what was said so far.",
            false,
        )),
        text: include_str!("prompts/plan.md"),
        roles: PLANNERS,
        writes: true,
    },
    Template {
        name: "status_report",
        title: "Report the status",
        description: "Say in a few lines how the project stands and what waits for a person.",
        argument: None,
        text: include_str!("prompts/status_report.md"),
        roles: REPORTERS,
        writes: false,
    },
    Template {
        name: "verify",
        title: "Verify a feature",
        description: "Find out whether a feature really works, beyond its checks.",
        argument: Some(A_FEATURE),
        text: include_str!("prompts/verify.md"),
        roles: TESTERS,
        writes: true,
    },
    Template {
        name: "work_on",
        title: "Build a feature",
        description: "Claim a feature, build it, commit it, and have its checks decide.",
        argument: Some(A_FEATURE),
        text: include_str!("prompts/work_on.md"),
        roles: BUILDERS,
        writes: true,
    },
];

impl Template {
    fn listed(&self) -> Prompt {
        let argument = self.argument.map(|(name, description, required)| {
            vec![PromptArgument::new(name).with_description(description).with_required(required)]
        });
        Prompt::new(self.name, Some(self.description), argument).with_title(self.title)
    }
}

/// Returns the prompts that a server has, by name.
pub(crate) fn all(role: Role, read_only: bool) -> Vec<Prompt> {
    offered(role, read_only).map(Template::listed).collect()
}

fn offered(role: Role, read_only: bool) -> impl Iterator<Item = &'static Template> {
    TEMPLATES.iter().filter(move |template| template.roles.contains(&role) && !(template.writes && read_only))
}

impl Server {
    /// Fills in one prompt.
    ///
    /// # Errors
    /// A protocol error with one sentence when there is no such prompt or feature, or an argument is missing.
    pub(crate) async fn prompt(&self, request: GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
        let (role, read_only) = (self.options().role, self.options().filter.read_only);
        let Some(template) = offered(role, read_only).find(|template| template.name == request.name) else {
            return Err(no_such_prompt(&request.name, role, read_only));
        };
        let given = request.arguments.unwrap_or_default();
        let text = match template.argument {
            Some((FEATURE_ID, ..)) => self.about_a_feature(template, &given).await?,
            Some((name, ..)) => template.text.replace("{{spec}}", &spec(&argument(&given, name))),
            None => template.text.to_owned(),
        };
        let message = PromptMessage::new_text(Speaker::User, text.trim_end());
        Ok(GetPromptResult::new(vec![message]).with_description(template.description))
    }

    async fn about_a_feature(&self, template: &Template, given: &JsonObject) -> Result<String, ErrorData> {
        let text = argument(given, FEATURE_ID);
        let id: FeatureId = text.trim().parse().map_err(|_| {
            let came = if text.is_empty() { "nothing".to_owned() } else { format!("`{}`", cut(&text, 60)) };
            let what = format!(
                "the prompt `{}` needs `{FEATURE_ID}`, a number such as 12; it came with {came}",
                template.name
            );
            ErrorData::invalid_params(what, None)
        })?;
        let named = template.text.replace("{{feature_id}}", &id.0.to_string());
        let room = MAX_CHARS.saturating_sub(named.chars().count());
        let read = self.database().run(move |store| resources::feature(store, id, room)).await;
        let feature = read.map_err(|error| error.in_protocol(ErrorData::invalid_params))?;
        // Last, because a feature's own text may hold anything.
        Ok(named.replacen("{{feature}}", &feature, 1))
    }
}

/// Returns an argument as text. The protocol says that they are strings, and some clients send the number.
fn argument(given: &JsonObject, name: &str) -> String {
    match given.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

fn spec(path: &str) -> String {
    match path.trim() {
        "" => "the specification, which is what was said so far,".to_owned(),
        path => format!("the specification in `{}`", cut(path, PATH_CHARS)),
    }
}

fn no_such_prompt(name: &str, role: Role, read_only: bool) -> ErrorData {
    let names: Vec<&str> = offered(role, read_only).map(|template| template.name).collect();
    let what = if TEMPLATES.iter().any(|template| template.name == name) {
        format!("is not available to role {} in this server", role.word())
    } else {
        "does not exist".to_owned()
    };
    ErrorData::invalid_params(
        format!("prompt `{}` {what}; available: {}", cut(name, 60), names.join(", ")),
        None,
    )
}

#[cfg(test)]
mod tests;
