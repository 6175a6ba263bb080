//! What of the user's configuration a snapshot obeys: what it says about content and ignored files, and who commits.

use std::path::Path;

use crate::git::call::records;
use crate::git::change::FALLBACK_IDENTITY;
use crate::git::{Git, GitError, lossy, name};

/// Returns the settings for a git directory of our own, as keys and values. Filters are the user's own, as git-lfs is;
/// those of the project alone count where the agent works in the project itself, whose clones never have them.
pub(super) async fn read_settings(
    project: &Git,
    common: &Path,
    is_project_itself: bool,
) -> Result<Vec<(String, String)>, GitError> {
    let args = ["config", "--list", "--show-scope", "-z"];
    let said = project.call("read the configuration", args).run().await?;
    // scope, `key\nvalue`, scope, …
    let fields: Vec<String> = records(&said.stdout).map(lossy).collect();
    let mut settings = Vec::new();
    for entry in fields.chunks_exact(2) {
        // Without a value a setting is true.
        let (key, value) = entry[1].split_once('\n').unwrap_or((&entry[1], "true"));
        let counts = entry[0] == "global" || (is_project_itself && entry[0] != "command");
        if (counts && is_about_content(key)) || matches!(key, "user.name" | "user.email") {
            settings.push((key.to_owned(), value.to_owned()));
        }
        if let Some((key, value)) = name::disarm(key, false).as_deref().and_then(|off| off.rsplit_once('=')) {
            settings.push((key.to_owned(), value.to_owned()));
        }
    }
    let has = |start: &str| settings.iter().any(|(key, _)| key.starts_with(start));
    if has("filter.lfs.")
        && !has("lfs.storage")
        && let Some(storage) = common.join("lfs").to_str()
    {
        // Next to the project's own, where they last; in a workspace they would go with it.
        settings.push(("lfs.storage".to_owned(), storage.to_owned()));
    }
    for identity in FALLBACK_IDENTITY.iter().filter_map(|identity| identity.split_once('=')) {
        if !settings.iter().any(|(key, _)| key == identity.0) {
            settings.push((identity.0.to_owned(), identity.1.to_owned()));
        }
    }
    Ok(settings)
}

/// Returns whether a setting says how a file becomes content, or which files are nobody's work.
fn is_about_content(key: &str) -> bool {
    key.starts_with("filter.")
        || key.starts_with("lfs.")
        || matches!(key, "core.autocrlf" | "core.eol" | "core.excludesfile")
}

/// Returns the filters that have a program.
pub(super) fn filters(settings: &[(String, String)]) -> impl Iterator<Item = &str> {
    settings.iter().filter_map(|(key, value)| {
        let (name, variable) = key.strip_prefix("filter.")?.rsplit_once('.')?;
        (matches!(variable, "clean" | "process") && !value.is_empty()).then_some(name)
    })
}
