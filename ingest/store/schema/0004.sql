-- Hours are summarised a few series at a time, so that commits go on in between. While
-- summarising_until is not 0, the hours up to it stand in the summaries for the series up to and
-- including summarised_series as well.
ALTER TABLE horizon ADD COLUMN summarising_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE horizon ADD COLUMN summarised_series INTEGER NOT NULL DEFAULT 0;
