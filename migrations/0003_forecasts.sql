-- What a city learned from its own log, for the choices that look ahead: travel factors, service times, demand, grabs.
-- One row a kind, written anew by the planner process now and then; engines load it with the city.

CREATE TABLE forecast (
    city_id     text NOT NULL REFERENCES city,
    kind        text NOT NULL,                    -- a member of dispatch.forecasts.Forecasts
    computed_at timestamptz NOT NULL,
    document    json NOT NULL,
    PRIMARY KEY (city_id, kind)
);

-- The steps of an order that forecasts are learned from, found by their time.
CREATE INDEX event_learned_from ON event (city_id, kind, at)
    WHERE kind IN ('order.offered', 'order.en_route', 'order.arrived');
