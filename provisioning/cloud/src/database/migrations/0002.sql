-- What people are to be told, one row for each of them.
CREATE TABLE alerts (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL);

CREATE INDEX alerts_by_next_attempt ON alerts ((body->>'nextAt') COLLATE "C");

-- The boxes that may have fallen silent.
CREATE INDEX devices_by_last_sign ON devices ((body->>'seenAt') COLLATE "C")
    WHERE body->>'lostAt' IS NULL AND body->>'epoch' <> '0' AND body->>'isRevoked' = 'false';
