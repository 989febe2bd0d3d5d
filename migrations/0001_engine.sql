-- The engine's tables. `city_id` leads every key: one city never sees another, and a cluster can shard by it.

CREATE TABLE city (
    city_id     text PRIMARY KEY,
    name        text NOT NULL,
    epoch       text NOT NULL,                    -- of its event log; a restored log gets another
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- The counter of a city's event log: taken last in each transaction, so that sequence order is commit order.
CREATE TABLE city_log (
    city_id     text PRIMARY KEY REFERENCES city,
    last_seq    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE event (
    city_id     text NOT NULL,
    seq         bigint NOT NULL,
    at          timestamptz NOT NULL,
    kind        text NOT NULL,
    order_id    text,
    crew_id     text,
    actor       text NOT NULL,
    data        json NOT NULL,                    -- ids only, never names or phone numbers
    PRIMARY KEY (city_id, seq)
);
CREATE INDEX event_of_order ON event (city_id, order_id, seq) WHERE order_id IS NOT NULL;

CREATE TABLE zone_map (
    city_id     text NOT NULL REFERENCES city,
    version     int NOT NULL,
    document    json NOT NULL,                    -- the FeatureCollection as imported
    actor       text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (city_id, version)
);

CREATE TABLE account (
    city_id     text NOT NULL REFERENCES city,
    user_id     text NOT NULL,
    name        text NOT NULL,
    role        text NOT NULL CHECK (role IN ('admin', 'dispatcher', 'monitor', 'intake')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (city_id, user_id)
);

CREATE TABLE crew (
    city_id     text NOT NULL REFERENCES city,
    crew_id     text NOT NULL,
    name        text NOT NULL,
    skills      text[] NOT NULL,
    home_zone   text,
    capacity    int NOT NULL CHECK (capacity > 0),
    on_shift    boolean NOT NULL DEFAULT false,
    shift_since timestamptz,
    load        int NOT NULL DEFAULT 0 CHECK (load >= 0),
    taken       int NOT NULL DEFAULT 0,           -- orders that fell to the crew this shift
    score       double precision NOT NULL DEFAULT 0.5,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (city_id, crew_id)
) WITH (fillfactor = 70);

-- The newest fix of each crew, written about once a second; apart from `crew`, so that the two never wait for each other.
CREATE TABLE crew_position (
    city_id     text NOT NULL,
    crew_id     text NOT NULL,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    accuracy_m  double precision NOT NULL,
    device_at   timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (city_id, crew_id)
) WITH (fillfactor = 50);

-- Every fix of crews that hold an order: what an arrival is proved with. Deleted after `positions.keep_days`.
CREATE TABLE crew_fix (
    city_id     text NOT NULL,
    crew_id     text NOT NULL,
    received_at timestamptz NOT NULL,
    device_at   timestamptz NOT NULL,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    accuracy_m  double precision NOT NULL
);
CREATE INDEX crew_fix_of_crew ON crew_fix (city_id, crew_id, received_at);

-- A token is looked up by its hash alone, before the city is known.
CREATE TABLE token (
    token_hash  bytea PRIMARY KEY,
    city_id     text NOT NULL REFERENCES city,
    role        text NOT NULL CHECK (role IN ('admin', 'dispatcher', 'monitor', 'intake', 'crew')),
    subject     text NOT NULL,                    -- user_id or crew_id
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
    city_id         text NOT NULL REFERENCES city,
    order_id        text NOT NULL,
    version         int NOT NULL,
    state           text NOT NULL CHECK (state IN ('unzoned', 'offered', 'claimed', 'en_route', 'arrived', 'resolved',
                                                   'closed', 'held', 'suspended', 'transferred', 'merged', 'cancelled')),
    cycle           int NOT NULL,                 -- how often it was opened to grabs
    zone            text,
    category        text NOT NULL,
    severity        int NOT NULL CHECK (severity BETWEEN 1 AND 5),
    lon             double precision,
    lat             double precision,
    address         json,
    required_skills text[] NOT NULL,
    description     text,                         -- may hold names and numbers: never in events
    contact         json,
    crew_id         text,
    claimed_by      text CHECK (claimed_by IN ('grab', 'optimizer', 'dispatcher')),
    reported_at     timestamptz NOT NULL,
    clocks          json NOT NULL,                -- an order and its clocks change together and are read together
    alarm_at        timestamptz,                  -- when a clock has something to say next
    offer           json,                         -- the terms of the open offer
    offer_due_at    timestamptz,                  -- when its window ends or its next ring opens
    assign_at       timestamptz,                  -- when the machine takes over
    incident        text,
    unverified      boolean NOT NULL DEFAULT false,
    merged_into     text,
    transferred_to  text,
    excluded        text[] NOT NULL DEFAULT '{}', -- crews that may not grab it
    PRIMARY KEY (city_id, order_id),
    CHECK (state NOT IN ('claimed', 'en_route', 'arrived') OR crew_id IS NOT NULL),
    CHECK ((state = 'offered') = (offer IS NOT NULL))
) WITH (fillfactor = 60);
CREATE INDEX orders_open ON orders (city_id, order_id)
    WHERE state NOT IN ('resolved', 'closed', 'merged', 'cancelled');
CREATE INDEX orders_alarm ON orders (alarm_at) WHERE alarm_at IS NOT NULL;
CREATE INDEX orders_offer_due ON orders (offer_due_at) WHERE offer_due_at IS NOT NULL;
CREATE INDEX orders_assign ON orders (assign_at) WHERE assign_at IS NOT NULL;
CREATE INDEX orders_reported ON orders (city_id, reported_at);

CREATE VIEW order_clock AS
SELECT o.city_id, o.order_id, o.zone, o.severity, o.state AS order_state, o.reported_at, c.key AS clock,
       c.value ->> 'state' AS state,
       (c.value ->> 'started_at')::timestamptz AS started_at,
       (c.value ->> 'due_at')::timestamptz AS due_at,
       (c.value ->> 'at_risk_at')::timestamptz AS at_risk_at,
       (c.value ->> 'stopped_at')::timestamptz AS stopped_at,
       (c.value ->> 'paused_at')::timestamptz AS paused_at,
       c.value ->> 'pause_reason' AS pause_reason,
       coalesce((c.value ->> 'paused_s')::double precision, 0) AS paused_s
FROM orders AS o CROSS JOIN LATERAL json_each(o.clocks) AS c;

CREATE TABLE report (
    city_id     text NOT NULL REFERENCES city,
    report_id   text NOT NULL,
    order_id    text NOT NULL,
    channel     text NOT NULL,
    external_id text,
    body        json NOT NULL,                    -- as it came in
    received_at timestamptz NOT NULL,
    PRIMARY KEY (city_id, report_id)
);
CREATE UNIQUE INDEX report_external ON report (city_id, channel, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX report_of_order ON report (city_id, order_id);

-- Who was offered an order in which cycle: one row each time the circle grew.
CREATE TABLE offer_round (
    city_id     text NOT NULL,
    order_id    text NOT NULL,
    cycle       int NOT NULL,
    round       int NOT NULL,
    ring        int NOT NULL,
    at          timestamptz NOT NULL,
    crews       text[] NOT NULL,
    eta_s       double precision[] NOT NULL,
    distance_m  double precision[] NOT NULL,
    PRIMARY KEY (city_id, order_id, cycle, round)
);

-- Every grab with its verdict: the bid of a sealed window, the answer to a repeated message, and the record of who asked.
CREATE TABLE crew_grab (
    city_id     text NOT NULL,
    crew_id     text NOT NULL,
    message_id  text NOT NULL,
    order_id    text NOT NULL,
    cycle       int NOT NULL,
    at          timestamptz NOT NULL,
    eta_s       double precision,
    distance_m  double precision,
    reason      text,                             -- null while a sealed window is open
    PRIMARY KEY (city_id, crew_id, message_id)
);
CREATE INDEX crew_grab_of_order ON crew_grab (city_id, order_id, cycle);

-- The answers to a crew's other commands, by its own message id.
CREATE TABLE crew_command (
    city_id     text NOT NULL,
    crew_id     text NOT NULL,
    message_id  text NOT NULL,
    kind        text NOT NULL,
    order_id    text NOT NULL,
    device_at   timestamptz,
    at          timestamptz NOT NULL,
    answer      json NOT NULL,
    PRIMARY KEY (city_id, crew_id, message_id)
);
CREATE INDEX crew_command_of_order ON crew_command (city_id, order_id);

CREATE TABLE order_override (
    city_id     text NOT NULL,
    override_id text NOT NULL,
    order_id    text NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    action      text NOT NULL,
    reason      text NOT NULL,
    body        json NOT NULL,
    before      json NOT NULL,                    -- the order as it was, for undo
    version     int NOT NULL,                     -- of the order after it
    undone      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (city_id, override_id)
);
CREATE INDEX override_of_order ON order_override (city_id, order_id, version);

-- An alarm fires once per deadline: the key is the promise.
CREATE TABLE clock_alarm (
    city_id     text NOT NULL,
    order_id    text NOT NULL,
    clock       text NOT NULL,
    deadline    timestamptz NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('at_risk', 'breached')),
    at          timestamptz NOT NULL,
    PRIMARY KEY (city_id, order_id, clock, deadline, kind)
);

CREATE TABLE rating (
    city_id     text NOT NULL,
    order_id    text NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    crew_id     text,
    stars       int NOT NULL CHECK (stars BETWEEN 1 AND 5),
    comment     text,
    resolved    boolean NOT NULL,
    PRIMARY KEY (city_id, order_id, at)
);

-- The first answer to a request with an Idempotency-Key, in the same transaction as what it did.
CREATE TABLE idempotency (
    city_id     text NOT NULL,
    subject     text NOT NULL,
    key         text NOT NULL,
    body_hash   bytea NOT NULL,
    status      int,
    answer      bytea,
    at          timestamptz NOT NULL,
    PRIMARY KEY (city_id, subject, key)
);
CREATE INDEX idempotency_age ON idempotency (at);

-- Who leads in a background role. It only saves work: uniqueness keeps the results right where two believe that they lead.
CREATE TABLE lease (
    role        text PRIMARY KEY,
    holder      text NOT NULL,
    term        bigint NOT NULL,
    expires_at  timestamptz NOT NULL
);
