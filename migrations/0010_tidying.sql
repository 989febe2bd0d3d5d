-- What is kept for a set time is found by its age when that is over.
CREATE INDEX crew_fix_age ON crew_fix (received_at);
CREATE INDEX photo_age ON photo (at);
