-- Signing in by a link, and the photos of visits.

-- A link's code by its hash alone; it is exchanged once, and the same device may hear the answer again.
CREATE TABLE sign_in_code (
    code_hash   bytea PRIMARY KEY,
    city_id     text NOT NULL REFERENCES city,
    crew_id     text NOT NULL,
    issued_by   text NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    device_hash bytea,                            -- of the device that used it; null while unused
    used_at     timestamptz
);

CREATE TABLE photo (
    city_id      text NOT NULL REFERENCES city,
    photo_id     text NOT NULL,
    crew_id      text NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (city_id, photo_id)
);
