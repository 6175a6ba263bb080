//! What an agent asked, the same for every dialect.

use regex::Regex;
use serde_json::Value;

use super::dialect::Dialect;

/// A request in neutral form.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub dialect: Dialect,
    pub model: String,
    /// Whether the answer is to be a stream of events.
    pub stream: bool,
    /// Everything that instructs the model.
    pub system: String,
    /// What the user said, oldest first.
    pub users: Vec<String>,
    /// The results of the latest round of tool calls, as the model sees them.
    pub results: Vec<String>,
    pub tools: Vec<Offered>,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub name: String,
    /// The group that it is called in, where the dialect has groups.
    pub namespace: Option<String>,
    /// Takes one text instead of an object.
    pub free_form: bool,
}

impl Offered {
    /// A tool without a group that takes an object.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), namespace: None, free_form: false }
    }
}

impl Asked {
    /// A request that has asked nothing yet.
    #[must_use]
    pub fn new(dialect: Dialect, model: &str, stream: bool) -> Self {
        Self {
            dialect,
            model: model.to_owned(),
            stream,
            system: String::new(),
            users: Vec::new(),
            results: Vec::new(),
            tools: Vec::new(),
        }
    }

    /// Returns what the agent was told first: the prompt, and what the agent puts around it.
    #[must_use]
    pub fn opening(&self) -> String {
        // Agents put some messages of their own before the prompt; none puts as many as this.
        self.users.iter().take(8).cloned().collect::<Vec<_>>().join("\n")
    }

    /// Returns an offered tool by its name.
    #[must_use]
    pub fn offered(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Returns the full name of the tool that a script means: `*ENDING` is the first whose name ends so, because
    /// each agent puts something else before the name of a server's tool. All else is meant as it stands.
    #[must_use]
    pub fn tool_named(&self, wanted: &str) -> Option<String> {
        let Some(ending) = wanted.strip_prefix('*') else {
            return self.offered(wanted).map(|tool| tool.name.clone());
        };
        let offered = self.tools.iter().find(|tool| tool.name.ends_with(ending));
        offered.map(|tool| tool.name.clone()).or_else(|| self.deferred(ending))
    }

    /// Some agents name a tool in the prompt and load it on demand.
    fn deferred(&self, ending: &str) -> Option<String> {
        let pattern = Regex::new(&format!(r"\bmcp__\w*{}\b", regex::escape(ending))).ok()?;
        let all = format!("{}\n{}", self.system, self.users.join("\n"));
        pattern.find(&all).map(|found| found.as_str().to_owned())
    }
}

/// Returns the text in a field of content, which is a text, a part with a text, or a list of such parts.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        Value::Object(part) => {
            let inner = ["text", "output", "content"].into_iter().find_map(|key| part.get(key));
            inner.map_or_else(|| content.to_string(), text_of)
        }
        Value::Bool(_) | Value::Number(_) => content.to_string(),
    }
}

/// Returns the items of a list; none of anything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns a text; an empty one of anything else.
pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_is_found_by_its_ending_under_every_prefix() {
        let mut asked = Asked::new(Dialect::Anthropic, "m", true);
        asked.tools = vec![Offered::plain("Bash"), Offered::plain("mcp__cogwork__feature_get_by_id")];
        assert_eq!(asked.tool_named("*feature_get_by_id").unwrap(), "mcp__cogwork__feature_get_by_id");
        assert_eq!(asked.tool_named("Bash").unwrap(), "Bash");
        assert_eq!(asked.tool_named("feature_get_by_id"), None, "without the star it is the whole name");
        assert_eq!(asked.tool_named("*feature_skip"), None);
        asked.system = "deferred: mcp__cogwork__feature_skip, and others".into();
        assert_eq!(asked.tool_named("*feature_skip").unwrap(), "mcp__cogwork__feature_skip");
    }

    #[test]
    fn text_is_found_in_every_shape_of_content() {
        for (content, text) in [
            (json!("a"), "a"),
            (json!([{"type": "text", "text": "a"}, {"output": "b"}]), "a\nb"),
            (json!({"content": [{"text": "a"}]}), "a"),
            (json!({"x": 1}), r#"{"x":1}"#),
            (json!(null), ""),
        ] {
            assert_eq!(text_of(&content), text, "{content}");
        }
    }
}
