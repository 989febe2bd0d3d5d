-- Orders, their alarms and their offers.

-- name: insert_order: a new order and its timers
WITH entered AS (
    INSERT INTO orders (city_id, order_id, version, state, cycle, zone, category, severity, lon, lat, address,
                        required_skills, description, contact, reported_at, clocks, offer)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    RETURNING city_id, order_id
)
INSERT INTO order_timer (city_id, order_id, alarm_at, offer_due_at, assign_at)
SELECT city_id, order_id, $18, $19, $20 FROM entered

-- name: find_order: one order, not locked
SELECT * FROM orders WHERE city_id = $1 AND order_id = $2

-- name: find_orders: some orders, not locked
SELECT * FROM orders WHERE city_id = $1 AND order_id = ANY ($2::text[])

-- name: lock_orders: the rows of these orders, locked in a fixed order
SELECT * FROM orders WHERE city_id = $1 AND order_id = ANY ($2::text[]) ORDER BY order_id FOR NO KEY UPDATE

-- name: save_orders: everything of an order that can change, where nobody changed it in between, and its timers
WITH changed AS MATERIALIZED (
    SELECT * FROM json_to_recordset($2::json) AS n (
        order_id text, version int, state text, cycle int, zone text, severity int,
        lon double precision, lat double precision, crew_id text, claimed_by text, clocks json, offer json,
        incident text, unverified boolean, merged_into text, transferred_to text, excluded text[],
        alarm_at timestamptz, offer_due_at timestamptz, assign_at timestamptz)
), saved AS (
    UPDATE orders AS o
    SET version = n.version, state = n.state, cycle = n.cycle, zone = n.zone, severity = n.severity, lon = n.lon,
        lat = n.lat, crew_id = n.crew_id, claimed_by = n.claimed_by, clocks = n.clocks, offer = n.offer,
        incident = n.incident, unverified = n.unverified, merged_into = n.merged_into,
        transferred_to = n.transferred_to, excluded = n.excluded
    FROM changed AS n
    WHERE o.city_id = $1 AND o.order_id = n.order_id AND o.version = n.version - 1
    RETURNING o.order_id, n.alarm_at, n.offer_due_at, n.assign_at
)
UPDATE order_timer AS t SET alarm_at = s.alarm_at, offer_due_at = s.offer_due_at, assign_at = s.assign_at
FROM saved AS s WHERE t.city_id = $1 AND t.order_id = s.order_id
RETURNING t.order_id

-- name: reschedule: look at this open offer, which must be locked, again later; nothing about the order changes
UPDATE order_timer SET offer_due_at = $3, assign_at = $4 WHERE city_id = $1 AND order_id = $2

-- name: set_alarms: when the clocks of these orders, which must be locked, have something to say next
UPDATE order_timer AS t SET alarm_at = n.alarm_at FROM unnest($2::text[], $3::timestamptz[]) AS n (order_id, alarm_at)
WHERE t.city_id = $1 AND t.order_id = n.order_id

-- name: insert_round: who was offered an order when the circle grew
INSERT INTO offer_round (city_id, order_id, cycle, round, ring, at, crews, eta_s, distance_m)
SELECT $1, $2, $3, coalesce(max(round), -1) + 1, $4, $5, $6, $7, $8
FROM offer_round WHERE city_id = $1 AND order_id = $2 AND cycle = $3

-- name: insert_single_rounds: single crews to whom orders are offered later than to the others
INSERT INTO offer_round (city_id, order_id, cycle, round, ring, at, crews, eta_s, distance_m)
SELECT $1, n.order_id, n.cycle,
       (SELECT coalesce(max(r.round), -1) + 1 FROM offer_round AS r
        WHERE r.city_id = $1 AND r.order_id = n.order_id AND r.cycle = n.cycle),
       n.ring, $2, ARRAY[n.crew_id], ARRAY[n.eta_s], ARRAY[n.distance_m]
FROM unnest($3::text[], $4::int[], $5::int[], $6::text[], $7::float8[], $8::float8[])
    AS n (order_id, cycle, ring, crew_id, eta_s, distance_m)

-- name: offered_since: those of some orders that were offered to a crew by an event after $4, in the shift that began at $5
SELECT order_id, (data ->> 'cycle')::int AS cycle FROM event
WHERE city_id = $1 AND order_id = ANY ($2::text[]) AND seq > $4 AND ($5::timestamptz IS NULL OR at >= $5)
  AND EXISTS (SELECT FROM json_array_elements(data -> 'offered' -> 'crews') AS told WHERE told ->> 0 = $3)

-- name: offered_crews: everybody to whom an order is open in its present cycle
SELECT unnest(crews) AS crew_id, unnest(eta_s) AS eta_s, unnest(distance_m) AS distance_m
FROM offer_round WHERE city_id = $1 AND order_id = $2 AND cycle = $3

