-- Embeds are shares of the type `embed`: a dashboard has one in force at most. Each generation has a record of its own at the edge,
-- named by dashboard and generation, so generations of one dashboard's embeds never repeat.
CREATE UNIQUE INDEX share_embed ON share (dashboard_id) WHERE share_type = 'embed' AND state = 'live';
CREATE INDEX share_embed_by_organization ON share (organization_id) WHERE share_type = 'embed';
-- JSON: tokens of the current generation that were taken back alone, and until when that matters.
ALTER TABLE share ADD COLUMN revoked_tokens TEXT NOT NULL DEFAULT '[]';

-- JSON: sites that may frame the page of a link that nothing protects.
ALTER TABLE share ADD COLUMN frame_origins TEXT NOT NULL DEFAULT '[]';

-- Keys that sign embed tokens, by number: they are derived from the root key, so none is stored.
CREATE TABLE embed_key (
    organization_id TEXT NOT NULL REFERENCES organization (id),
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    stopped_at BIGINT,
    PRIMARY KEY (organization_id, generation)
);

INSERT INTO embed_key (organization_id, generation, created_at) SELECT id, 1, created_at FROM organization;

-- JSON: sites that may frame all embeds of an organization.
ALTER TABLE organization ADD COLUMN embed_origins TEXT NOT NULL DEFAULT '[]';
