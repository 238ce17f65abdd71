-- Count, sum, minimum and maximum of the readings that are not bad, and the number of bad ones, by
-- hour and by day of UTC: kept for ever, whatever becomes of the readings.
CREATE TABLE summary_hour (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    minimum REAL,
    maximum REAL,
    bad INTEGER NOT NULL,
    PRIMARY KEY (series, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE summary_day (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    minimum REAL,
    maximum REAL,
    bad INTEGER NOT NULL,
    PRIMARY KEY (series, start)
) STRICT, WITHOUT ROWID;

-- Two times of measuring. Hours before summarised_until stand in the summaries: what is folded later
-- is added to them. Readings before kept_from are let go once every forwarder has them.
CREATE TABLE horizon (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    summarised_until INTEGER NOT NULL,
    kept_from INTEGER NOT NULL
) STRICT;
INSERT INTO horizon VALUES (1, 0, 0);

-- Where each forwarder has said that a node was: what a corrected placement is compared with.
-- An empty room ends a stay.
CREATE TABLE forwarded_placement (
    forwarder TEXT NOT NULL,
    node TEXT NOT NULL,
    since INTEGER NOT NULL,
    site TEXT NOT NULL,
    building TEXT NOT NULL,
    room TEXT NOT NULL,
    PRIMARY KEY (forwarder, node, since)
) STRICT, WITHOUT ROWID;