-- name: rounds_of_orders: the rounds of some orders, oldest first
SELECT order_id, cycle, ring, at, crews, eta_s, distance_m FROM offer_round
WHERE city_id = $1 AND order_id = ANY ($2::text[]) ORDER BY order_id, cycle, round

-- name: answered_crews: everybody who bid for, or declined, an order in its present cycle
SELECT crew_id FROM crew_grab WHERE city_id = $1 AND order_id = $2 AND cycle = $3
UNION
SELECT crew_id FROM crew_command WHERE city_id = $1 AND order_id = $2 AND kind = 'decline:' || $3::int

-- name: open_orders: all work still to be done in a city
SELECT * FROM orders WHERE city_id = $1 AND open ORDER BY order_id

-- name: anything_due: whether any offer's timer or any alarm is due, in any city: all that a tick asks where nothing is
SELECT EXISTS (SELECT FROM order_timer WHERE offer_due_at <= $1)
       OR EXISTS (SELECT FROM order_timer WHERE assign_at <= $1) AS offers,
       EXISTS (SELECT FROM order_timer WHERE alarm_at <= $1) AS alarms

-- name: stop_offer_timers: timers that are due of orders that somebody has by now; the lock keeps a new offer's from it
WITH gone AS MATERIALIZED (
    SELECT city_id, order_id FROM orders AS o
    WHERE state <> 'offered' AND (city_id, order_id) IN (
        (SELECT city_id, order_id FROM order_timer WHERE offer_due_at <= $1 ORDER BY offer_due_at LIMIT $2)
        UNION (SELECT city_id, order_id FROM order_timer WHERE assign_at <= $1 ORDER BY assign_at LIMIT $2))
    ORDER BY city_id, order_id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE order_timer AS t SET offer_due_at = NULL, assign_at = NULL
FROM gone WHERE t.city_id = gone.city_id AND t.order_id = gone.order_id

-- name: due_offers: offers, in any city, that may have a sealed window to end (`windowed`) or a ring to open (`ring_due`)
SELECT t.city_id, t.order_id, o.offer ->> 'mode' = 'sealed' AS windowed,
       (o.offer -> 'widen_at' ->> 0)::timestamptz <= $1 AS ring_due
FROM order_timer AS t JOIN orders AS o USING (city_id, order_id)
WHERE t.offer_due_at <= $1 ORDER BY t.offer_due_at LIMIT $2

-- name: due_assignments: offers that the machine takes over, in any city
SELECT city_id, order_id FROM order_timer AS t JOIN orders AS o USING (city_id, order_id)
WHERE t.assign_at <= $1 AND o.state = 'offered' ORDER BY o.severity DESC, t.assign_at LIMIT $2

-- name: in_hand: what the crews of a city hold and have not done yet
SELECT * FROM orders WHERE city_id = $1 AND open AND state IN ('claimed', 'en_route', 'arrived') ORDER BY order_id

-- name: reported_since: where a city's orders were reported after a moment, oldest first
SELECT lon, lat, severity, reported_at FROM orders
WHERE city_id = $1 AND reported_at > $2 AND lon IS NOT NULL ORDER BY reported_at LIMIT $3

-- name: due_alarms: cities in which a clock may have something to say
SELECT DISTINCT city_id FROM (SELECT city_id FROM order_timer WHERE alarm_at <= $1 ORDER BY alarm_at LIMIT 1000) AS due

-- name: lock_alarmed: orders of a city whose timer is due; those that somebody works on are left for the next look
SELECT o.* FROM order_timer AS t JOIN orders AS o USING (city_id, order_id)
WHERE t.city_id = $1 AND t.alarm_at <= $2 ORDER BY t.alarm_at LIMIT $3
FOR NO KEY UPDATE OF o SKIP LOCKED

-- name: insert_alarms: the alarms that had not fired yet
INSERT INTO clock_alarm (city_id, order_id, clock, deadline, kind, at)
SELECT $1, $2, n.clock, n.deadline, n.kind, $6 FROM unnest($3::text[], $4::timestamptz[], $5::text[]) AS n (clock, deadline, kind)
ON CONFLICT DO NOTHING RETURNING clock, deadline, kind

-- name: list_orders: a page of orders, newest first
SELECT * FROM orders
WHERE city_id = $1 AND ($2::text[] IS NULL OR state = ANY ($2)) AND ($3::text IS NULL OR zone = $3)
  AND ($4::text IS NULL OR crew_id = $4) AND ($5::text IS NULL OR order_id < $5)
ORDER BY order_id DESC LIMIT $6

-- name: list_open_orders: the same of open orders alone, by their own index: there are few, and all others lie between them
SELECT * FROM orders
WHERE city_id = $1 AND open AND state = ANY ($2::text[]) AND ($3::text IS NULL OR zone = $3)
  AND ($4::text IS NULL OR crew_id = $4) AND ($5::text IS NULL OR order_id < $5)
ORDER BY order_id DESC LIMIT $6

-- name: list_orders_of_crew: the same of one crew: of the open orders by their index, of all others by that of who did them
SELECT * FROM (
    (SELECT * FROM orders
     WHERE city_id = $1 AND open AND crew_id = $4 AND ($2::text[] IS NULL OR state = ANY ($2)) AND ($3::text IS NULL OR zone = $3)
       AND ($5::text IS NULL OR order_id < $5)
     ORDER BY order_id DESC LIMIT $6)
    UNION ALL
    (SELECT * FROM orders
     WHERE city_id = $1 AND done_by = $4 AND ($2::text[] IS NULL OR state = ANY ($2)) AND ($3::text IS NULL OR zone = $3)
       AND ($5::text IS NULL OR order_id < $5)
     ORDER BY order_id DESC LIMIT $6)
) AS of_crew ORDER BY order_id DESC LIMIT $6

-- name: list_requests: a page of what was reported in a time, newest first; $5 says whether it is still to be done
SELECT * FROM orders
WHERE city_id = $1 AND reported_at >= $2 AND reported_at <= $3 AND ($4::text[] IS NULL OR category = ANY ($4))
  AND ($5::boolean IS NULL OR open = $5)
ORDER BY reported_at DESC, order_id DESC LIMIT $6 OFFSET $7

-- name: list_open_requests: the same of open orders alone, by their own index: there are few
SELECT * FROM orders
WHERE city_id = $1 AND open AND reported_at >= $2 AND reported_at <= $3
  AND ($4::text[] IS NULL OR category = ANY ($4))
ORDER BY reported_at DESC, order_id DESC LIMIT $5 OFFSET $6

-- name: request_details: when some orders changed last (of those that are done: when they came to be), and their pictures
SELECT o.order_id, coalesce(
    (SELECT at FROM event AS e WHERE NOT o.open AND e.city_id = o.city_id AND e.order_id = o.order_id
        AND kind IN ('order.resolved', 'order.cancelled', 'order.merged') ORDER BY seq DESC LIMIT 1),
    (SELECT at FROM event AS e WHERE e.city_id = o.city_id AND e.order_id = o.order_id
        AND kind LIKE 'order.%' ORDER BY seq DESC LIMIT 1),
    o.reported_at) AS updated_at,
    (SELECT body -> 'extra' ->> 'media_url' FROM report AS r
        WHERE r.city_id = o.city_id AND r.order_id = o.order_id LIMIT 1) AS media_url
FROM orders AS o WHERE o.city_id = $1 AND o.order_id = ANY ($2::text[])

-- name: insert_report: a report as it came in; nothing comes back where another with its external id came first
INSERT INTO report (city_id, report_id, order_id, channel, external_id, body, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (city_id, channel, external_id) WHERE external_id IS NOT NULL DO NOTHING RETURNING report_id

-- name: find_report: a report
SELECT * FROM report WHERE city_id = $1 AND report_id = $2

-- name: find_external: the report that a channel sent under this id
SELECT * FROM report WHERE city_id = $1 AND channel = $2 AND external_id = $3

-- name: insert_override: what a dispatcher did and why
INSERT INTO order_override (city_id, override_id, order_id, at, actor, action, reason, body, before, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: last_override: the newest override of an order that is not undone
SELECT * FROM order_override WHERE city_id = $1 AND order_id = $2 AND NOT undone ORDER BY version DESC LIMIT 1

-- name: merged_into: the orders that were merged into one
SELECT order_id FROM orders WHERE city_id = $1 AND merged_into = $2 AND state = 'merged' ORDER BY order_id

-- name: mark_undone: an override that was taken back
UPDATE order_override SET undone = true WHERE city_id = $1 AND override_id = $2

-- name: insert_rating: what the resident says; of an order that must be locked, so that the newest word has the latest time
INSERT INTO rating (city_id, order_id, at, actor, crew_id, stars, comment, resolved, amends)
SELECT $1, $2, greatest($3, max(at) + interval '1 microsecond'), $4, $5, $6, $7, $8, $9
FROM rating WHERE city_id = $1 AND order_id = $2

-- name: standing_rating: the newest word about an order where it was "resolved", so that no visit came after it, and how many
-- other visits of its crew were rated since this one first was
SELECT last.stars, (
    SELECT count(*) FROM rating AS r
    WHERE r.city_id = $1 AND r.crew_id = first.crew_id AND NOT r.amends AND r.at > first.at) AS rated_since
FROM (SELECT stars, resolved FROM rating WHERE city_id = $1 AND order_id = $2 ORDER BY at DESC LIMIT 1) AS last
CROSS JOIN (SELECT crew_id, at FROM rating WHERE city_id = $1 AND order_id = $2 AND NOT amends ORDER BY at DESC LIMIT 1) AS first
WHERE last.resolved

-- name: changes_since: what else happened to an order since a version of it, other than the kinds of $4
SELECT kind FROM event
WHERE city_id = $1 AND order_id = $2 AND (data -> 'order' ->> 'version')::int > $3 AND kind <> ALL ($4::text[])
ORDER BY seq LIMIT 1
