//! Databases as the versions of the original made them, from the SQL that they ran.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::fixture::raw;

/// The first version with a database.
pub(crate) const FIRST: &str = "
CREATE TABLE features (
    id INTEGER NOT NULL, priority INTEGER NOT NULL, category VARCHAR(100) NOT NULL, name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL, steps JSON NOT NULL, passes BOOLEAN, PRIMARY KEY (id));
CREATE INDEX ix_features_id ON features (id);
CREATE INDEX ix_features_priority ON features (priority);
INSERT INTO features VALUES (1, 1, 'auth', 'Sign in', 'With a password.', '[\"open\", \"type\"]', 1);
INSERT INTO features VALUES (2, 2, 'auth', 'Sign out', 'And be gone.', '[]', NULL);
";

/// With a flag for who works on it, added to a table that was there: no value for the old rows.
pub(crate) const WITH_PROGRESS: &str = "
CREATE TABLE features (
    id INTEGER NOT NULL, priority INTEGER NOT NULL, category VARCHAR(100) NOT NULL, name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL, steps JSON NOT NULL, passes BOOLEAN, PRIMARY KEY (id));
INSERT INTO features VALUES (1, 1, 'auth', 'Sign in', 'With a password.', '[\"open\", \"type\"]', 1);
ALTER TABLE features ADD COLUMN in_progress BOOLEAN DEFAULT 0;
INSERT INTO features VALUES (2, 2, 'auth', 'Sign out', 'And be gone.', '[]', 0, 1);
UPDATE features SET in_progress = NULL WHERE id = 1;
";

/// With dependencies, NULL for none.
pub(crate) const WITH_DEPENDENCIES: &str = "
CREATE TABLE features (
    id INTEGER NOT NULL, priority INTEGER NOT NULL, category VARCHAR(100) NOT NULL, name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL, steps JSON NOT NULL, passes BOOLEAN, in_progress BOOLEAN, PRIMARY KEY (id));
ALTER TABLE features ADD COLUMN dependencies TEXT DEFAULT NULL;
INSERT INTO features VALUES (1, 1, 'auth', 'Sign in', 'With a password.', '[\"open\", \"type\"]', 1, 0, NULL);
INSERT INTO features VALUES (2, 2, 'auth', 'Sign out', 'And be gone.', '[]', 0, 0, '[1]');
";

/// With testing columns that later versions took away again.
pub(crate) const WITH_TESTING: &str = "
CREATE TABLE features (
    id INTEGER NOT NULL, priority INTEGER NOT NULL, category VARCHAR(100) NOT NULL, name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL, steps JSON NOT NULL, passes BOOLEAN NOT NULL, in_progress BOOLEAN NOT NULL,
    dependencies JSON, testing_in_progress BOOLEAN NOT NULL, last_tested_at DATETIME, PRIMARY KEY (id));
CREATE INDEX ix_features_testing_in_progress ON features (testing_in_progress);
INSERT INTO features VALUES (1, 1, 'auth', 'Sign in', 'With a password.', '[\"open\", \"type\"]', 1, 0, 'null', 0,
    '2026-01-05 10:11:12.123456');
INSERT INTO features VALUES (2, 2, 'auth', 'Sign out', 'And be gone.', '[]', 0, 0, '[1]', 0, NULL);
";

/// The last version: questions to people, and schedules.
pub(crate) const LAST: &str = "
CREATE TABLE features (
    id INTEGER NOT NULL, priority INTEGER NOT NULL, category VARCHAR(100) NOT NULL, name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL, steps JSON NOT NULL, passes BOOLEAN NOT NULL, in_progress BOOLEAN NOT NULL,
    dependencies JSON, needs_human_input BOOLEAN NOT NULL DEFAULT 0, human_input_request JSON,
    human_input_response JSON, PRIMARY KEY (id));
CREATE INDEX ix_feature_status ON features (passes, in_progress, needs_human_input);
CREATE TABLE schedules (
    id INTEGER NOT NULL, project_name VARCHAR(50) NOT NULL, start_time VARCHAR(5) NOT NULL,
    duration_minutes INTEGER NOT NULL, days_of_week INTEGER NOT NULL, enabled BOOLEAN NOT NULL,
    yolo_mode BOOLEAN NOT NULL, model VARCHAR(50), max_concurrency INTEGER NOT NULL, crash_count INTEGER NOT NULL,
    created_at DATETIME NOT NULL, PRIMARY KEY (id),
    CONSTRAINT ck_schedule_duration CHECK (duration_minutes >= 1 AND duration_minutes <= 1440));
CREATE TABLE schedule_overrides (
    id INTEGER NOT NULL, schedule_id INTEGER NOT NULL, override_type VARCHAR(10) NOT NULL,
    expires_at DATETIME NOT NULL, PRIMARY KEY (id),
    FOREIGN KEY(schedule_id) REFERENCES schedules (id) ON DELETE CASCADE);
INSERT INTO features (id, priority, category, name, description, steps, passes, in_progress, dependencies)
    VALUES (1, 1, 'auth', 'Sign in', 'With a password.', '[\"open\", \"type\"]', 1, 0, '[]'),
           (2, 2, 'auth', 'Sign out', 'And be gone.', '[]', 0, 0, '[1]');
";

/// Makes a database of this SQL and leaves it as a program does that ended well.
pub(crate) fn make(path: &Path, sql: &str) {
    open(path, sql).close().unwrap();
}

/// Makes a database of this SQL and stays in it.
pub(crate) fn open(path: &Path, sql: &str) -> Connection {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = raw(path);
    connection.execute_batch(sql).unwrap();
    connection
}

/// A project of a size that people have: a few hundred bytes of prose each, in layers.
pub(crate) fn of_real_size(features: i64) -> String {
    let mut sql = format!("PRAGMA journal_mode = WAL; BEGIN; {LAST} DELETE FROM features;");
    for id in 1..=features {
        let dependencies: Vec<i64> = [id - 50, id - 51].into_iter().filter(|id| *id > 0).collect();
        let prose = format!("Feature number {id} does what it says. ").repeat(8);
        sql.push_str(&format!(
            "INSERT INTO features (id, priority, category, name, description, steps, passes, in_progress, dependencies)
             VALUES ({id}, {id}, 'functional', 'Feature number {id}', '{prose}', '[\"one\", \"two\", \"three\"]', {},
             0, '{dependencies:?}');",
            u8::from(id % 3 == 0),
        ));
    }
    sql + "COMMIT;"
}
