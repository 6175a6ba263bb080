-- Whether runs are to start no session until somebody asks to resume: a row when they are, with when and by whom.
CREATE TABLE pause (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL,
    asker TEXT NOT NULL CHECK (json_valid(asker))
) STRICT;
