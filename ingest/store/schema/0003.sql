-- Forwarders that began when readings were there already: these are sent node by node, and up to and
-- including `node` they are. The row goes when all are; until then no reading is let go.
CREATE TABLE forwarder_fill (
    forwarder TEXT PRIMARY KEY,
    node TEXT NOT NULL
) STRICT, WITHOUT ROWID;
