//! The feature list: what `cogwork import` reads.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Check;

/// A file of features. Order matters only as the last tie-breaker of scheduling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureList {
    pub features: Vec<ListedFeature>,
}

/// One feature as its author writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedFeature {
    /// A number other features of the same file may name as a dependency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// A name other features may give as a dependency; unique in the project. Importing a known key again changes
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default = "default_category")]
    pub category: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// A guess of the work in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<f64>,
}

fn default_category() -> String {
    "uncategorized".to_owned()
}

/// Another feature, named by number or by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyRef {
    /// The `id` of a feature of the same file; when no feature of the file has one, the id in the project.
    Id(i64),
    Key(String),
}

impl fmt::Display for DependencyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Key(key) => write!(f, "`{key}`"),
        }
    }
}

impl Serialize for DependencyRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => serializer.serialize_i64(*id),
            Self::Key(key) => serializer.serialize_str(key),
        }
    }
}

impl<'de> Deserialize<'de> for DependencyRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor)
    }
}

struct RefVisitor;

impl Visitor<'_> for RefVisitor {
    type Value = DependencyRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dependency: the id or the key of a feature")
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<DependencyRef, E> {
        Ok(DependencyRef::Id(id))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<DependencyRef, E> {
        i64::try_from(id).map(DependencyRef::Id).map_err(|_| E::custom(format!("the id {id} is too large")))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<DependencyRef, E> {
        Ok(DependencyRef::Key(key.to_owned()))
    }
}

impl JsonSchema for DependencyRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DependencyRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Another feature: its id or its key.",
            "type": ["integer", "string"]
        })
    }
}
