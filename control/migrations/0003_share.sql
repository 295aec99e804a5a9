-- Shares, the names of their tokens' records, and what the edge has yet to learn.

CREATE TABLE share (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    dashboard_id TEXT NOT NULL REFERENCES dashboard (id),
    share_type TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    generation BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    nonce TEXT NOT NULL,
    key_epoch TEXT NOT NULL,
    rules TEXT NOT NULL,
    -- 1 when the rules no longer fit the dashboard's filters: the share then opens nothing.
    closed BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX share_by_organization ON share (organization_id, id);
CREATE INDEX share_by_dashboard ON share (dashboard_id, id);

-- One row for each token that was ever issued. The record key names its record at the edge and tells
-- nothing about the token; a retired one stays, since its tombstone must stay reachable.
CREATE TABLE share_token (
    record_key TEXT NOT NULL PRIMARY KEY,
    share_id TEXT NOT NULL REFERENCES share (id),
    generation BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    retired_at BIGINT
);

CREATE INDEX share_token_by_share ON share_token (share_id);

-- A row says only that the edge must learn `revision` of a record; the pusher reads what is current,
-- so order and duplicates do not matter. It goes when the edge confirms that revision or a newer one.
CREATE TABLE outbox (
    record_key TEXT NOT NULL PRIMARY KEY REFERENCES share_token (record_key),
    revision BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    parked_at BIGINT,
    last_error TEXT
);

CREATE INDEX outbox_due ON outbox (next_attempt_at);
