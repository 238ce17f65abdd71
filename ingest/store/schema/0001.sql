-- One row a pack, only ever appended by a commit. `readings` is ingest/store/encoding.py.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    readings BLOB NOT NULL
) STRICT;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    node TEXT NOT NULL,
    quantity TEXT NOT NULL,
    channel TEXT NOT NULL,
    UNIQUE (node, quantity, channel)
) STRICT;

-- Clustered by series and time, so that a year of one room lies in neighbouring pages.
-- received_at = measured_at + delay_ms: two bytes instead of six.
CREATE TABLE reading (
    series INTEGER NOT NULL,
    measured_at INTEGER NOT NULL,
    value REAL NOT NULL,
    quality INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    time_source INTEGER NOT NULL,
    PRIMARY KEY (series, measured_at)
) STRICT, WITHOUT ROWID;

-- A node's log: what it has announced of it, and every pack number received, for ever.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    node TEXT NOT NULL,
    log TEXT NOT NULL,
    first_held INTEGER NOT NULL,
    next_announced INTEGER NOT NULL,
    UNIQUE (node, log)
) STRICT;

CREATE TABLE received_range (
    log INTEGER NOT NULL REFERENCES log (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (log, first)
) STRICT, WITHOUT ROWID;

-- Unique by content: a repeat counts up.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    node TEXT,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    log TEXT,
    seq INTEGER,
    received_at INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    length INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letter_by_node ON dead_letter (node, id);

-- Letters that a node's quota pushed out: no trace but this number.
CREATE TABLE dead_letter_overflow (
    node TEXT PRIMARY KEY,
    letters INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last presence of each node, as it said it.
CREATE TABLE presence (
    node TEXT PRIMARY KEY,
    received_at INTEGER NOT NULL,
    payload TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far a reader of the journal has come: 'fold', and one row a forwarder.
CREATE TABLE progress (
    name TEXT PRIMARY KEY,
    journal_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO progress VALUES ('fold', 0);
