-- A resident may think again: a later word about a visit that was rated already counts in place of the former.
ALTER TABLE rating ADD COLUMN amends boolean NOT NULL DEFAULT false;
CREATE INDEX rating_of_crew ON rating (city_id, crew_id, at) WHERE NOT amends;
