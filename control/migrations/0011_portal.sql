-- The e-mail portal: who may open what (contexts and members), how they prove who they are (codes, sessions), what was mailed, and
-- who opened which share. A context is opened by a share of the type `portal`, whose target it is.

CREATE TABLE share_context (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    members BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX share_context_by_organization ON share_context (organization_id, id);

-- `kind` is `person`, with an address, or `domain`, for whoever has an address there.
CREATE TABLE member (
    id TEXT NOT NULL PRIMARY KEY,
    context_id TEXT NOT NULL REFERENCES share_context (id),
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX member_of_context ON member (context_id, kind, address);
CREATE INDEX member_by_context ON member (context_id, id);
CREATE INDEX member_by_address ON member (address, kind);

ALTER TABLE share ADD COLUMN context_id TEXT;
-- One share of a dashboard in a context: members name the dashboard, not the share.
CREATE UNIQUE INDEX share_in_context ON share (context_id, target_id) WHERE context_id IS NOT NULL AND state = 'live';

-- Who is told of the first opening, and when they were.
ALTER TABLE share ADD COLUMN notify_address TEXT;
ALTER TABLE share ADD COLUMN notified_at BIGINT;

-- Somebody asked for a code. Whether they get one is found out after they were answered.
CREATE TABLE code_request (
    id TEXT NOT NULL PRIMARY KEY,
    company_slug TEXT NOT NULL,
    address TEXT NOT NULL,
    asked_at BIGINT NOT NULL
);

-- When a network asked, or an address was sent something: JSON instants, as far back as a limit looks.
CREATE TABLE pace (
    subject TEXT NOT NULL PRIMARY KEY,
    instants TEXT NOT NULL,
    last_at BIGINT NOT NULL
);

CREATE INDEX pace_by_age ON pace (last_at);

-- A code is derived from its row and the root key: nothing here could be guessed from.
CREATE TABLE one_time_code (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    address TEXT NOT NULL,
    nonce TEXT NOT NULL,
    tries BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX one_time_code_of ON one_time_code (organization_id, address);
CREATE INDEX one_time_code_by_age ON one_time_code (expires_at);

-- Refresh tokens name their session and are stored as SHA-256 only. The one before the last still works for a minute.
CREATE TABLE portal_session (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    address TEXT NOT NULL,
    refresh_hash TEXT NOT NULL,
    previous_hash TEXT,
    refreshed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX portal_session_by_age ON portal_session (expires_at);

-- What is to be mailed. The text is made when it is sent, so no row holds a code.
CREATE TABLE mail (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    address TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX mail_due ON mail (next_attempt_at);

-- Who opened what, as the edge tells it; swept after so many days as the operator says.
CREATE TABLE access_log (
    id TEXT NOT NULL PRIMARY KEY,
    share_id TEXT NOT NULL REFERENCES share (id),
    context_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE INDEX access_log_by_share ON access_log (share_id, id);
CREATE INDEX access_log_by_age ON access_log (at);
