-- Shares open more than dashboards: each names the kind and the id of what it opens. The row is found by the kind's own table,
-- so no foreign key can say which that is; ids are UUIDs and never repeat.
ALTER TABLE share ADD COLUMN target_kind TEXT NOT NULL DEFAULT 'dashboard';
ALTER TABLE share ADD COLUMN target_id TEXT NOT NULL DEFAULT '';
UPDATE share SET target_id = dashboard_id;

DROP INDEX share_by_dashboard;
DROP INDEX share_embed;
ALTER TABLE share DROP COLUMN dashboard_id;
CREATE INDEX share_by_target ON share (target_id, id);
CREATE UNIQUE INDEX share_embed ON share (target_id) WHERE share_type = 'embed' AND state = 'live';
