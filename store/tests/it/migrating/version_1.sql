-- A database of version 1, as that version made it: its schema, and rows in every table. Never edited.

-- Times are INTEGER microseconds since the epoch, durations INTEGER milliseconds unless the name says otherwise.
-- What is never asked about by SQL is kept as JSON.

CREATE TABLE project (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    created_at INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT here and below: a number is never given twice, also after a deletion. People, prompts, branches
-- and the journal name these.
CREATE TABLE features (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    key             TEXT UNIQUE CHECK (key <> ''),
    priority        INTEGER NOT NULL,
    category        TEXT NOT NULL,
    name            TEXT NOT NULL CHECK (name <> ''),
    description     TEXT NOT NULL,
    steps           TEXT NOT NULL CHECK (json_type(steps) = 'array'),
    estimate_s      REAL CHECK (estimate_s >= 0),
    status          TEXT NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'claimed', 'passing', 'parked', 'needs_human')),
    proof           TEXT CHECK (proof IN ('red_green', 'already_green', 'unverified')),
    failed_attempts INTEGER NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),
    -- In a row.
    crashes         INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    parked_because  TEXT,
    -- The attempt that owns it.
    attempt_id      INTEGER REFERENCES attempts (id),
    CHECK ((status = 'claimed') = (attempt_id IS NOT NULL)),
    CHECK ((status = 'passing') = (proof IS NOT NULL)),
    CHECK ((status = 'parked') = (parked_because IS NOT NULL))
) STRICT;

