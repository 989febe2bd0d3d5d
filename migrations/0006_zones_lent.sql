-- Zones that a crew is lent to beside its own, for a cold snap.
ALTER TABLE crew ADD COLUMN zones_lent text[] NOT NULL DEFAULT '{}';
