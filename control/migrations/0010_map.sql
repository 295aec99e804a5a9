-- Maps: archives of tiles as items, which belong to projects and may stand in collections; and what tiles cost their sharer.

CREATE TABLE project (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX project_by_organization ON project (organization_id, id);

-- `definition` is what viewers see of it, its items included: one row tells the edge all. Whoever changes an item of it holds
-- this row. What is deleted keeps its row: a dead share still names it.
CREATE TABLE collection (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    project_id TEXT NOT NULL REFERENCES project (id),
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX collection_by_organization ON collection (organization_id, id);

CREATE TABLE item (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    project_id TEXT NOT NULL REFERENCES project (id),
    collection_id TEXT REFERENCES collection (id),
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX item_by_organization ON item (organization_id, id);

ALTER TABLE share ADD COLUMN permission TEXT NOT NULL DEFAULT 'view';
-- Tiles that the link gives a day; the program's own number when null.
ALTER TABLE share ADD COLUMN tile_budget BIGINT;

-- Absolute figures as the token's gate counted them. A gate that lost its storage counts anew under another epoch, so a report may
-- be lost, late or repeated, and the larger figure of each row is the right one.
CREATE TABLE tile_usage (
    record_key TEXT NOT NULL REFERENCES share_token (record_key),
    epoch TEXT NOT NULL,
    day BIGINT NOT NULL,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    tiles BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (record_key, epoch, day)
);

CREATE INDEX tile_usage_by_organization ON tile_usage (organization_id, day);
