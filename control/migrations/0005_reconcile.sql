-- How far a comparison of Workers KV with this database has come, so that one that was interrupted goes on where it was.

CREATE TABLE reconciliation (
    -- Id of the KV namespace.
    namespace TEXT NOT NULL PRIMARY KEY,
    -- Hex digits by which the keys are cut into parts, and the first part that is not done.
    digits BIGINT NOT NULL,
    next_part BIGINT NOT NULL,
    -- 1 when values are read too.
    with_values BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    -- JSON: what was found and done so far.
    counts TEXT NOT NULL
);
