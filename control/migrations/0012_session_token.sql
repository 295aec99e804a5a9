-- Session tokens: short-lived keys that a key exchanges itself for. They are looked up as keys are, and are worth nothing once
-- their parent is revoked; expired ones are removed.
ALTER TABLE api_key ADD COLUMN parent_id TEXT REFERENCES api_key (id);
ALTER TABLE api_key ADD COLUMN expires_at BIGINT;

CREATE INDEX api_key_by_parent ON api_key (parent_id, expires_at);
CREATE INDEX api_key_by_expiry ON api_key (expires_at);
