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
    dedup_key TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    account   TEXT NOT NULL,
    authority TEXT NOT NULL CHECK (authority IN ('agent', 'approval', 'undo')),
    approved  INTEGER NOT NULL DEFAULT 0,
    state     TEXT NOT NULL CHECK (state IN ('claimed', 'proposed', 'done', 'undone', 'denied')),
    plan      TEXT NOT NULL,
    record    TEXT NOT NULL,
    outcome   TEXT,
    claimed   INTEGER NOT NULL,
    UNIQUE (dedup_key, attempt),
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
    record    TEXT NOT NULL,
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

-- `plans`: the ids of the plans that it is about, in order; a plan added since takes a new consent.
CREATE TABLE consents (
    target TEXT NOT NULL,
    person TEXT NOT NULL,
    plans  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (target, person)
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

-- `clean_s`: seconds for which an agent watched since the last finding. `ended`: no longer in shadow.
CREATE TABLE shadow_rules (
    rule      TEXT NOT NULL,
    candidate INTEGER NOT NULL,
    bundle    TEXT NOT NULL,
    title     TEXT NOT NULL,
    since     INTEGER NOT NULL,
    ended     INTEGER,
    findings  INTEGER NOT NULL DEFAULT 0,
    last      INTEGER,
    clean_s   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (rule, candidate)
) STRICT;

CREATE TABLE shadow_findings (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    rule      TEXT NOT NULL,
    candidate INTEGER NOT NULL,
    bundle    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    account   TEXT NOT NULL,
    principal TEXT,
    message   TEXT NOT NULL,
    finding   TEXT NOT NULL,
    count     INTEGER NOT NULL DEFAULT 1,
    last      INTEGER NOT NULL,
    UNIQUE (rule, candidate, subject, message)
) STRICT;
CREATE INDEX shadow_findings_by_rule ON shadow_findings (rule, candidate, last);

CREATE TABLE promotions (
    rule   TEXT PRIMARY KEY,
    by     TEXT NOT NULL,
    reason TEXT,
    at     INTEGER NOT NULL
) STRICT;

-- Rules that people put into shadow; `promotions` takes one out again, and the later word holds.
CREATE TABLE demotions (
    rule   TEXT PRIMARY KEY,
    by     TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
