-- Counts the changes of what a crew can do and where, so that a grab from an engine's memory is held to the newest.
ALTER TABLE crew ADD COLUMN revision int NOT NULL DEFAULT 0;
