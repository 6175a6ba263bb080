//! Templates in a turn: what a script cannot know before the agent has spoken. Pure.
//!
//! | in any text of a turn | becomes |
//! | --- | --- |
//! | `{{first:REGEX}}` | the first match in the opening prompt: its group 1, or all of it |
//! | `{{user:REGEX}}`, `{{system:REGEX}}`, `{{result:REGEX}}` | the last match in what the user said, in the instructions, in the latest results |
//! | `{{result}}` | the latest results |
//! | `{{tool:ENDING}}` | the full name of the tool whose name ends so |
//! | `{{cwd}}` | the directory that the agent says it works in |
//! | `{{session}}`, `{{model}}`, `{{now+SECONDS}}` | the session, the model, Unix time |
//!
//! A text that is one template and gives digits becomes a number.

use regex::{Captures, Regex};
use serde_json::Value;

use super::asked::Asked;
use super::script::Planned;

/// How agents say where they work.
const DIRECTORY: [&str; 5] = [
    r"Primary working directory: (\S+)",
    r"(?m)^\W*CWD: (\S+)",
    r"<cwd>(.+?)</cwd>",
    r"[Ww]orking directory: (\S+)",
    r"(?i)current working directory is:? `?(/[^\s`]+)",
];

/// What templates are filled from.
pub struct Facts<'a> {
    pub asked: &'a Asked,
    pub session: &'a str,
    /// Unix time in seconds.
    pub now: i64,
}

impl Facts<'_> {
    /// Returns the turn with every template filled in; one that makes no sense stays as it is.
    #[must_use]
    pub fn fill(&self, turn: &Planned) -> Planned {
        turn.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect()
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(object) => Value::Object(self.fill(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(&self, text: &str) -> Value {
        let Ok(template) = Regex::new(r"(?s)\{\{(.+?)\}\}") else { return text.into() };
        let filled = template.replace_all(text, |found: &Captures<'_>| {
            self.one(found[1].trim()).unwrap_or_else(|| found[0].to_owned())
        });
        let whole = template.find(text).is_some_and(|found| found.as_str() == text);
        match filled.parse::<u64>() {
            Ok(number) if whole => number.into(),
            _ => filled.into_owned().into(),
        }
    }

    fn one(&self, expression: &str) -> Option<String> {
        let asked = self.asked;
        let (name, pattern) = expression.split_once(':').unwrap_or((expression, ""));
        match name {
            "first" => matched(pattern, &asked.opening(), false),
            "user" => matched(pattern, &asked.users.join("\n"), true),
            "system" => matched(pattern, &asked.system, true),
            "result" if pattern.is_empty() => Some(asked.results.join("\n")),
            "result" => matched(pattern, &asked.results.join("\n"), true),
            "tool" => Some(asked.tool_named(&format!("*{pattern}")).unwrap_or_else(|| pattern.to_owned())),
            "cwd" => Some(self.directory()),
            "session" => Some(self.session.to_owned()),
            "model" => Some(asked.model.clone()),
            _ => {
                let shift = expression.strip_prefix("now")?;
                let shift: i64 = if shift.is_empty() { 0 } else { shift.parse().ok()? };
                Some((self.now + shift).to_string())
            }
        }
    }

    fn directory(&self) -> String {
        let all = format!("{}\n{}", self.asked.system, self.asked.users.join("\n"));
        let found = DIRECTORY.iter().find_map(|pattern| {
            let found = Regex::new(pattern).ok()?.captures(&all)?.get(1)?.as_str().to_owned();
            Some(found)
        });
        found.unwrap_or_else(|| ".".to_owned())
    }
}

/// Returns the first or the last match that is not empty; an empty text when nothing matches.
fn matched(pattern: &str, text: &str, last: bool) -> Option<String> {
    let pattern = Regex::new(pattern).ok()?;
    let mut found = pattern.captures_iter(text).filter(|found| !found[0].is_empty());
    let chosen = if last { found.last() } else { found.next() };
    Some(chosen.map_or_else(String::new, |found| {
        found.get(1).or(found.get(0)).map_or_else(String::new, |group| group.as_str().to_owned())
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::asked::Offered;
    use super::super::dialect::Dialect;
    use super::*;

    fn check(template: &str, filled: &Value) {
        let mut asked = Asked::new(Dialect::Gemini, "m", true);
        asked.system = "Primary working directory: /a/b\nx".into();
        asked.users = vec!["do feature #7".into(), "and feature #8".into()];
        asked.results = vec![r#"{"id": 9}"#.into()];
        asked.tools = vec![Offered::plain("mcp_cogwork_feature_skip")];
        let facts = Facts { asked: &asked, session: "s1", now: 1_000 };
        let turn = json!({"a": [{"b": template}]});
        let turn = facts.fill(turn.as_object().unwrap());
        assert_eq!(turn["a"][0]["b"], *filled, "{template}");
    }

    #[test]
    fn templates_are_filled_at_any_depth() {
        check(r"{{first:feature #?(\d+)}}", &json!(7));
        check(r"{{user:feature #?(\d+)}}", &json!(8));
        check(r"no {{first:feature #?(\d+)}}", &json!("no 7"));
        check("{{result}}", &json!(r#"{"id": 9}"#));
        check(r#"{{result:"id": (\d+)}}"#, &json!(9));
        check("{{tool:feature_skip}}", &json!("mcp_cogwork_feature_skip"));
        check("{{cwd}}/x", &json!("/a/b/x"));
        check("{{now+5}}", &json!(1_005));
        check("{{session}} {{model}}", &json!("s1 m"));
        check("{{first:nowhere}}", &json!(""));
        check("{{what is this}}", &json!("{{what is this}}"));
    }
}
