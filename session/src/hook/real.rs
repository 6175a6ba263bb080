//! Where a path leads: symbolic links followed, also where its end does not exist yet.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// How many links one path may lead through, as the kernel counts.
const MAX_LINKS: usize = 40;

/// Returns where an absolute path leads. A path that leads through too many links leads to the root, where nothing may
/// be written.
pub(super) fn path(path: &Path) -> PathBuf {
    let mut left: Vec<OsString> = parts(path);
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let Ok(target) = std::fs::read_link(&next) else {
            real = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return PathBuf::from("/");
        }
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        left.extend(parts(&target));
    }
    real
}

/// Returns the parts of a path, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().rev().filter_map(part).collect()
}
