//! A question that an agent has for a person, and the answer.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an agent needs to know from a person before a feature can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HumanRequest {
    /// The question, for a person who has not followed the work.
    pub prompt: String,
    /// What to fill in; at least one.
    pub fields: Vec<HumanField>,
}

/// One thing to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HumanField {
    /// Names the field in the answer; unique in its request.
    pub id: String,
    pub label: String,
    #[serde(rename = "type", default)]
    pub kind: HumanFieldKind,
    #[serde(default = "required_unless_said")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// What a `select` offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<HumanOption>,
}

fn required_unless_said() -> bool {
    true
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HumanFieldKind {
    /// One line.
    #[default]
    Text,
    /// Several lines.
    Textarea,
    /// One of the options.
    Select,
    /// Yes or no.
    Boolean,
}

/// One choice of a `select`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HumanOption {
    pub value: String,
    pub label: String,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HumanResponse {
    /// By the id of the field; a field that is not required may be missing.
    pub fields: BTreeMap<String, Answer>,
    pub responded_at: Timestamp,
}

/// The answer to one field: a JSON string, or a JSON boolean for a field of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Text(String),
    Flag(bool),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl Visitor<'_> for AnswerVisitor {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer: a string or a boolean")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Answer, E> {
        Ok(Answer::Flag(flag))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Answer, E> {
        Ok(Answer::Text(text.to_owned()))
    }
}

impl JsonSchema for Answer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Answer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "The answer to one field.", "type": ["string", "boolean"] })
    }
}

impl HumanRequest {
    /// Returns everything that is wrong with the request, each as the path of a field and what it is; empty when a
    /// person can answer it.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut wrong = |path: String, what: &str| problems.push((path, what.to_owned()));
        if self.prompt.trim().is_empty() {
            wrong("prompt".to_owned(), "is empty: say what you need to know");
        }
        if self.fields.is_empty() {
            wrong("fields".to_owned(), "is empty: ask for at least one thing");
        }
        for (index, field) in self.fields.iter().enumerate() {
            let path = |name: &str| format!("fields[{index}].{name}");
            if field.id.trim().is_empty() {
                wrong(path("id"), "is empty");
            } else if self.fields[..index].iter().any(|earlier| earlier.id == field.id) {
                wrong(path("id"), &format!("`{}` is there twice", field.id));
            }
            if field.label.trim().is_empty() {
                wrong(path("label"), "is empty");
            }
            if field.kind == HumanFieldKind::Select && field.options.is_empty() {
                wrong(path("options"), "is empty, but a select needs at least one");
            }
            for (number, option) in field.options.iter().enumerate() {
                if option.value.is_empty() || option.label.is_empty() {
                    wrong(format!("fields[{index}].options[{number}]"), "needs a value and a label");
                } else if field.options[..number].iter().any(|earlier| earlier.value == option.value) {
                    let what = format!("has the value `{}`, which is there twice", option.value);
                    wrong(format!("fields[{index}].options[{number}]"), &what);
                }
            }
        }
        problems
    }

    /// Returns everything that is wrong with an answer to this request; empty when it fits.
    pub fn misfits(&self, answers: &BTreeMap<String, Answer>) -> Vec<String> {
        let mut misfits = Vec::new();
        for id in answers.keys().filter(|id| !self.fields.iter().any(|field| field.id == **id)) {
            let known: Vec<&str> = self.fields.iter().map(|field| field.id.as_str()).collect();
            misfits.push(format!("there is no field `{id}`: the fields are {}", known.join(", ")));
        }
        for field in &self.fields {
            match (field.kind, answers.get(&field.id)) {
                (_, None) if field.required => {
                    misfits.push(format!("the field `{}` ({}) has no answer", field.id, field.label));
                }
                (_, None) => {}
                (HumanFieldKind::Boolean, Some(Answer::Flag(_))) => {}
                (HumanFieldKind::Boolean, Some(Answer::Text(text))) => {
                    misfits.push(format!("the field `{}` takes true or false, not `{text}`", field.id));
                }
                (_, Some(Answer::Flag(flag))) => {
                    misfits.push(format!("the field `{}` takes a text, not {flag}", field.id));
                }
                (_, Some(Answer::Text(text))) if field.required && text.trim().is_empty() => {
                    misfits.push(format!("the answer to `{}` is empty", field.id));
                }
                (HumanFieldKind::Select, Some(Answer::Text(text)))
                    if !field.options.iter().any(|option| option.value == *text) =>
                {
                    let values: Vec<&str> =
                        field.options.iter().map(|option| option.value.as_str()).collect();
                    misfits.push(format!(
                        "the field `{}` takes one of {}, not `{text}`",
                        field.id,
                        values.join(", ")
                    ));
                }
                (
                    HumanFieldKind::Text | HumanFieldKind::Textarea | HumanFieldKind::Select,
                    Some(Answer::Text(_)),
                ) => {}
            }
        }
        misfits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> HumanRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_field_is_a_required_line_of_text_unless_it_says_otherwise() {
        let request = request(r#"{"prompt": "Which?", "fields": [{"id": "a", "label": "A"}]}"#);
        assert!(request.problems().is_empty());
        assert_eq!((request.fields[0].kind, request.fields[0].required), (HumanFieldKind::Text, true));
    }

    #[test]
    fn every_problem_of_a_request_is_told_with_its_place() {
        let bad = request(
            r#"{"prompt": " ", "fields": [
                {"id": "a", "label": "A", "type": "select"},
                {"id": "a", "label": ""},
                {"id": "", "label": "C", "type": "select",
                 "options": [{"value": "x", "label": "X"}, {"value": "x", "label": "X"}, {"value": "", "label": ""}]}]}"#,
        );
        let told: Vec<String> =
            bad.problems().into_iter().map(|(path, what)| format!("{path} {what}")).collect();
        assert_eq!(
            told,
            [
                "prompt is empty: say what you need to know",
                "fields[0].options is empty, but a select needs at least one",
                "fields[1].id `a` is there twice",
                "fields[1].label is empty",
                "fields[2].id is empty",
                "fields[2].options[1] has the value `x`, which is there twice",
                "fields[2].options[2] needs a value and a label",
            ]
        );
    }

    #[test]
    fn an_answer_has_to_fit_its_fields() {
        let request = request(
            r#"{"prompt": "?", "fields": [
                {"id": "colour", "label": "Colour", "type": "select",
                 "options": [{"value": "red", "label": "Red"}]},
                {"id": "sure", "label": "Sure?", "type": "boolean"},
                {"id": "why", "label": "Why", "required": false}]}"#,
        );
        let misfits = |json: &str| request.misfits(&serde_json::from_str(json).unwrap());
        assert!(misfits(r#"{"colour": "red", "sure": false}"#).is_empty());
        assert!(misfits(r#"{"colour": "red", "sure": true, "why": ""}"#).is_empty());
        assert_eq!(
            misfits(r#"{"colour": "blue", "sure": "yes", "why": true, "who": "me"}"#),
            [
                "there is no field `who`: the fields are colour, sure, why",
                "the field `colour` takes one of red, not `blue`",
                "the field `sure` takes true or false, not `yes`",
                "the field `why` takes a text, not true",
            ]
        );
        assert_eq!(misfits("{}").len(), 2);
    }
}
