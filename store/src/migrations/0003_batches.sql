-- Sessions that take one further feature after another.

-- How many features a session may be given, the first included.
ALTER TABLE sessions ADD COLUMN batch INTEGER NOT NULL DEFAULT 1 CHECK (batch >= 1);
-- It gets no further one, because its run is about to end.
ALTER TABLE sessions ADD COLUMN closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1));
-- How many sessions its run has at once; NULL where that does not matter.
ALTER TABLE sessions ADD COLUMN slots INTEGER CHECK (slots >= 1);
