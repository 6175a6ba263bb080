-- Runs, landings and what sessions do; the output of checks once; entries with a version.

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT CHECK (json_valid(outcome)),
    -- What it was started with.
    settings    TEXT NOT NULL CHECK (json_type(settings) = 'object'),
    -- Where the main branch was; NULL without git.
    base_commit TEXT,
    -- Who runs it, and where a process of that number is to be looked for.
    process     TEXT NOT NULL CHECK (json_type(process) = 'object'),
    node        TEXT CHECK (json_type(node) = 'object'),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
-- The journal tells of earlier runs. One that was killed has no end there, and none here.
INSERT INTO runs (started_at, ended_at, outcome, settings, process)
SELECT at, iif(next_kind = 'run_ended', next_at, NULL), next_result,
       json_object('agent', fact ->> 'agent', 'slots', fact ->> 'slots', 'isolation', fact ->> 'isolation'),
       fact -> 'process'
  FROM (SELECT seq, at, fact, lead(fact ->> 'kind') OVER told AS next_kind, lead(at) OVER told AS next_at,
               lead(fact -> 'result') OVER told AS next_result
          FROM journal WHERE fact ->> 'kind' IN ('run_started', 'run_ended') WINDOW told AS (ORDER BY seq))
 WHERE fact ->> 'kind' = 'run_started' ORDER BY seq;

-- Why a slot of a run that goes on is free; gone when a session takes it.
CREATE TABLE idle_slots (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    slot   INTEGER NOT NULL CHECK (slot >= 1),
    since  INTEGER NOT NULL,
    hold   TEXT NOT NULL CHECK (json_type(hold) = 'object'),
    PRIMARY KEY (run_id, slot)
) STRICT, WITHOUT ROWID;

-- NULL: begun by no run, or by a program that did not say it.
ALTER TABLE sessions ADD COLUMN run_id INTEGER REFERENCES runs (id);
ALTER TABLE sessions ADD COLUMN slot INTEGER CHECK (slot >= 1);
ALTER TABLE sessions ADD COLUMN account TEXT;
-- Only there its process can be looked for.
ALTER TABLE sessions ADD COLUMN node TEXT CHECK (json_type(node) = 'object');
-- What it took so far, as its agent said it.
ALTER TABLE sessions ADD COLUMN usage TEXT CHECK (json_type(usage) = 'object');
ALTER TABLE sessions ADD COLUMN cost_usd REAL CHECK (cost_usd >= 0);
-- Until when it waits, and for what; NULL while it works.
ALTER TABLE sessions ADD COLUMN waits_until INTEGER;
ALTER TABLE sessions ADD COLUMN waits_for TEXT
    CHECK (json_type(waits_for) = 'object' AND (waits_for IS NULL) = (waits_until IS NULL));
-- What the journal told last of what it does, and when.
ALTER TABLE sessions ADD COLUMN activity TEXT CHECK (json_type(activity) = 'object');
ALTER TABLE sessions ADD COLUMN activity_at INTEGER;

-- What work that is green waits for, as the journal told it last.
ALTER TABLE attempts ADD COLUMN landing_wait TEXT CHECK (json_type(landing_wait) = 'object');

-- Every try at moving a branch. Features and attempts are named as in the journal, also those that were deleted.
CREATE TABLE landings (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id  INTEGER NOT NULL,
    feature_id  INTEGER NOT NULL,
    run_id      INTEGER REFERENCES runs (id),
    -- NULL where no branch was moved: in a shared directory, or without git.
    branch      TEXT,
    from_commit TEXT,
    to_commit   TEXT,
    started_at  INTEGER NOT NULL,
    -- NULL: begun, and whether the branch was moved has to be looked at.
    ended_at    INTEGER,
    outcome     TEXT CHECK (json_valid(outcome)),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE UNIQUE INDEX open_landings ON landings (attempt_id) WHERE ended_at IS NULL;
CREATE INDEX landings_of_run ON landings (run_id);
INSERT INTO landings (attempt_id, feature_id, to_commit, started_at, ended_at, outcome)
SELECT attempt_id, feature_id, fact ->> 'commit', at, at, '{"outcome":"landed"}'
  FROM journal WHERE fact ->> 'kind' = 'integrated' AND attempt_id IS NOT NULL AND feature_id IS NOT NULL ORDER BY seq;

-- The end of what checks printed, each once. The digest is of all that was printed, and finds it.
CREATE TABLE outputs (
    id     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    tail   TEXT NOT NULL
) STRICT;
CREATE INDEX outputs_by_digest ON outputs (digest);
INSERT INTO outputs (digest, tail)
SELECT output_digest, output_tail FROM evidence GROUP BY output_digest, output_tail ORDER BY min(id);
CREATE TABLE evidence_with_output (
    id          INTEGER PRIMARY KEY,
    attempt_id  INTEGER NOT NULL REFERENCES attempts (id),
    at          INTEGER NOT NULL,
    phase       TEXT NOT NULL CHECK (phase IN ('before', 'after', 'merged', 'verify')),
    commit_id   TEXT,
    command     TEXT NOT NULL,
    verdict     TEXT NOT NULL CHECK (json_valid(verdict)),
    duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
    output_id   INTEGER NOT NULL REFERENCES outputs (id)
) STRICT;
INSERT INTO evidence_with_output
SELECT e.id, e.attempt_id, e.at, e.phase, e.commit_id, e.command, e.verdict, e.duration_ms, o.id
  FROM evidence e JOIN outputs o ON o.digest = e.output_digest AND o.tail = e.output_tail;
DROP TABLE evidence;
ALTER TABLE evidence_with_output RENAME TO evidence;
CREATE INDEX evidence_of_attempt ON evidence (attempt_id);

-- The form of an entry: readers pass over what is later than they know.
ALTER TABLE journal ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);
ALTER TABLE journal ADD COLUMN run_id INTEGER;
-- Of a check that was run. Entries from before hold their text themselves: the journal is never rewritten.
ALTER TABLE journal ADD COLUMN output_id INTEGER REFERENCES outputs (id);

-- An index serves a question only when both name the key in the same way, and this one is every engine's.
DROP INDEX failing_reports;
CREATE INDEX failing_reports ON journal (feature_id) WHERE fact ->> 'kind' = 'reported_failing';
-- A start that is avoided again for the same reason is not told again.
CREATE INDEX avoided_starts ON journal (feature_id) WHERE fact ->> 'kind' = 'start_avoided';
