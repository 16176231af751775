-- A proposal can be denied, and a person's word on an undo waits for a second one.

-- SQLite cannot widen a CHECK: the table is made again, and its rows' children wait for them.
PRAGMA defer_foreign_keys = ON;
CREATE TEMP TABLE kept AS SELECT * FROM plans;
DROP TABLE plans;
CREATE TABLE plans (
    id        TEXT PRIMARY KEY,
    incident  TEXT NOT NULL REFERENCES incidents (id),
    number    INTEGER NOT NULL,
    case_key  TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    account   TEXT NOT NULL,
    authority TEXT NOT NULL CHECK (authority IN ('agent', 'approval', 'undo')),
    approved  INTEGER NOT NULL DEFAULT 0,
    state     TEXT NOT NULL CHECK (state IN ('claimed', 'proposed', 'done', 'undone', 'denied')),
    plan      TEXT NOT NULL,
    notice    TEXT NOT NULL,
    outcome   TEXT,
    claimed   INTEGER NOT NULL,
    UNIQUE (case_key, attempt),
    UNIQUE (incident, number)
) STRICT;
CREATE INDEX plans_by_claimed ON plans (claimed);
INSERT INTO plans SELECT * FROM kept;
DROP TABLE kept;

-- `plans`: what the word is about, the plans' ids in order; more done since takes a new word.
CREATE TABLE consents (
    target TEXT NOT NULL,
    person TEXT NOT NULL,
    plans  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (target, person)
) STRICT;
