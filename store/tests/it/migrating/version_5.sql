-- A database of version 5: its schema as it was released, and rows in every table.

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
-- Questions to people, and calls that must not count twice.

-- The last question about a feature, and its answer.
ALTER TABLE features ADD COLUMN human_request TEXT CHECK (json_type(human_request) = 'object');
ALTER TABLE features ADD COLUMN human_response TEXT CHECK (json_type(human_response) = 'object');

-- A new feature is put behind all others, and finds the last of them here.
CREATE INDEX features_by_priority ON features (priority);

-- What calls that make something have answered, for a client that sends one again because it lost the answer.
CREATE TABLE calls (
    id     TEXT PRIMARY KEY CHECK (id <> ''),
    at     INTEGER NOT NULL,
    answer TEXT NOT NULL CHECK (json_valid(answer))
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_time ON calls (at);

-- The next one to work on a feature is told what was found not to work.
CREATE INDEX failing_reports ON journal (feature_id) WHERE fact ->> '$.kind' = 'reported_failing';
-- Sessions that take one further feature after another.

-- How many features a session may be given, the first included.
ALTER TABLE sessions ADD COLUMN batch INTEGER NOT NULL DEFAULT 1 CHECK (batch >= 1);
-- It gets no further one, because its run is about to end.
ALTER TABLE sessions ADD COLUMN closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1));
-- How many sessions its run has at once; NULL where that does not matter.
ALTER TABLE sessions ADD COLUMN slots INTEGER CHECK (slots >= 1);
-- All that scheduling asks of most features, so that the graph is read without their texts.
CREATE INDEX features_for_scheduling ON features (status, priority, estimate_s, failed_attempts, crashes);
-- What an attempt leaves for the next one at its feature.

-- The last note counts; earlier ones are in the journal. It is gone once the feature passes.
CREATE TABLE notes (
    feature_id INTEGER PRIMARY KEY REFERENCES features (id) ON DELETE CASCADE,
    -- Who left it.
    attempt_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    text       TEXT NOT NULL CHECK (text <> '')
) STRICT;

INSERT INTO project VALUES (1, 1700000000000000);
INSERT INTO sessions (id, role, agent, isolation, started_at, pid, process_started, boot_id, ended_at, outcome, agent_ms) VALUES
    (1, 'coding', 'exec:agent', 'workspace', 1700000001000000, 77, 88, 'boot', 1700000002000000,
     '{"outcome":"completed"}', 900),
    (2, 'coding', 'scripted', 'shared', 1700000003000000, NULL, NULL, NULL, NULL, NULL, NULL);
-- A claimed feature and its attempt name each other.
BEGIN;
PRAGMA defer_foreign_keys = ON;
INSERT INTO features (id, key, priority, category, name, description, steps, estimate_s, status, proof, failed_attempts,
     crashes, parked_because, attempt_id) VALUES
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
INSERT INTO sessions (id, role, agent, isolation, started_at, batch, closed, slots) VALUES
    (3, 'coding', 'scripted', 'workspace', 1700000004000000, 3, 1, 2);
INSERT INTO features (id, key, priority, category, name, description, steps, status, human_request) VALUES
    (8, 'asks', 10, 'ui', 'Asks', 'd', '[]', 'needs_human', '{"prompt":"Which?","fields":[{"id":"a","label":"A"}]}');
INSERT INTO calls VALUES ('call-1', 1700000000000000, '{"created":[8],"known":[],"items":[8]}');
INSERT INTO notes VALUES (2, 2, 1700000002000000, 'the parser is odd');
-- One output printed thrice, and one that only shares its digest.
INSERT INTO evidence VALUES
    (3, 2, 1700000001200000, 'before', 'c0', 'make', '{"verdict":"red","exit_code":2}', 12, 'no', 'aa'),
    (4, 2, 1700000001300000, 'after', NULL, 'make', '{"verdict":"timed_out"}', 9, 'no', 'aa'),
    (5, 2, 1700000001400000, 'after', 'c9', 'make', '{"verdict":"red","exit_code":1}', 9, 'no, really', 'aa');
-- Three runs: one that ended, one that was killed, and one that goes on.
INSERT INTO journal VALUES
    (4, 1700000005000000, NULL, NULL, NULL, '{"kind":"run_started","process":{"pid":7,"started":8,"boot_id":"boot"},"agent":"scripted","slots":2,"isolation":"workspace"}'),
    (5, 1700000006000000, 1, 1, 1, '{"kind":"checked","phase":"merged","commit":"c2","report":{"command":"make test","verdict":{"verdict":"green"},"duration_ms":13,"output_tail":"yes","output_digest":"bb"}}'),
    (6, 1700000006000000, 1, 1, 1, '{"kind":"integrated","commit":"c2","proof":"red_green","merge_ms":3,"check_ms":4}'),
    (7, 1700000007000000, NULL, NULL, NULL, '{"kind":"run_ended","result":{"outcome":"blocked","waiting":1,"parked":1,"needs_human":1}}'),
    (8, 1700000008000000, NULL, NULL, NULL, '{"kind":"run_started","process":{"pid":9,"started":8,"boot_id":"boot"},"agent":"exec:agent","slots":1,"isolation":"shared"}'),
    (9, 1700000009000000, 2, 2, 3, '{"kind":"reported_failing","reason":"it hangs","reopened":true}'),
    (10, 1700000010000000, NULL, NULL, NULL, '{"kind":"run_started","process":{"pid":10,"started":8,"boot_id":"boot"},"agent":"scripted","slots":2,"isolation":"workspace"}');
PRAGMA application_id = 0x436f6777;
PRAGMA user_version = 5;
