-- Rules that people put into shadow; `promotions` takes one out again, and the later word holds.
CREATE TABLE demotions (
    rule   TEXT PRIMARY KEY,
    by     TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
