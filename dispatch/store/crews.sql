-- Crews, their positions, and the answers to their commands.

-- name: insert_crew: a new crew
INSERT INTO crew (city_id, crew_id, name, skills, home_zone, capacity) VALUES ($1, $2, $3, $4, $5, $6)

-- name: change_crew: what a crew can do and where
UPDATE crew SET name = $3, skills = $4, home_zone = $5, capacity = $6, zones_lent = $7, revision = $8
WHERE city_id = $1 AND crew_id = $2

-- name: lock_crews: the rows of these crews with their positions, locked in a fixed order
SELECT c.*, p.lon, p.lat, p.received_at FROM crew AS c LEFT JOIN crew_position AS p USING (city_id, crew_id)
WHERE c.city_id = $1 AND c.crew_id = ANY ($2::text[]) ORDER BY c.crew_id FOR NO KEY UPDATE OF c

-- name: find_crews: crews with their positions, not locked
SELECT c.*, p.lon, p.lat, p.received_at FROM crew AS c LEFT JOIN crew_position AS p USING (city_id, crew_id)
WHERE c.city_id = $1 AND ($2::text[] IS NULL OR c.crew_id = ANY ($2)) ORDER BY c.crew_id

-- name: eligible_crews: who could grab an order with these skills, zones (null: the whole city) and excluded crews, not locked
SELECT c.*, p.lon, p.lat, p.received_at FROM crew AS c JOIN crew_position AS p USING (city_id, crew_id)
WHERE c.city_id = $1 AND c.on_shift AND c.load < c.capacity AND c.skills @> $2::text[]
  AND ($3::text[] IS NULL OR c.home_zone = ANY ($3) OR c.zones_lent && $3) AND c.crew_id <> ALL ($4::text[])
ORDER BY c.crew_id

-- name: set_shift: begin or end a shift
UPDATE crew SET on_shift = $3, shift_since = CASE WHEN $3 THEN $4::timestamptz END, taken = CASE WHEN $3 THEN 0 ELSE taken END
WHERE city_id = $1 AND crew_id = $2

-- name: add_load: orders that crews took or gave back
UPDATE crew AS c SET load = c.load + n.delta, taken = c.taken + n.taken
FROM unnest($2::text[], $3::int[], $4::int[]) AS n (crew_id, delta, taken)
WHERE c.city_id = $1 AND c.crew_id = n.crew_id

-- name: set_score: the service score after a rating
UPDATE crew SET score = $3 WHERE city_id = $1 AND crew_id = $2

-- name: save_positions: the newest fix of each crew on shift; an older one never replaces a newer
INSERT INTO crew_position (city_id, crew_id, lon, lat, accuracy_m, device_at, received_at)
SELECT n.* FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::float8[], $6::timestamptz[], $7::timestamptz[])
    AS n (city_id, crew_id, lon, lat, accuracy_m, device_at, received_at)
JOIN crew AS c ON c.city_id = n.city_id AND c.crew_id = n.crew_id AND c.on_shift
ON CONFLICT (city_id, crew_id) DO UPDATE
SET lon = excluded.lon, lat = excluded.lat, accuracy_m = excluded.accuracy_m, device_at = excluded.device_at,
    received_at = excluded.received_at
WHERE crew_position.received_at <= excluded.received_at

-- name: forget_position: whereabouts are nobody's business after the shift
DELETE FROM crew_position WHERE city_id = $1 AND crew_id = $2

-- name: save_fixes: the fixes of crews on shift
INSERT INTO crew_fix (city_id, crew_id, lon, lat, accuracy_m, device_at, received_at)
SELECT n.* FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::float8[], $6::timestamptz[], $7::timestamptz[])
    AS n (city_id, crew_id, lon, lat, accuracy_m, device_at, received_at)
JOIN crew AS c ON c.city_id = n.city_id AND c.crew_id = n.crew_id AND c.on_shift

-- name: fixes_since: a crew's fixes since a moment, oldest first
SELECT lon, lat, accuracy_m, device_at, received_at FROM crew_fix
WHERE city_id = $1 AND crew_id = $2 AND received_at >= $3 ORDER BY received_at

