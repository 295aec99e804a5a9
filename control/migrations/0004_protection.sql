-- What a visitor must do before a share opens, how often it was opened, and what an organization demands of its shares.

-- A hash is keyed by a key that no table holds: it cannot be attacked without the root key of its epoch.
ALTER TABLE share ADD COLUMN password_hash TEXT;
ALTER TABLE share ADD COLUMN password_epoch TEXT;
ALTER TABLE share ADD COLUMN protection_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE share ADD COLUMN guess_resets BIGINT NOT NULL DEFAULT 0;
ALTER TABLE share ADD COLUMN max_access_count BIGINT;
ALTER TABLE share ADD COLUMN not_before BIGINT;
-- The name in one case and one normal form, to be searched: the two databases fold letters beyond ASCII differently, so
-- the program fills it, for the shares that there are right after the migrations.
ALTER TABLE share ADD COLUMN name_folded TEXT NOT NULL DEFAULT '';

-- What the token's gate has reported. A lock counts only while `locked_resets` is not older than the share's.
ALTER TABLE share_token ADD COLUMN accesses BIGINT NOT NULL DEFAULT 0;
ALTER TABLE share_token ADD COLUMN opens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE share_token ADD COLUMN last_opened_at BIGINT;
ALTER TABLE share_token ADD COLUMN locked_until BIGINT;
ALTER TABLE share_token ADD COLUMN locked_resets BIGINT NOT NULL DEFAULT 0;

-- JSON; an empty object demands nothing.
ALTER TABLE organization ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
