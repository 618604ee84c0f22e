-- Who holds which shard, and up to when all that was stored there has been sent out.

-- holder is NULL once a chat worker has let go with everything published.
-- Room on the page keeps the update of every few seconds there (HOT).
CREATE TABLE cs_chat.shards (
    shard INT,
    holder TEXT,
    published TIMESTAMP NOT NULL,
    CONSTRAINT shards_pkey PRIMARY KEY (shard)
) WITH (fillfactor = 40);

INSERT INTO cs_chat.shards (shard, published)
SELECT s, timezone('UTC', now()) FROM generate_series(0, 63) s;
