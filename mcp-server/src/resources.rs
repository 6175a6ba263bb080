//! The resources: the project to look at, for people who mention one and for clients without tools.
//!
//! It owns their addresses and what each one shows: numbers, what is ready, the graph in lines, a feature as a page.
//! None is longer than an answer of a tool; what is cut says how to get the rest. It only reads.

mod feature;

use cogwork_schemas::{FeatureId, Hold};
use cogwork_store::Store;
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Value, json};

use crate::answer::{MAX_CHARS, cut, short};
use crate::error::ToolError;
use crate::server::Server;
use crate::tools::Stats;
pub(crate) use feature::feature;

const SCHEME: &str = "feature://";

/// The template of a feature's page.
pub(crate) const FEATURE: &str = "feature://{id}";

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";

/// Room for the line or the fields that say what is missing.
const REST_CHARS: usize = 400;

/// Returns the resources that are always there.
pub(crate) fn all() -> Vec<Resource> {
    let resource = |name: &str, title: &str, description: &str, mime: &str| {
        Resource::new(format!("{SCHEME}{name}"), name)
            .with_title(title)
            .with_description(description)
            .with_mime_type(mime)
    };
    vec![
        resource(
            "graph",
            "Dependency graph",
            "Every feature on a line: id, state, name, what it depends on.",
            PLAIN,
        ),
        resource("ready", "Ready features", "The features that can be started now, the best first.", JSON),
        resource(
            "stats",
            "Numbers",
            "How many features pass, are ready, in progress, blocked or waiting.",
            JSON,
        ),
    ]
}

/// Returns the pattern of the others.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new(FEATURE, "feature")
        .with_title("Feature")
        .with_description("One feature: status, description, steps, checks and dependencies.")
        .with_mime_type(MARKDOWN);
    vec![template]
}

/// What an address stands for.
enum Place {
    Stats,
    Ready,
    Graph,
    Feature(FeatureId),
}

impl Place {
    fn of(uri: &str) -> Option<Self> {
        match uri.strip_prefix(SCHEME)? {
            "stats" => Some(Self::Stats),
            "ready" => Some(Self::Ready),
            "graph" => Some(Self::Graph),
            id => id.parse().ok().map(Self::Feature),
        }
    }

    fn read(&self, store: &Store) -> Result<(String, &'static str), ToolError> {
        match self {
            Self::Stats => {
                let stats = Stats::of(&*store.graph()?);
                Ok((serde_json::to_string(&stats).map_err(|error| ToolError::internal(&error))?, JSON))
            }
            Self::Ready => Ok((ready(store)?.to_string(), JSON)),
            Self::Graph => Ok((graph(store)?, PLAIN)),
            Self::Feature(id) => Ok((feature(store, *id, MAX_CHARS)?, MARKDOWN)),
        }
    }
}

impl Server {
    /// Reads one resource.
    ///
    /// # Errors
    /// A protocol error with one sentence: there is no such resource, or the project cannot be read.
    pub(crate) async fn resource(&self, uri: String) -> Result<ReadResourceResult, ErrorData> {
        let about = Some(json!({"uri": uri}));
        let Some(place) = Place::of(&uri) else {
            let what = format!(
                "there is no resource `{}`; there are feature://stats, feature://ready, feature://graph and \
                 feature://ID for each feature",
                cut(&uri, 100)
            );
            return Err(ErrorData::resource_not_found(what, about));
        };
        let (text, mime) = self
            .database()
            .run(move |store| place.read(store))
            .await
            .map_err(|error| error.in_protocol(|what, _| ErrorData::resource_not_found(what, about)))?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(mime)]))
    }
}

/// Lists what can be started, as far as there is room.
fn ready(store: &Store) -> Result<Value, ToolError> {
    let graph = store.graph()?;
    let total_ready = graph.counts().ready;
    let (mut features, mut room) = (Vec::new(), MAX_CHARS - REST_CHARS);
    for id in graph.ready() {
        let feature = store.summary(id)?;
        let item = json!({"id": id, "name": short(&feature.name), "category": short(&feature.category),
                          "priority": feature.priority});
        let chars = item.to_string().chars().count() + 1;
        if chars > room {
            break;
        }
        room -= chars;
        features.push(item);
    }
    let shown = features.len();
    let mut list = json!({"features": features, "count": shown, "total_ready": total_ready});
    if shown < total_ready {
        list["hint"] =
            format!("Cut to 10,000 characters: feature_get_ready with offset {shown} reads on.").into();
    }
    Ok(list)
}

/// Writes the graph with one line for each feature, as far as there is room.
fn graph(store: &Store) -> Result<String, ToolError> {
    let graph = store.graph()?;
    let total = graph.counts().total();
    let mut text = format!("{total} features; `<-` is followed by what a feature depends on\n");
    let mut room = MAX_CHARS - REST_CHARS - text.chars().count();
    for (shown, node) in graph.iter().enumerate() {
        let needs: Vec<String> = node.dependencies.iter().map(ToString::to_string).collect();
        let arrow = if needs.is_empty() { String::new() } else { format!(" <- {}", needs.join(" ")) };
        let state = graph.hold(node.id).map_or("gone", |hold| state(&hold));
        let name = short(&crate::schema::one_line(&store.summary(node.id)?.name));
        let line = format!("{} {state} {name}{arrow}\n", node.id);
        let chars = line.chars().count();
        if chars > room {
            let rest = total - shown;
            text.push_str(&format!(
                "… and {rest} more: cut to 10,000 characters, feature_get_graph with offset {shown} reads on\n"
            ));
            break;
        }
        room -= chars;
        text.push_str(&line);
    }
    Ok(text)
}

fn state(hold: &Hold) -> &'static str {
    match hold {
        Hold::Ready => "ready",
        Hold::Running { .. } => "running",
        Hold::Landing { .. } => "landing",
        Hold::Passing => "passing",
        Hold::Blocked { .. } => "blocked",
        Hold::Parked { .. } => "parked",
        Hold::NeedsHuman { .. } => "needs_human",
    }
}
