//! Names that go to git: none may be taken for an option or for more than a name. Pure.

use super::GitError;

/// Lets through what git accepts as the name of a branch.
pub(super) fn check_branch(name: &str) -> Result<(), GitError> {
    check(is_ref_path(name) && name != "HEAD" && !name.starts_with('-'), name, "the name of a branch")
}

/// Lets through a full ref name, from `refs/` on.
pub(super) fn check_ref(name: &str) -> Result<(), GitError> {
    check(name.starts_with("refs/") && is_ref_path(name), name, "the name of a ref")
}

/// Lets through one revision: a commit, a branch, a ref, with `^` and `~` behind it; no range and no path.
pub(super) fn check_revision(name: &str) -> Result<(), GitError> {
    // Digits belong to a suffix only where a `^` or `~` stands before them: `refs/attempts/2` is a plain name.
    let base = name.find(['^', '~']).map_or(name, |at| &name[..at]);
    let suffix = &name[base.len()..];
    let is_suffix = suffix.chars().all(|c| matches!(c, '^' | '~') || c.is_ascii_digit());
    check(!name.starts_with('-') && is_suffix && is_ref_path(base), name, "a commit")
}

/// Lets through `source:destination`, both plain names, with an optional `+`.
pub(super) fn check_refspec(refspec: &str) -> Result<(), GitError> {
    let sides = refspec.strip_prefix('+').unwrap_or(refspec).split_once(':');
    let is_good = sides.is_some_and(|(source, destination)| {
        check_revision(source).is_ok() && check_ref(destination).is_ok()
    });
    check(is_good, refspec, "a refspec")
}

fn check(is_good: bool, name: &str, what: &'static str) -> Result<(), GitError> {
    if is_good { Ok(()) } else { Err(GitError::BadName { name: name.to_owned(), what }) }
}

/// The rules of `git check-ref-format`.
fn is_ref_path(name: &str) -> bool {
    let is_good_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let is_bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    name.split('/').all(is_good_part)
        && !name.contains(is_bad_char)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name != "@"
}

/// Returns the setting that switches off what `key` names, if that is a program which git would run by itself: a
/// hook always, what reads or merges files only where the repository's own configuration (`is_suspect`) names it.
pub(super) fn disarm(key: &str, is_suspect: bool) -> Option<String> {
    let (section, rest) = key.split_once('.')?;
    let (name, variable) = rest.rsplit_once('.')?;
    match (section, variable) {
        // Since git 2.54 configuration has hooks too, which `core.hooksPath` does not reach.
        ("hook", "command") => Some(format!("hook.{name}.enabled=false")),
        ("filter", "clean" | "smudge" | "process") if is_suspect => Some(format!("{key}=")),
        ("filter", "required") if is_suspect => Some(format!("{key}=false")),
        // An empty driver would succeed and keep our side; this one fails, which is a conflict.
        ("merge", "driver") if is_suspect => Some(format!("{key}=false")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_and_nothing_else() {
        for good in ["main", "cogwork/s12", "a.b", "v1.0"] {
            assert!(check_branch(good).is_ok(), "{good}");
        }
        for bad in [
            "", "-d", "--force", "HEAD", "a b", "a..b", "a/", "/a", "a.lock", "a:b", "a\n", ".a", "a@{1}",
            "@",
        ] {
            assert!(check_branch(bad).is_err(), "{bad}");
        }
        assert!(check_ref("refs/cogwork/attempts/7").is_ok());
        assert!(check_ref("cogwork/attempts/7").is_err());
    }

    #[test]
    fn revisions_are_single_commits() {
        for good in ["HEAD", "HEAD~1", "main^", "main^2", "0123abc", "7", "refs/heads/main", "cogwork/s4"] {
            assert!(check_revision(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "--all", "a..b", "a...b", "^a", "main:file", "a b", "~1", "^"] {
            assert!(check_revision(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refspecs_have_two_sides() {
        assert!(check_refspec("HEAD:refs/cogwork/attempts/7").is_ok());
        assert!(check_refspec("+refs/heads/a:refs/heads/b").is_ok());
        for bad in ["main", "main:", ":refs/heads/a", "--upload-pack=x:refs/a", "a:b", "refs/*:refs/*"] {
            assert!(check_refspec(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn programs_that_git_would_run_are_switched_off() {
        let suspect = |key| disarm(key, true);
        assert_eq!(suspect("filter.evil.clean").as_deref(), Some("filter.evil.clean="));
        assert_eq!(suspect("filter.a.b.required").as_deref(), Some("filter.a.b.required=false"));
        assert_eq!(suspect("merge.evil.driver").as_deref(), Some("merge.evil.driver=false"));
        assert_eq!(suspect("merge.conflictstyle"), None);
        assert_eq!(suspect("user.name"), None);
        assert_eq!(disarm("filter.lfs.clean", false), None);
        for is_suspect in [false, true] {
            assert_eq!(disarm("hook.a.b.command", is_suspect).as_deref(), Some("hook.a.b.enabled=false"));
        }
    }
}
