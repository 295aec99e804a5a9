-- What can be shared: dashboards, every version of them, and where their queries run.

-- `location` is a relative path for SQLite; for PostgreSQL a URL, encrypted, since it holds a password.
CREATE TABLE data_source (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    location TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX data_source_by_organization ON data_source (organization_id, id);

-- A deleted dashboard keeps its row, but lets go of its data source.
CREATE TABLE dashboard (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    data_source_id TEXT REFERENCES data_source (id),
    slug TEXT NOT NULL,
    version BIGINT NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX dashboard_by_organization ON dashboard (organization_id, id);
CREATE INDEX dashboard_by_data_source ON dashboard (data_source_id);
-- A deleted dashboard frees its slug.
CREATE UNIQUE INDEX dashboard_slug ON dashboard (organization_id, slug) WHERE deleted_at IS NULL;

CREATE TABLE dashboard_version (
    dashboard_id TEXT NOT NULL REFERENCES dashboard (id),
    version BIGINT NOT NULL,
    definition TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (dashboard_id, version)
);
