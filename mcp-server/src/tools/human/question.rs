//! A question as a model asks it, and as the store takes it.

use cogwork_schemas::{FeatureId, HumanField, HumanFieldKind, HumanOption, HumanRequest};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Question {
    /// Your feature.
    pub(super) feature_id: FeatureId,
    /// The question, for somebody who has not followed the work.
    prompt: String,
    /// What to fill in, at least one.
    fields: Vec<FieldArg>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FieldArg {
    /// Names the field in the answer.
    id: String,
    /// What the person reads.
    label: String,
    /// Default `text`; `select` needs `options`.
    r#type: Option<HumanFieldKind>,
    /// Default true.
    required: Option<bool>,
    /// An example.
    placeholder: Option<String>,
    /// The choices of a `select`.
    options: Option<Vec<OptionArg>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OptionArg {
    /// What the answer holds.
    value: String,
    /// What the person reads. Default: the value.
    label: Option<String>,
}

impl From<Question> for HumanRequest {
    fn from(question: Question) -> Self {
        Self { prompt: question.prompt, fields: question.fields.into_iter().map(HumanField::from).collect() }
    }
}

impl From<FieldArg> for HumanField {
    fn from(field: FieldArg) -> Self {
        Self {
            id: field.id,
            label: field.label,
            kind: field.r#type.unwrap_or_default(),
            required: field.required.unwrap_or(true),
            placeholder: field.placeholder,
            options: field.options.unwrap_or_default().into_iter().map(HumanOption::from).collect(),
        }
    }
}

impl From<OptionArg> for HumanOption {
    fn from(option: OptionArg) -> Self {
        Self { label: option.label.unwrap_or_else(|| option.value.clone()), value: option.value }
    }
}
