-- What the wallboard and a period's report ask. A verdict is `met`, `breached`, or null while a clock is undecided.

-- name: standing: per zone, of the orders reported from $2 until before $3: verdicts and claims
WITH standing AS (
    SELECT o.zone, o.claimed_by, CASE WHEN missed_before(o.clocks, 'hand_down') THEN 'breached' ELSE h.verdict END AS hand_down,
           CASE WHEN missed_before(o.clocks, 'arrival') THEN 'breached' ELSE a.verdict END AS arrival
    FROM orders AS o CROSS JOIN LATERAL json_to_record(o.clocks) AS c (hand_down json, arrival json)
    CROSS JOIN LATERAL clock_verdict(c.hand_down) AS h (verdict, took_s)
    CROSS JOIN LATERAL clock_verdict(c.arrival) AS a (verdict, took_s)
    WHERE o.city_id = $1 AND o.reported_at >= $2 AND o.reported_at < $3
)
SELECT zone, count(*) AS reports,
       count(*) FILTER (WHERE hand_down = 'met') AS hand_down_met, count(*) FILTER (WHERE hand_down = 'breached') AS hand_down_breached,
       count(*) FILTER (WHERE arrival = 'met') AS arrival_met, count(*) FILTER (WHERE arrival = 'breached') AS arrival_breached,
       count(*) FILTER (WHERE claimed_by = 'grab') AS grab, count(*) FILTER (WHERE claimed_by = 'optimizer') AS optimizer,
       count(*) FILTER (WHERE claimed_by = 'dispatcher') AS dispatcher
FROM standing GROUP BY zone

-- name: verdicts: each order that can still change a figure: reported from $2 on, or open
SELECT o.order_id, o.zone, o.reported_at, o.claimed_by, CASE WHEN missed_before(o.clocks, 'hand_down') THEN 'breached' ELSE h.verdict END AS hand_down,
       CASE WHEN missed_before(o.clocks, 'arrival') THEN 'breached' ELSE a.verdict END AS arrival, a.took_s AS arrival_s
FROM orders AS o CROSS JOIN LATERAL json_to_record(o.clocks) AS c (hand_down json, arrival json)
CROSS JOIN LATERAL clock_verdict(c.hand_down) AS h (verdict, took_s)
CROSS JOIN LATERAL clock_verdict(c.arrival) AS a (verdict, took_s)
WHERE o.city_id = $1 AND (o.reported_at >= $2 OR o.state NOT IN ('resolved', 'closed', 'merged', 'cancelled'))
ORDER BY o.order_id

-- name: arrivals: how many arrived in each minute after their report, of the orders reported from $2 until before $3
SELECT least(greatest(floor(a.took_s / 60), 0), $4)::int AS minute, count(*) AS count
FROM orders AS o CROSS JOIN LATERAL clock_verdict(o.clocks -> 'arrival') AS a (verdict, took_s)
WHERE o.city_id = $1 AND o.reported_at >= $2 AND ($3::timestamptz IS NULL OR o.reported_at < $3) AND a.took_s IS NOT NULL
GROUP BY minute ORDER BY minute

-- name: hours: how many orders were reported in each hour of a time zone; hours without any are left out
SELECT date_trunc('hour', reported_at, $4) AS hour, count(*) AS count
FROM orders WHERE city_id = $1 AND reported_at >= $2 AND reported_at < $3 GROUP BY hour ORDER BY hour

-- name: first_report: when the first order of a city was reported
SELECT min(reported_at) FROM orders WHERE city_id = $1

-- name: claims: how the orders reported from $2 until before $3 came to their crews
SELECT coalesce(claimed_by, 'nobody') AS claimed_by, count(*) AS count
FROM orders WHERE city_id = $1 AND reported_at >= $2 AND reported_at < $3 GROUP BY 1 ORDER BY 1

