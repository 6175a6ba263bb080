-- What an attempt leaves for the next one at its feature.

-- The last note counts; earlier ones are in the journal. It is gone once the feature passes.
CREATE TABLE notes (
    feature_id INTEGER PRIMARY KEY REFERENCES features (id) ON DELETE CASCADE,
    -- Who left it.
    attempt_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    text       TEXT NOT NULL CHECK (text <> '')
) STRICT;
