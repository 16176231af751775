-- `clean_s`: seconds for which an agent watched since the last finding. `ended`: no longer in shadow.
CREATE TABLE shadow_rules (
    rule     TEXT NOT NULL,
    beside   INTEGER NOT NULL,
    bundle   TEXT NOT NULL,
    title    TEXT NOT NULL,
    since    INTEGER NOT NULL,
    ended    INTEGER,
    findings INTEGER NOT NULL DEFAULT 0,
    last     INTEGER,
    clean_s  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (rule, beside)
) STRICT;

CREATE TABLE shadow_findings (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    rule      TEXT NOT NULL,
    beside    INTEGER NOT NULL,
    bundle    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    account   TEXT NOT NULL,
    principal TEXT,
    message   TEXT NOT NULL,
    finding   TEXT NOT NULL,
    count     INTEGER NOT NULL DEFAULT 1,
    last      INTEGER NOT NULL,
    UNIQUE (rule, beside, subject, message)
) STRICT;
CREATE INDEX shadow_findings_by_rule ON shadow_findings (rule, beside, last);

CREATE TABLE promotions (
    rule   TEXT PRIMARY KEY,
    by     TEXT NOT NULL,
    reason TEXT,
    at     INTEGER NOT NULL
) STRICT;
