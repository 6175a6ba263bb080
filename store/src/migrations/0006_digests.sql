-- What is kept of a token's secret: its digest. NULL fits no token.
ALTER TABLE attempts ADD COLUMN digest TEXT CHECK (length(digest) = 64);
