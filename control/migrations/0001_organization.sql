-- Who owns shares, and how their programs prove it. The same text runs on SQLite and PostgreSQL:
-- ids are UUIDs as text, instants are milliseconds since 1970, bytes are hex.

CREATE TABLE organization (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A key is stored as SHA-256 only: this table opens nothing.
CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

CREATE INDEX api_key_by_organization ON api_key (organization_id, id);

-- One row for each change, written in the change's own transaction. Nothing updates or deletes it.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX audit_by_organization ON audit (organization_id, id);

-- What an Idempotency-Key made, so that a repeated request is answered with the same thing.
CREATE TABLE idempotency (
    organization_id TEXT NOT NULL REFERENCES organization (id),
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, idempotency_key)
);

CREATE INDEX idempotency_by_age ON idempotency (created_at);
