-- The numbers of `state` are those of `State` in store.rs.
CREATE TABLE item (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    score REAL NOT NULL,
    bytes INTEGER NOT NULL,
    reason TEXT,
    body BLOB NOT NULL,
    pixels BLOB
) STRICT;
CREATE INDEX item_lane ON item (lane, seq) WHERE state < 2;
CREATE INDEX item_state ON item (state, seq) WHERE state > 0;
CREATE INDEX item_score ON item (score, seq);

-- Names of results that were delivered lately.
CREATE TABLE delivered (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE) STRICT;

CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), items INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO total VALUES (1, 0, 0);
CREATE TRIGGER item_in AFTER INSERT ON item BEGIN
    UPDATE total SET items = items + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER item_out AFTER DELETE ON item BEGIN
    UPDATE total SET items = items - 1, bytes = bytes - old.bytes;
END;

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
