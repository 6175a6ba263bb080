//! Where a link of a workspace leads, found without following it.

use std::collections::VecDeque;

use super::beneath::{Beneath, join, split};
use super::path;
use super::refusal::Why;

/// How many links one may lead through; the kernel's number.
const MOST_LINKS: usize = 40;

/// Returns why the link at `at`, which says `target`, cannot be handed in; `None` when it can be: it leads to a place in
/// the tree, whether anything is there or not.
pub(super) fn objection(root: &Beneath, at: &[u8], target: &[u8]) -> Option<Why> {
    if target.starts_with(b"/") {
        return Some(Why::AbsoluteLink { target: path(target) });
    }
    leads_out(root, at, target).then(|| Why::LinkOut { target: path(target) })
}

fn leads_out(root: &Beneath, at: &[u8], target: &[u8]) -> bool {
    let names = |path: &[u8]| path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<VecDeque<_>>();
    let mut here = split(at).0.to_vec();
    let mut ahead = names(target);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." if here.is_empty() => return true,
            b".." => here = split(&here).0.to_vec(),
            name if name.eq_ignore_ascii_case(b".git") => return true,
            name => here = join(&here, name),
        }
        if let Some(target) = root.link(&here) {
            links += 1;
            if target.starts_with(b"/") {
                return true;
            }
            if links > MOST_LINKS {
                // It leads nowhere.
                return false;
            }
            here = split(&here).0.to_vec();
            ahead = names(&target).into_iter().chain(ahead).collect();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_judged_by_where_it_leads() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
        symlink("../..", dir.path().join("a/b/up")).unwrap();
        symlink("/", dir.path().join("a/root")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let root = Beneath::new(dir.path()).unwrap();
        let leads_out = |at: &str, target: &str| leads_out(&root, at.as_bytes(), target.as_bytes());
        for target in ["a", "./a/b", "a/../b", "missing/x", "a/b/up/x", "loop", "a//b/", "."] {
            assert!(!leads_out("l", target), "{target}");
        }
        for target in ["..", "../x", "a/../../x", "a/b/up/../x", "a/root", ".git/config", "a/.GIT/x"] {
            assert!(leads_out("l", target), "{target}");
        }
        assert!(!leads_out("a/b/l", "../../x"));
        assert!(leads_out("a/b/l", "../../../x"));
        assert!(matches!(objection(&root, b"l", b"/x"), Some(Why::AbsoluteLink { .. })));
        assert!(matches!(objection(&root, b"l", b"../x"), Some(Why::LinkOut { .. })));
        assert_eq!(objection(&root, b"l", b"a"), None);
    }
}
