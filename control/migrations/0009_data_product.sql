-- Data products: tables that are shared as they are. Their rows are no rows here: each version's lie in a file of its own.

-- `definition` is JSON: where the rows come from, and what is known of those of this version. A deleted product keeps its row,
-- but lets go of its data source.
CREATE TABLE data_product (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id),
    data_source_id TEXT REFERENCES data_source (id),
    version BIGINT NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX data_product_by_organization ON data_product (organization_id, id);
CREATE INDEX data_product_by_data_source ON data_product (data_source_id);
-- A product has one link in force at most.
CREATE UNIQUE INDEX share_data_product ON share (target_id) WHERE target_kind = 'data_product' AND state = 'live';
