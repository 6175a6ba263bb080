//! The specification: where it is looked for, and how much of it can be read.

use std::io;
use std::path::{Path, PathBuf};

use super::PlanError;

/// Where a specification lies that nobody named, in the root of the project.
const USUAL: [&str; 2] = ["app_spec.md", "app_spec.txt"];

/// Bytes of a specification: about 75,000 tokens, which leaves every model room to think.
const MOST: usize = 300_000;

/// What a project should become, in anybody's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What people call it: the name of its file.
    pub(super) name: String,
    pub(super) text: String,
}

impl Spec {
    /// Returns the file with the specification of a project, if one lies where it usually does.
    pub fn usual(project: &Path) -> Option<PathBuf> {
        USUAL.iter().map(|name| project.join(name)).find(|path| path.is_file())
    }

    /// Reads the specification from the file that was named, or from where it usually lies.
    ///
    /// # Errors
    /// When there is none, or it cannot be read, is empty or too long.
    pub fn find(project: &Path, named: Option<&Path>) -> Result<Self, PlanError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => Self::usual(project)
                .ok_or_else(|| PlanError::NoSpec { looked_for: USUAL.map(str::to_owned).to_vec() })?,
        };
        let text = std::fs::read_to_string(&path).map_err(|source| {
            let is_text = source.kind() != io::ErrorKind::InvalidData;
            let source = if is_text { source } else { io::Error::other("it is no UTF-8 text") };
            PlanError::UnreadableSpec { path: path.clone(), source }
        })?;
        let text = text.trim();
        if text.is_empty() {
            return Err(PlanError::EmptySpec { path });
        }
        if text.len() > MOST {
            return Err(PlanError::LongSpec { path, bytes: text.len(), most: MOST });
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, text: text.to_owned() })
    }

    /// Returns the name of its file.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_where_it_usually_lies_or_where_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let find = |named: Option<&Path>| Spec::find(dir.path(), named).map_err(|error| error.to_string());
        let none = find(None).unwrap_err();
        assert_eq!(
            none,
            "there is no specification: write what the program should do into app_spec.md or app_spec.txt, or name a file"
        );
        std::fs::write(dir.path().join("app_spec.txt"), " A list. \n").unwrap();
        assert_eq!(find(None), Ok(Spec { name: "app_spec.txt".into(), text: "A list.".into() }));
        let more = dir.path().join("more.md");
        assert!(find(Some(&more)).unwrap_err().ends_with("more.md cannot be read"));
        std::fs::write(&more, "\n").unwrap();
        assert!(find(Some(&more)).unwrap_err().ends_with("more.md is empty"));
        std::fs::write(&more, "x".repeat(MOST + 1)).unwrap();
        assert!(find(Some(&more)).unwrap_err().contains("300001 bytes, more than the 300000"));
        std::fs::write(&more, "More.").unwrap();
        assert_eq!(find(Some(&more)).unwrap().name(), "more.md");
    }
}
