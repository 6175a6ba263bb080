//! The bearer token: where it comes from, and whether a request shows it.
//!
//! It owns the project's token file. A token is made once and kept for the next start, so that what people wrote into
//! their clients' configuration stays true. Compared in constant time; never printed, logged or answered.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use cogwork_store::state_dir;
use ctutils::CtEq;

/// Fewer characters than these can be guessed by a program on this machine.
pub(crate) const SHORTEST: usize = 16;

const FILE: &str = "mcp-http.token";

/// A token that clients have to show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bearer(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BearerError {
    /// Where the file belongs is no project.
    #[error("there is no Cogwork project in {}: give its directory with --project-dir, or set COGWORK_HTTP_TOKEN", project.display())]
    NoProject { project: PathBuf },
    /// The file can be neither read nor made.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("this system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

impl Bearer {
    /// Takes the token of the environment; `None` for one that could be guessed or that no header can carry.
    pub(crate) fn given(text: &OsStr) -> Option<Self> {
        text.to_str().and_then(Self::usable)
    }

    /// Returns the project's token and the file it is in, which is made when it is missing or when others could have
    /// read or written it.
    ///
    /// # Errors
    /// When there is no project, or the file cannot be used.
    pub(crate) fn of_project(project: &Path) -> Result<(Self, PathBuf), BearerError> {
        let dir = state_dir(project);
        if !dir.is_dir() {
            return Err(BearerError::NoProject { project: project.to_owned() });
        }
        let path = dir.join(FILE);
        let failed = |source| BearerError::File { path: path.clone(), source };
        if let Some(kept) = Self::kept(&path).map_err(failed)? {
            return Ok((kept, path));
        }
        // Written whole under another name, then linked: a second server that starts now finds nothing or all of it.
        let fresh = dir.join(format!("{FILE}.{}", std::process::id()));
        let made = Self::random().map_err(BearerError::Random)?;
        let linked = written(&fresh, &made.0).and_then(|()| fs::hard_link(&fresh, &path));
        drop(fs::remove_file(&fresh));
        match linked {
            Ok(()) => Ok((made, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match Self::kept(&path) {
                Ok(Some(kept)) => Ok((kept, path)),
                Ok(None) => Err(failed(error)),
                Err(error) => Err(failed(error)),
            },
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads the file; one that is not ours alone is removed.
    fn kept(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let private = metadata.is_file() && metadata.mode() & 0o077 == 0;
        let kept = if private { Self::usable(fs::read_to_string(path)?.trim_end()) } else { None };
        if kept.is_none() {
            fs::remove_file(path)?;
        }
        Ok(kept)
    }

    fn usable(text: &str) -> Option<Self> {
        // The characters of RFC 6750.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        (text.len() >= SHORTEST && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Returns whether an `Authorization` header shows this token.
    pub(super) fn is_shown_by(&self, header: Option<&HeaderValue>) -> bool {
        let Some((scheme, shown)) = header.and_then(|value| value.to_str().ok()?.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(shown.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }
}

fn written(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
