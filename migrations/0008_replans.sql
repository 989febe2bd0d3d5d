-- Moves of told work that the plan proposes where a zone's policy lets a person decide; one an order at most.

CREATE TABLE replan (
    city_id       text NOT NULL,
    order_id      text NOT NULL,
    replan_id     text NOT NULL,
    crew_id       text NOT NULL,                  -- who holds the order, as the plan saw it
    to_crew_id    text NOT NULL,
    reason        text NOT NULL,
    arrives_s     double precision,               -- as foreseen when it was proposed: the other crew at the door,
    instead_of_s  double precision,               -- and the one that holds it
    delays        text NOT NULL,                  -- JSON: what of the other crew's orders comes later, as in candidates
    proposed_at   timestamptz NOT NULL,
    dismissed_at  timestamptz,                    -- kept, so that it is not proposed again
    PRIMARY KEY (city_id, order_id),
    FOREIGN KEY (city_id, order_id) REFERENCES orders
);
