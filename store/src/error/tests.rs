use rusqlite::ffi;

use super::*;

/// Numbers the variants. One more of them has to be added here, and then needs a row below.
fn number(error: &StoreError) -> usize {
    match error {
        StoreError::NoProject { .. } => 0,
        StoreError::NoDirectory { .. } => 1,
        StoreError::NotAdopted { .. } => 2,
        StoreError::BadList { .. } => 3,
        StoreError::UnknownFeature { .. } => 4,
        StoreError::UnknownSession { .. } => 5,
        StoreError::SessionOver { .. } => 6,
        StoreError::NotClaimable { .. } => 7,
        StoreError::AlreadyClaimed { .. } => 8,
        StoreError::StaleToken { .. } => 9,
        StoreError::NotGreen { .. } => 10,
        StoreError::NotSubmitted { .. } => 11,
        StoreError::DependencyNotPassing { .. } => 12,
        StoreError::TooManyDependencies { .. } => 13,
        StoreError::DependsOnItself { .. } => 14,
        StoreError::WrongStatus { .. } => 15,
        StoreError::Begun { .. } => 16,
        StoreError::BadQuestion { .. } => 17,
        StoreError::BadAnswer { .. } => 18,
        StoreError::NotParked { .. } => 19,
        StoreError::Misuse { .. } => 20,
        StoreError::Cycle(_) => 21,
        StoreError::Busy { .. } => 22,
        StoreError::Newer { .. } => 23,
        StoreError::OldSqlite { .. } => 24,
        StoreError::NotOurs { .. } => 25,
        StoreError::Replaced { .. } => 26,
        StoreError::Corrupt { .. } => 27,
        StoreError::DiskFull { .. } => 28,
        StoreError::ReadOnly { .. } => 29,
        StoreError::JournalMode { .. } => 30,
        StoreError::Io { .. } => 31,
        StoreError::Database { .. } => 32,
        StoreError::NotWritable { .. } => 33,
        StoreError::DiskFailed { .. } => 34,
        StoreError::Unanswered { .. } => 35,
        StoreError::OwnerChanged { .. } => 36,
        StoreError::NoRandomness { .. } => 37,
        StoreError::UnknownRun { .. } => 38,
        StoreError::DatabaseMissing { .. } => 39,
        StoreError::NothingCommitted { .. } => 40,
    }
}

const VARIANTS: usize = 41;

fn sql(extended: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None)
}

fn examples() -> Vec<(ErrorClass, Vec<StoreError>)> {
    let path = || PathBuf::from("p");
    let (feature, attempt) = (FeatureId(1), AttemptId(1));
    let status = Status::Passing;
    let refused = vec![
        StoreError::BadList { problems: Vec::new() },
        StoreError::UnknownFeature { id: feature, highest: None },
        StoreError::UnknownSession { id: SessionId(1) },
        StoreError::UnknownRun { id: RunId(1) },
        StoreError::SessionOver { id: SessionId(1) },
        StoreError::NotClaimable { id: feature, hold: Hold::Passing },
        StoreError::AlreadyClaimed { id: feature, owner: SessionId(1), since: Timestamp::UNIX_EPOCH },
        StoreError::StaleToken { feature: None, attempt: None, ended: None },
        StoreError::OwnerChanged { attempt, session: SessionId(1), owner: None },
        StoreError::NotGreen { feature, red: Vec::new(), missing: Vec::new() },
        StoreError::NothingCommitted { feature },
        StoreError::NotSubmitted { feature, attempt },
        StoreError::DependencyNotPassing { feature, waiting_for: Vec::new() },
        StoreError::TooManyDependencies { feature, found: 2, limit: 1 },
        StoreError::DependsOnItself { feature },
        StoreError::WrongStatus { id: feature, action: "tested", status },
        StoreError::Begun { id: feature },
        StoreError::BadQuestion { problems: Vec::new() },
        StoreError::BadAnswer { id: feature, misfits: Vec::new() },
        StoreError::NotParked { id: feature, status },
        StoreError::Misuse { what: "so" },
        StoreError::Cycle(Cycle { path: vec![feature] }),
    ];
    let again = vec![
        StoreError::Busy { path: path(), holder: None, waited_s: 1 },
        StoreError::DiskFull { path: path() },
        StoreError::NotWritable { path: path() },
        StoreError::DiskFailed { path: path(), source: "x".into() },
        StoreError::Io { action: "open", path: path(), source: io::ErrorKind::Other.into() },
        StoreError::NotAdopted { path: path(), fault: AdoptionFault::InUse { holder: None } },
    ];
    let fatal = vec![
        StoreError::NoProject { path: path() },
        StoreError::NoDirectory { path: path() },
        StoreError::NotAdopted { path: path(), fault: AdoptionFault::Empty },
        StoreError::Newer { path: path(), found: 2, known: 1 },
        StoreError::OldSqlite { found: String::new() },
        StoreError::NotOurs { path: path() },
        StoreError::NoRandomness { source: io::ErrorKind::Other.into() },
        StoreError::Replaced { path: path() },
        StoreError::corrupt(&path(), "x"),
        StoreError::DatabaseMissing { path: path(), trace: path(), backup: None },
        StoreError::ReadOnly { path: path() },
        StoreError::JournalMode { path: path(), wanted: "wal", got: String::new() },
        StoreError::Database { path: path(), source: "x".into() },
    ];
    let unknown = vec![StoreError::Unanswered { path: path(), source: "x".into() }];
    vec![
        (ErrorClass::Refused, refused),
        (ErrorClass::Again, again),
        (ErrorClass::Unknown, unknown),
        (ErrorClass::Fatal, fatal),
    ]
}

#[test]
fn every_error_has_its_class() {
    let mut seen = std::collections::BTreeSet::new();
    for (class, errors) in examples() {
        for error in errors {
            assert_eq!(error.class(), class, "{error:?}");
            seen.insert(number(&error));
        }
    }
    assert_eq!(seen, (0..VARIANTS).collect());
}

/// What the database says, before the end of a change and at it.
#[test]
fn an_answer_is_lost_only_by_an_io_error_at_the_commit() {
    use ErrorClass::{Again, Fatal, Unknown};
    for (code, before, at_commit) in [
        (ffi::SQLITE_BUSY, Again, Again),
        (ffi::SQLITE_FULL, Again, Again),
        (ffi::SQLITE_READONLY, Again, Again),
        (ffi::SQLITE_IOERR_WRITE, Again, Unknown),
        (ffi::SQLITE_IOERR_FSYNC, Again, Unknown),
        (ffi::SQLITE_IOERR_SHMSIZE, Again, Again),
        (ffi::SQLITE_CORRUPT, Fatal, Fatal),
        (ffi::SQLITE_NOTADB, Fatal, Fatal),
        (ffi::SQLITE_CONSTRAINT, Fatal, Fatal),
    ] {
        let path = Path::new("p");
        assert_eq!(Fail::Sql(sql(code)).at(path).class(), before, "{code}");
        assert_eq!(Fail::Commit(sql(code)).at(path).class(), at_commit, "{code}");
    }
}