-- name: first_fixes: where each crew was first heard of within a period
SELECT DISTINCT ON (crew_id) crew_id, lon, lat FROM crew_fix
WHERE city_id = $1 AND received_at >= $2 AND received_at < $3 ORDER BY crew_id, received_at

-- name: last_fixes: where each crew was last heard of within a period, and when
SELECT DISTINCT ON (crew_id) crew_id, lon, lat, received_at FROM crew_fix
WHERE city_id = $1 AND received_at >= $2 AND received_at < $3 ORDER BY crew_id, received_at DESC

-- name: forget_fixes: whereabouts are deleted after a set time, so many at once
DELETE FROM crew_fix WHERE ctid = ANY (ARRAY (SELECT ctid FROM crew_fix WHERE received_at < $1 LIMIT $2))

-- name: positions_since: fixes that any engine has written since a moment
SELECT city_id, crew_id, lon, lat, accuracy_m, received_at FROM crew_position WHERE received_at > $1

-- name: known_grabs: what became of these messages before; OFFSET keeps it a look by key each, whatever the statistics say
SELECT g.crew_id, g.message_id, g.order_id, g.cycle, g.reason
FROM unnest($2::text[], $3::text[]) AS n (crew_id, message_id) CROSS JOIN LATERAL (
    SELECT * FROM crew_grab AS own
    WHERE own.city_id = $1 AND own.crew_id = n.crew_id AND own.message_id = n.message_id OFFSET 0
) AS g

-- name: insert_grabs: bids and verdicts; a message that is there already is left as it is and not returned
INSERT INTO crew_grab (city_id, crew_id, message_id, order_id, cycle, at, eta_s, distance_m, reason)
SELECT $1, n.crew_id, n.message_id, n.order_id, n.cycle, $2, n.eta_s, n.distance_m, n.reason
FROM unnest($3::text[], $4::text[], $5::text[], $6::int[], $7::float8[], $8::float8[], $9::text[])
    AS n (crew_id, message_id, order_id, cycle, eta_s, distance_m, reason)
ON CONFLICT DO NOTHING RETURNING crew_id, message_id

-- name: open_bids: the bids of an order's sealed window that have no verdict yet, in the order in which they came
SELECT crew_id, message_id, eta_s, distance_m, at FROM crew_grab
WHERE city_id = $1 AND order_id = $2 AND cycle = $3 AND reason IS NULL ORDER BY at, crew_id, message_id

-- name: winners: who was told that he won an order in its present cycle
SELECT DISTINCT crew_id FROM crew_grab WHERE city_id = $1 AND order_id = $2 AND cycle = $3 AND reason = 'won'

-- name: settle_bids: verdicts for the open bids of an order, or of one crew: `winner`'s are won, the others' `reason`
UPDATE crew_grab SET reason = CASE WHEN crew_id = $4 THEN 'won' ELSE coalesce(($6::json) ->> crew_id, $5) END
WHERE city_id = $1 AND order_id = $2 AND cycle = $3 AND reason IS NULL AND ($7::text IS NULL OR crew_id = $7)
RETURNING crew_id, message_id, reason

-- name: grabs_of_order: who asked for an order, and what came of it
SELECT crew_id, message_id, cycle, at, eta_s, distance_m, reason FROM crew_grab
WHERE city_id = $1 AND order_id = $2 ORDER BY at, crew_id, message_id

-- name: known_command: the answer to a crew's command that came before
SELECT kind, order_id, answer FROM crew_command WHERE city_id = $1 AND crew_id = $2 AND message_id = $3

-- name: insert_command: a crew's command with its answer
INSERT INTO crew_command (city_id, crew_id, message_id, kind, order_id, device_at, at, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: held_orders: what a crew holds, or has suspended
SELECT * FROM orders WHERE city_id = $1 AND crew_id = $2
  AND state IN ('claimed', 'en_route', 'arrived', 'suspended') ORDER BY order_id
