-- How many shares a dashboard ever had, so that a list of all of them need not count its rows. None is ever deleted, and
-- whoever makes one holds the dashboard's row already.
ALTER TABLE dashboard ADD COLUMN shares BIGINT NOT NULL DEFAULT 0;
UPDATE dashboard SET shares = (SELECT COUNT(*) FROM share WHERE share.dashboard_id = dashboard.id);
