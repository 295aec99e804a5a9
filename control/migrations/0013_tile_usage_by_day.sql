-- Old days are forgotten of all organizations at once.
CREATE INDEX tile_usage_by_day ON tile_usage (day);
