//! What would change in a file, as people read it.

use std::path::Path;

use similar::TextDiff;

/// Returns the unified diff of a file's text; nothing stands for no file.
pub(super) fn unified(file: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = |text: Option<&str>| match text {
        Some(_) => file.display().to_string(),
        None => "/dev/null".to_owned(),
    };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    diff.unified_diff().context_radius(3).header(&name(old), &name(new)).to_string()
}
