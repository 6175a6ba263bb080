//! What of a workspace cannot be handed in, in sentences that say what to do.

use std::fmt;
use std::path::PathBuf;

/// Something in a workspace that cannot be handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it is, below the workspace.
    pub path: PathBuf,
    pub why: Why,
}

/// Why something cannot be handed in. Only links are in the snapshot's tree nevertheless, so that they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No file, directory or link, but this.
    Special { what: &'static str },
    /// A file that is longer than a snapshot takes, both in bytes. What the base has at its path stays in the tree.
    TooLarge { bytes: u64, limit: u64 },
    /// A file or directory that may not be read. What the base has at its path stays in the tree.
    Unreadable,
    /// A name that git does not take, because some system would take it for `.git`, or for a link with a meaning. What the
    /// base has at its path stays in the tree.
    BadName,
    /// A directory in more others than a snapshot looks into.
    TooDeep,
    /// Cogwork's own directory, which is no part of a project's history. The work is handed in without it.
    CogworksOwn,
    /// Files where a submodule of the base belongs that is not checked out.
    InSubmodule,
    /// A link to a place of this machine.
    AbsoluteLink { target: PathBuf },
    /// A link out of the tree, or into `.git`.
    LinkOut { target: PathBuf },
}

impl Why {
    /// Returns whether the snapshot's tree has it.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::AbsoluteLink { .. } | Self::LinkOut { .. })
    }

    /// Returns whether nothing can be handed in because of it.
    pub fn is_objection(&self) -> bool {
        !matches!(self, Self::CogworksOwn)
    }

    /// Returns whether something would be lost with it.
    pub fn has_content(&self) -> bool {
        !matches!(self, Self::Special { .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Special { what } => write!(f, "`{path}` is a {what}, which git cannot hold: remove it"),
            Why::TooLarge { bytes, limit } => write!(
                f,
                "`{path}` has {bytes} bytes, and {limit} is the limit: remove it, or add it to .gitignore"
            ),
            Why::Unreadable => write!(f, "`{path}` may not be read: chmod u+r it, or remove it"),
            Why::BadName => write!(f, "git does not take the name of `{path}`: rename or remove it"),
            Why::TooDeep => write!(f, "`{path}` lies in too many directories: move or remove it"),
            Why::CogworksOwn => {
                write!(f, "`{path}` is Cogwork's own and gets on no branch: move what is in it elsewhere")
            }
            Why::InSubmodule => write!(
                f,
                "`{path}` is a submodule that is not checked out, and has files: move them to another directory"
            ),
            Why::AbsoluteLink { target } => write!(
                f,
                "`{path}` is a link to {}, a place of this machine: make it relative, or remove it",
                target.display()
            ),
            Why::LinkOut { target } => write!(
                f,
                "`{path}` is a link to {}, which is not in the tree: let it lead to a file of the tree, or remove it",
                target.display()
            ),
        }
    }
}