-- name: ledger: a page of the orders reported from $2 until before $3, the oldest first, after the order ($4, $5)
SELECT o.order_id, o.reported_at, o.zone, o.category, o.severity, o.state, o.address, o.claimed_by, o.unverified,
       r.channel, w.name AS crew,
       CASE WHEN missed_before(o.clocks, 'hand_down') THEN 'breached' ELSE h.verdict END AS hand_down, h.took_s AS hand_down_s,
       CASE WHEN missed_before(o.clocks, 'arrival') THEN 'breached' ELSE a.verdict END AS arrival, a.took_s AS arrival_s,
       d.verdict AS resolve, d.took_s AS resolve_s,
       (c.hand_down ->> 'paused_s')::float8 AS hand_down_paused_s, (c.arrival ->> 'paused_s')::float8 AS arrival_paused_s,
       (c.resolve ->> 'paused_s')::float8 AS resolve_paused_s,
       rating.stars, n.notes
FROM orders AS o CROSS JOIN LATERAL json_to_record(o.clocks) AS c (hand_down json, arrival json, resolve json)
CROSS JOIN LATERAL clock_verdict(c.hand_down) AS h (verdict, took_s)
CROSS JOIN LATERAL clock_verdict(c.arrival) AS a (verdict, took_s)
CROSS JOIN LATERAL clock_verdict(c.resolve) AS d (verdict, took_s)
LEFT JOIN crew AS w ON w.city_id = o.city_id AND w.crew_id = o.crew_id
LEFT JOIN LATERAL (
    SELECT channel FROM report WHERE report.city_id = o.city_id AND report.order_id = o.order_id ORDER BY received_at LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT stars FROM rating WHERE rating.city_id = o.city_id AND rating.order_id = o.order_id ORDER BY at DESC LIMIT 1
) AS rating ON true
LEFT JOIN LATERAL (
    SELECT string_agg(note, '; ' ORDER BY at, note_id) AS notes FROM alarm_note
    WHERE alarm_note.city_id = o.city_id AND alarm_note.order_id = o.order_id
) AS n ON true
WHERE o.city_id = $1 AND o.reported_at >= $2 AND o.reported_at < $3
  AND ($4::timestamptz IS NULL OR (o.reported_at, o.order_id) > ($4, $5))
ORDER BY o.reported_at, o.order_id LIMIT $6

-- name: alarms: alarms with what was said about them, the newest first
SELECT a.order_id, a.clock, a.deadline, a.kind, a.at, o.zone, o.category, o.severity, o.state, o.address, o.crew_id,
       CASE WHEN c.started_at > a.deadline THEN c.started_at ELSE c.stopped_at END AS stopped_at, n.notes  -- an earlier turn is over
FROM clock_alarm AS a JOIN orders AS o USING (city_id, order_id)
CROSS JOIN LATERAL json_to_record(o.clocks -> a.clock) AS c (started_at timestamptz, stopped_at timestamptz)
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('at', said.at, 'actor', said.actor, 'name', u.name, 'note', said.note)
                    ORDER BY said.at, said.note_id) AS notes
    FROM alarm_note AS said LEFT JOIN account AS u ON u.city_id = said.city_id AND 'user:' || u.user_id = said.actor
    WHERE said.city_id = a.city_id AND said.order_id = a.order_id AND said.clock = a.clock
      AND said.deadline = a.deadline AND said.kind = a.kind
) AS n ON true
WHERE a.city_id = $1 AND a.kind = $2 AND ($3::timestamptz IS NULL OR a.at >= $3) AND ($11::timestamptz IS NULL OR a.at < $11)
  AND ($4::boolean IS NULL OR $4 = (n.notes IS NOT NULL)) AND ($9::text IS NULL OR a.order_id = $9)
  AND ($5::timestamptz IS NULL OR (a.at, a.order_id, a.clock, a.deadline) < ($5, $6, $7, $8))
ORDER BY a.at DESC, a.order_id DESC, a.clock DESC, a.deadline DESC LIMIT $10

-- name: has_alarm: whether an alarm has fired, and whether anybody has said that he saw it
SELECT EXISTS (SELECT FROM alarm_note AS n WHERE n.city_id = a.city_id AND n.order_id = a.order_id AND n.clock = a.clock
               AND n.deadline = a.deadline AND n.kind = a.kind) AS acknowledged
FROM clock_alarm AS a WHERE city_id = $1 AND order_id = $2 AND clock = $3 AND deadline = $4 AND kind = $5

-- name: insert_note: somebody has seen an alarm, or says more about it
INSERT INTO alarm_note (city_id, order_id, clock, deadline, kind, note_id, at, actor, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
