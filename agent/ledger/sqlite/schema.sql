-- Moments are microseconds since 1970 in UTC, but for `entries.at`: there the text is hashed.

CREATE TABLE incidents (
    id          TEXT PRIMARY KEY,
    correlation TEXT NOT NULL,
    account     TEXT NOT NULL,
    title       TEXT NOT NULL,
    opened      INTEGER NOT NULL,
    active      INTEGER NOT NULL
) STRICT;
CREATE INDEX incidents_by_correlation ON incidents (correlation, active);

-- `authority`: who let it be done: `agent`, `approval` or `undo`.
CREATE TABLE plans (
    id        TEXT PRIMARY KEY,
    incident  TEXT NOT NULL REFERENCES incidents (id),
    number    INTEGER NOT NULL,
    case_key  TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    account   TEXT NOT NULL,
    authority TEXT NOT NULL CHECK (authority IN ('agent', 'approval', 'undo')),
    approved  INTEGER NOT NULL DEFAULT 0,
    state     TEXT NOT NULL CHECK (state IN ('claimed', 'proposed', 'done', 'undone')),
    plan      TEXT NOT NULL,
    notice    TEXT NOT NULL,
    outcome   TEXT,
    claimed   INTEGER NOT NULL,
    UNIQUE (case_key, attempt),
    UNIQUE (incident, number)
) STRICT;
CREATE INDEX plans_by_claimed ON plans (claimed);

-- `counts` is 1 from the claim on, and 0 once it is recorded that a step did nothing.
CREATE TABLE steps (
    plan     TEXT NOT NULL REFERENCES plans (id),
    place    INTEGER NOT NULL,
    charge   TEXT NOT NULL CHECK (charge IN ('hard', 'soft', 'repair', 'free')),
    resource TEXT,
    counts   INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (plan, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_by_resource ON steps (resource) WHERE resource IS NOT NULL;

CREATE TABLE deliveries (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    incident  TEXT NOT NULL REFERENCES incidents (id),
    notice    TEXT NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER
) STRICT;
CREATE INDEX deliveries_by_incident ON deliveries (incident, number);
CREATE INDEX deliveries_waiting ON deliveries (incident, number) WHERE delivered IS NULL;

-- `shown`: the newest delivery that the thread's first message reflects.
CREATE TABLE threads (
    incident TEXT PRIMARY KEY REFERENCES incidents (id),
    channel  TEXT NOT NULL,
    ts       TEXT NOT NULL,
    shown    INTEGER NOT NULL
) STRICT;

CREATE TABLE baselines (
    arn     TEXT NOT NULL,
    account TEXT NOT NULL,
    desired TEXT NOT NULL,
    kept    INTEGER NOT NULL,
    PRIMARY KEY (arn, account)
) STRICT;

CREATE TABLE entries (
    number   INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE TRIGGER entries_are_not_edited BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
