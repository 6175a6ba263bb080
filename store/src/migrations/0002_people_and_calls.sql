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
