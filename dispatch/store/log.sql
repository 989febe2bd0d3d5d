-- The event log of a city, and what every transaction needs.

-- name: append: the events of a transaction; the counter row is taken last, so that sequence order is commit order
WITH counter AS (
    UPDATE city_log SET last_seq = last_seq + cardinality($3::text[]) WHERE city_id = $1 RETURNING last_seq
), written AS (
    INSERT INTO event (city_id, seq, at, kind, order_id, crew_id, actor, data)
    SELECT $1, counter.last_seq - cardinality($3::text[]) + n.place, $2, n.kind, n.order_id, n.crew_id, n.actor, n.data::json
    FROM counter, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        WITH ORDINALITY AS n (kind, order_id, crew_id, actor, data, place)
)
SELECT last_seq FROM counter

-- name: read: events after a position, oldest first
SELECT seq, at, kind, order_id, crew_id, actor, data FROM event WHERE city_id = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: read_with_particulars: the same with what must be known of the order, or of a crew, and the log may not hold
SELECT e.seq, e.at, e.kind, e.order_id, e.crew_id, e.actor, e.data, o.description, o.contact, c.name
FROM event AS e LEFT JOIN orders AS o ON o.city_id = e.city_id AND o.order_id = e.order_id
LEFT JOIN crew AS c ON e.kind IN ('crew.added', 'crew.changed') AND c.city_id = e.city_id AND c.crew_id = e.crew_id
WHERE e.city_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3

-- name: timeline: every event of an order, oldest first
SELECT seq, at, kind, order_id, crew_id, actor, data FROM event WHERE city_id = $1 AND order_id = $2 ORDER BY seq

-- name: as_reported: an order as it was when it was reported
SELECT data ->> 'order' FROM event WHERE city_id = $1 AND order_id = $2 AND kind = 'order.reported' ORDER BY seq LIMIT 1

-- name: heads: where the log of every city ends
SELECT city_id, last_seq FROM city_log

-- name: head: where the log of a city ends, and its epoch
SELECT l.last_seq, c.epoch, c.name FROM city_log AS l JOIN city AS c USING (city_id) WHERE city_id = $1

-- name: city_version: the zones and forecasts in force; another answer says that the city must be loaded anew
SELECT (SELECT max(version) FROM zone_map WHERE city_id = $1) AS zones,
       (SELECT max(computed_at) FROM forecast WHERE city_id = $1) AS forecasts

-- name: insert_city: another city
INSERT INTO city (city_id, name, epoch) VALUES ($1, $2, $3)

-- name: insert_log: its empty log
INSERT INTO city_log (city_id) VALUES ($1)

-- name: rename_city: another name for a city
UPDATE city SET name = $2 WHERE city_id = $1 RETURNING city_id

-- name: list_cities: every city
SELECT city_id, name, created_at FROM city ORDER BY city_id

-- name: insert_zone_map: the next version of a city's zones
INSERT INTO zone_map (city_id, version, document, actor, created_at)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4 FROM zone_map WHERE city_id = $1 RETURNING version

-- name: zone_map: the zones in force
SELECT version, document FROM zone_map WHERE city_id = $1 ORDER BY version DESC LIMIT 1

