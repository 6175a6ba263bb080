-- The commit that an attempt's work starts from, as its session knew it; NULL without git. Nothing else says what it is:
-- the history that an agent hands in may claim any.
ALTER TABLE attempts ADD COLUMN base_commit TEXT;
UPDATE attempts SET base_commit = (SELECT commit_id FROM evidence
                                    WHERE attempt_id = attempts.id AND phase = 'before' ORDER BY id LIMIT 1);
