//! The secret of a session: made by whoever claims, kept by those who work for it, and known here as a digest alone.
//!
//! Whoever reads the database, a copy of it or a stored answer learns nothing that gives a right.

use std::fmt;
use std::io;

use cogwork_schemas::{AttemptId, Token};
use sha2::{Digest, Sha256};

use crate::StoreError;

/// Random bytes of a secret: nobody finds one by trying.
const BYTES: usize = 32;

/// Random bytes of a project's id: no two projects on earth get the same.
const ID_BYTES: usize = 16;

/// What the tokens of all attempts of one session are made with.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoRandomness`].
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self(random_hex::<BYTES>()?))
    }

    /// Takes one that is known: for simulators and tests, in which nothing is random.
    pub fn known(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the token of an attempt.
    pub fn token(&self, attempt: AttemptId) -> Token {
        Token::of(attempt, &self.0)
    }

    /// Returns what the database holds of it.
    pub(crate) fn digest(&self) -> String {
        digest(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Makes the id of a new project, which is no secret: 32 hexadecimal digits.
pub(crate) fn random_project_id() -> Result<String, StoreError> {
    random_hex::<ID_BYTES>()
}

fn random_hex<const N: usize>() -> Result<String, StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|source| StoreError::NoRandomness { source: io::Error::other(source) })?;
    Ok(hex(&bytes))
}

/// Returns the digest of the secret part of a token. Without salt and without rounds: 256 random bits need neither.
pub(crate) fn digest(secret: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(secret))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
