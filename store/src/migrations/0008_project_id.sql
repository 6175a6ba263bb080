-- What tells this project from all others, wherever it is moved: its copies outside the project lie under this name.
CREATE TABLE project_with_id (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    created_at INTEGER NOT NULL,
    id         TEXT NOT NULL CHECK (length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*')
) STRICT;
INSERT INTO project_with_id SELECT one, created_at, lower(hex(randomblob(16))) FROM project;
DROP TABLE project;
ALTER TABLE project_with_id RENAME TO project;
