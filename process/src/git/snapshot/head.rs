//! Where the HEAD of a nested repository is, by its own word: read as text, with no git, and nothing is believed.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::FileType;

use super::beneath::{Beneath, join, split};
use crate::git::name;

/// Bytes of a file with one name in it.
const SHORT: u64 = 4096;

/// Bytes of the packed refs that are looked through.
const LONG: u64 = 16 << 20;

/// Returns the commit that the repository in `dir` says it is at; `None` when it says nothing that can be read, or leads
/// out of the workspace.
pub(super) fn read_nested_head(root: &Beneath, workspace: &Path, dir: &[u8]) -> Option<String> {
    let git = git_dir(root, workspace, dir)?;
    let head = line(root, &join(&git, b"HEAD"))?;
    let Some(branch) = head.strip_prefix("ref:").map(str::trim) else {
        return object(&head);
    };
    name::check_ref(branch).ok()?;
    let common = line(root, &join(&git, b"commondir")).and_then(|common| within(workspace, &git, &common));
    let places = [Some(git), common];
    places.into_iter().flatten().find_map(|place| {
        let loose = line(root, &join(&place, branch.as_bytes())).and_then(|said| object(&said));
        loose.or_else(|| packed(&root.read_regular_file(&join(&place, b"packed-refs"), LONG)?, branch))
    })
}

/// Returns the git directory of the repository in `dir`, which a file may name.
pub(super) fn git_dir(root: &Beneath, workspace: &Path, dir: &[u8]) -> Option<Vec<u8>> {
    let git = join(dir, b".git");
    if root.kind(&git)? == FileType::Directory {
        return Some(git);
    }
    let said = line(root, &git)?;
    within(workspace, dir, said.strip_prefix("gitdir:")?.trim())
}

/// Returns the path below the workspace that `said` means in `dir`; `None` when it lies elsewhere.
fn within(workspace: &Path, dir: &[u8], said: &str) -> Option<Vec<u8>> {
    let (mut here, said) = if said.starts_with('/') {
        let workspaces = [Some(workspace.to_owned()), workspace.canonicalize().ok()];
        let below =
            |top: &Path| Some(Path::new(said).strip_prefix(top).ok()?.as_os_str().as_bytes().to_vec());
        (Vec::new(), workspaces.iter().flatten().find_map(|top| below(top))?)
    } else {
        (dir.to_vec(), said.as_bytes().to_vec())
    };
    for name in said.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if here.is_empty() => return None,
            b".." => here = split(&here).0.to_vec(),
            name => here = join(&here, name),
        }
    }
    Some(here)
}

fn line(root: &Beneath, path: &[u8]) -> Option<String> {
    let text = String::from_utf8(root.read_regular_file(path, SHORT)?).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

fn packed(refs: &[u8], branch: &str) -> Option<String> {
    let said = |line: &[u8]| {
        let line = str::from_utf8(line).ok()?;
        let (said, name) = line.split_once(' ')?;
        if name == branch { object(said) } else { None }
    };
    refs.split(|byte| *byte == b'\n').find_map(said)
}

fn object(said: &str) -> Option<String> {
    let is_object = matches!(said.len(), 40 | 64) && said.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_object.then(|| said.to_ascii_lowercase())
}
