//! One value as one line of JSON.

use serde::Serialize;

/// Returns a value of ours as JSON without line ends. Our types always have one: they hold no maps with keys that
/// are no text, and no floats that JSON cannot write; the empty object is there so that nothing has to panic.
pub(crate) fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
