//! What follows from an error, decided here and nowhere else.

use crate::error::{AdoptionFault, StoreError};

/// What a caller does about an error. Four answers for every error there is, whatever engine stands behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// A rule said no, or the world moved. Nothing was changed; the same call gets the same answer until something
    /// else happens. Never the end of a run.
    Refused,
    /// Nothing was changed, and the same call may succeed later: waited out, as long as the leases of those who wait
    /// allow.
    Again,
    /// The answer was lost: the change was made or not. The same call with the same call id finds out.
    Unknown,
    /// The database cannot be gone on with: the run ends with the error's sentence.
    Fatal,
}

impl StoreError {
    /// Returns what follows from this error.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::BadList { .. }
            | Self::UnknownFeature { .. }
            | Self::UnknownRun { .. }
            | Self::UnknownSession { .. }
            | Self::SessionOver { .. }
            | Self::NotClaimable { .. }
            | Self::AlreadyClaimed { .. }
            | Self::StaleToken { .. }
            | Self::OwnerChanged { .. }
            | Self::NotGreen { .. }
            | Self::NothingCommitted { .. }
            | Self::NotSubmitted { .. }
            | Self::DependencyNotPassing { .. }
            | Self::TooManyDependencies { .. }
            | Self::DependsOnItself { .. }
            | Self::WrongStatus { .. }
            | Self::Begun { .. }
            | Self::BadQuestion { .. }
            | Self::BadAnswer { .. }
            | Self::NotParked { .. }
            // A mistake of ours in one call is no reason to end what the others do.
            | Self::Misuse { .. }
            | Self::Cycle(_) => ErrorClass::Refused,

            // A full disk rolls the change back, also at its end. A disk that became read-only was writable when the
            // file was opened, and a failed one may be a network's: people mend both, and paid work waits for it.
            Self::Busy { .. }
            | Self::DiskFull { .. }
            | Self::NotWritable { .. }
            | Self::DiskFailed { .. }
            | Self::Io { .. } => ErrorClass::Again,

            Self::Unanswered { .. } => ErrorClass::Unknown,

            Self::NotAdopted { fault, .. } => match fault {
                AdoptionFault::InUse { .. } => ErrorClass::Again,
                AdoptionFault::Link
                | AdoptionFault::NoFile
                | AdoptionFault::Empty
                | AdoptionFault::Unreadable { .. }
                | AdoptionFault::Damaged { .. }
                | AdoptionFault::Foreign { .. } => ErrorClass::Fatal,
            },
            Self::NoProject { .. }
            | Self::NoDirectory { .. }
            | Self::Newer { .. }
            | Self::OldSqlite { .. }
            | Self::NoRandomness { .. }
            | Self::NotOurs { .. }
            | Self::Replaced { .. }
            | Self::Corrupt { .. }
            | Self::DatabaseMissing { .. }
            // It was opened for reading alone: this store never writes.
            | Self::ReadOnly { .. }
            | Self::JournalMode { .. }
            | Self::Database { .. } => ErrorClass::Fatal,
        }
    }
}