-- name: claim_key: take an idempotency key; nothing comes back where it was taken before
INSERT INTO idempotency (city_id, subject, key, body_hash, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true

-- name: lock_key: the first answer under a key; others who ask wait
SELECT body_hash, status, answer FROM idempotency WHERE city_id = $1 AND subject = $2 AND key = $3 FOR NO KEY UPDATE

-- name: answer_key: keep the answer under its key
UPDATE idempotency SET status = $4, answer = $5 WHERE city_id = $1 AND subject = $2 AND key = $3

-- name: forget_keys: keys are kept for a while, not for ever; so many at once
DELETE FROM idempotency WHERE ctid = ANY (ARRAY (SELECT ctid FROM idempotency WHERE at < $1 LIMIT $2))

-- name: find_token: whose token this is
SELECT city_id, role, subject FROM token WHERE token_hash = $1

-- name: insert_token: a token, by its hash alone
INSERT INTO token (token_hash, city_id, role, subject) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: tokens_of: the tokens of a user or crew, by the beginning of their hashes
SELECT left(encode(token_hash, 'hex'), 16) AS token_id, created_at FROM token
WHERE city_id = $1 AND role = $2 AND subject = $3 ORDER BY created_at, token_id

-- name: revoke_tokens: tokens of a user or crew that are good no more, all of them where none is named
DELETE FROM token WHERE city_id = $1 AND role = $2 AND subject = $3
    AND ($4::text IS NULL OR left(encode(token_hash, 'hex'), 16) = $4) RETURNING token_hash

-- name: lock_admin_tokens: every administrator's tokens; whoever else would take the last away waits
SELECT token_hash FROM token WHERE city_id = $1 AND role = 'admin' ORDER BY token_hash FOR UPDATE

-- name: insert_account: a user with a role
INSERT INTO account (city_id, user_id, name, role) VALUES ($1, $2, $3, $4)

-- name: find_account: a user
SELECT user_id, name, role FROM account WHERE city_id = $1 AND user_id = $2

-- name: list_users: the users after one, by id, and the administrator that every city has
SELECT user_id, name, role FROM (
    SELECT $2::text AS user_id, $2::text AS name, 'admin' AS role
    UNION ALL SELECT user_id, name, role FROM account WHERE city_id = $1
) AS users
WHERE $3::text IS NULL OR user_id > $3 ORDER BY user_id LIMIT $4

-- name: find_accounts: what these users are called
SELECT user_id, name FROM account WHERE city_id = $1 AND user_id = ANY ($2::text[])

-- name: find_crew_id: whether a crew exists
SELECT crew_id FROM crew WHERE city_id = $1 AND crew_id = $2

-- name: take_lease: hold a role, or go on holding it; nothing comes back where somebody else holds it
INSERT INTO lease AS l (role, holder, term, expires_at) VALUES ($1, $2, 1, now() + $3::interval)
ON CONFLICT (role) DO UPDATE
SET holder = excluded.holder, expires_at = excluded.expires_at, term = l.term + (l.holder <> excluded.holder)::int
WHERE l.holder = excluded.holder OR l.expires_at < now()
RETURNING term

-- name: free_lease: give a role up at once
DELETE FROM lease WHERE role = $1 AND holder = $2

-- name: reported_orders: the orders that came in within a period, as they were then
SELECT order_id, at, data -> 'order' AS first FROM event
WHERE city_id = $1 AND kind = 'order.reported' AND at >= $2 AND at < $3 ORDER BY seq

-- name: order_moments: what became of these orders, without what was told of it
SELECT order_id, at, kind, crew_id, data -> 'order' ->> 'claimed_by' AS claimed_by, data -> 'lost' ->> 'crew' AS lost FROM event
WHERE city_id = $1 AND order_id = ANY ($2::text[])
  AND kind IN ('order.offered', 'order.claimed', 'order.assigned', 'order.en_route', 'order.arrived', 'order.resolved',
               'order.handed_back', 'order.revoked', 'order.released', 'order.reopened', 'order.cancelled', 'order.merged',
               'order.transferred')
ORDER BY seq

-- name: open_orders: the orders in one of these states at a moment, as they were then, and when they had been reported
SELECT o.order_id, reported.at, latest.data -> 'order' AS told, (latest.data ->> 'cycle')::int AS cycle FROM orders AS o
JOIN LATERAL (
    SELECT e.at FROM event AS e
    WHERE e.city_id = o.city_id AND e.order_id = o.order_id AND e.kind = 'order.reported' ORDER BY e.seq LIMIT 1
) AS reported ON reported.at < $2
JOIN LATERAL (
    SELECT e.data FROM event AS e
    WHERE e.city_id = o.city_id AND e.order_id = o.order_id AND e.at < $2 ORDER BY e.seq DESC LIMIT 1
) AS latest ON latest.data -> 'order' ->> 'state' = ANY ($3::text[])
WHERE o.city_id = $1 ORDER BY reported.at, o.order_id

-- name: turns: what crews took, and the doors at which they arrived, within a time
SELECT crew_id, at, kind, (data -> 'order' -> 'location' ->> 'lon')::float8 AS lon,
       (data -> 'order' -> 'location' ->> 'lat')::float8 AS lat FROM event
WHERE city_id = $1 AND kind IN ('order.claimed', 'order.assigned', 'order.arrived') AND crew_id IS NOT NULL
  AND at >= $2 AND at < $3
ORDER BY seq

-- name: shifts: when crews came and went, up to a moment
SELECT crew_id, at, kind = 'crew.shift_started' AS began FROM event
WHERE city_id = $1 AND kind IN ('crew.shift_started', 'crew.shift_ended') AND at < $2 ORDER BY seq