CREATE TABLE dependencies (
    feature_id INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
    depends_on INTEGER NOT NULL REFERENCES features (id),
    PRIMARY KEY (feature_id, depends_on),
    CHECK (feature_id <> depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependents ON dependencies (depends_on);

CREATE TABLE checks (
    feature_id INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    command    TEXT NOT NULL CHECK (command <> ''),
    timeout_s  INTEGER NOT NULL CHECK (timeout_s > 0),
    PRIMARY KEY (feature_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    role            TEXT NOT NULL,
    agent           TEXT NOT NULL,
    isolation       TEXT NOT NULL CHECK (isolation IN ('workspace', 'shared')),
    started_at      INTEGER NOT NULL,
    -- Who runs it: all three or none.
    pid             INTEGER,
    process_started INTEGER,
    boot_id         TEXT,
    ended_at        INTEGER,
    outcome         TEXT CHECK (json_valid(outcome)),
    agent_ms        INTEGER,
    CHECK ((pid IS NULL) = (process_started IS NULL) AND (pid IS NULL) = (boot_id IS NULL)),
    CHECK ((ended_at IS NULL) = (outcome IS NULL) AND (ended_at IS NULL) = (agent_ms IS NULL))
) STRICT;
CREATE INDEX live_sessions ON sessions (id) WHERE ended_at IS NULL;

CREATE TABLE attempts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    feature_id       INTEGER NOT NULL REFERENCES features (id),
    session_id       INTEGER NOT NULL REFERENCES sessions (id),
    -- Counts the attempts at one feature, from 1.
    number           INTEGER NOT NULL CHECK (number > 0),
    -- The random part of the fencing token.
    secret           TEXT NOT NULL CHECK (length(secret) = 32),
    started_at       INTEGER NOT NULL,
    -- NULL once submitted: then it waits for integration and cannot expire.
    lease_until      INTEGER,
    -- What the checks were before the work; NULL until they were run, and for a feature without checks.
    before           TEXT CHECK (before IN ('red', 'already_green')),
    submitted_at     INTEGER,
    submitted_commit TEXT,
    submitted_proof  TEXT CHECK (submitted_proof IN ('red_green', 'already_green', 'unverified')),
    ended_at         INTEGER,
    outcome          TEXT CHECK (json_valid(outcome)),
    UNIQUE (feature_id, number),
    CHECK ((submitted_at IS NULL) = (submitted_proof IS NULL)),
    CHECK ((submitted_at IS NULL) <> (lease_until IS NULL)),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
-- One live attempt per feature, whatever the code above believes.
CREATE UNIQUE INDEX live_attempts ON attempts (feature_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_of_session ON attempts (session_id);

CREATE TABLE evidence (
    id            INTEGER PRIMARY KEY,
    attempt_id    INTEGER NOT NULL REFERENCES attempts (id),
    at            INTEGER NOT NULL,
    phase         TEXT NOT NULL CHECK (phase IN ('before', 'after', 'merged', 'verify')),
    commit_id     TEXT,
    command       TEXT NOT NULL,
    verdict       TEXT NOT NULL CHECK (json_valid(verdict)),
    duration_ms   INTEGER NOT NULL CHECK (duration_ms >= 0),
    output_tail   TEXT NOT NULL,
    output_digest TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_of_attempt ON evidence (attempt_id);

CREATE TABLE journal (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    feature_id INTEGER,
    session_id INTEGER,
    attempt_id INTEGER,
    fact       TEXT NOT NULL CHECK (json_type(fact, '$.kind') = 'text')
) STRICT;
CREATE TRIGGER journal_is_never_rewritten BEFORE UPDATE ON journal
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;

INSERT INTO project VALUES (1, 1700000000000000);
INSERT INTO sessions VALUES
    (1, 'coding', 'exec:agent', 'workspace', 1700000001000000, 77, 88, 'boot', 1700000002000000,
     '{"outcome":"completed"}', 900),
    (2, 'coding', 'scripted', 'shared', 1700000003000000, NULL, NULL, NULL, NULL, NULL, NULL);
-- A claimed feature and its attempt name each other.
BEGIN;
PRAGMA defer_foreign_keys = ON;
INSERT INTO features VALUES
    (1, 'base', 3, 'core', 'Base', 'The first one.', '["look","try"]', 60.5, 'passing', 'red_green', 0, 0, NULL, NULL),
    (2, NULL, 4, 'core', 'Second', '', '[]', NULL, 'claimed', NULL, 1, 2, NULL, 3),
    (3, 'given-up', 5, 'ui', 'Dritte ✓', 'd', '[]', NULL, 'parked', NULL, 3, 0, 'the check is red', NULL),
    (7, NULL, 9, 'ui', 'Last', 'd', '[]', 1.0, 'pending', NULL, 0, 0, NULL, NULL);
INSERT INTO dependencies VALUES (2, 1), (7, 1), (7, 3);
INSERT INTO checks VALUES (1, 0, 'make test', 600), (1, 1, 'sh t.sh', 5), (2, 0, 'make', 600);
INSERT INTO attempts VALUES
    (1, 1, 1, 1, '0123456789abcdef0123456789abcdef', 1700000001000000, NULL, 'red', 1700000001500000, 'c1',
     'red_green', 1700000002000000, '{"outcome":"landed"}'),
    (2, 2, 1, 1, '0123456789abcdef0123456789abcdee', 1700000001000000, 1700000009000000, 'red', NULL, NULL, NULL,
     1700000002000000, '{"outcome":"not_finished","reason":"red"}'),
    (3, 2, 2, 2, '0123456789abcdef0123456789abcded', 1700000003000000, 1700000009000000, NULL, NULL, NULL, NULL,
     NULL, NULL);
INSERT INTO evidence VALUES
    (1, 1, 1700000001100000, 'before', 'c0', 'make test', '{"verdict":"red","exit_code":2}', 12, 'no', 'aa'),
    (2, 1, 1700000001900000, 'merged', 'c2', 'make test', '{"verdict":"green"}', 13, 'yes', 'bb');
INSERT INTO journal VALUES
    (1, 1700000000000000, 1, NULL, NULL, '{"kind":"created","name":"Base"}'),
    (2, 1700000000000000, 2, NULL, NULL, '{"kind":"created","name":"Second"}'),
    (3, 1700000003000000, 2, 2, 3, '{"kind":"claimed","number":2}');
COMMIT;
PRAGMA application_id = 0x436f6777;
PRAGMA user_version = 1;
