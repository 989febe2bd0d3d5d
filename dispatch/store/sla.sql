-- What SLA monitors ask.

-- name: summary: per clock and zone, and per clock over all zones (`whole`), of the orders reported in a time: counts, shares and percentiles of the time it took
WITH clock AS (
    SELECT clock, zone, due_at, stopped_at, at_risk_at,
           extract(epoch FROM stopped_at - started_at) - paused_s AS took_s,
           stopped_at IS NOT NULL AND stopped_at <= due_at AND state <> 'breached' AS met,
           state = 'breached' OR coalesce(stopped_at, now()) > due_at AND paused_at IS NULL AS breached,
           stopped_at IS NULL AND paused_at IS NULL AND at_risk_at <= now() AND due_at > now() AS at_risk
    FROM order_clock
    WHERE city_id = $1 AND ($2::timestamptz IS NULL OR reported_at >= $2) AND ($3::timestamptz IS NULL OR reported_at < $3)
      AND ($4::text IS NULL OR zone = $4) AND state <> 'stopped'
)
SELECT clock, zone, grouping(zone) AS whole, count(*) AS count, count(*) FILTER (WHERE met) AS met, count(*) FILTER (WHERE breached) AS breached,
       count(*) FILTER (WHERE at_risk) AS at_risk,
       round(count(*) FILTER (WHERE met)::numeric / nullif(count(*) FILTER (WHERE met OR breached), 0), 4)::float8 AS share,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s) AS p50,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY took_s) AS p90,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY took_s) AS p99
FROM clock GROUP BY GROUPING SETS ((clock, zone), (clock)) ORDER BY clock, zone NULLS LAST

-- name: clocks: single clocks with where they stand now, the next due first
SELECT * FROM standing_clock
WHERE city_id = $1 AND ($2::text IS NULL OR state = $2)
  AND ($3::timestamptz IS NULL OR (due_at, order_id, clock) > ($3, $4, $5))
ORDER BY due_at, order_id, clock LIMIT $6

-- name: met_clocks: clocks that were met, those of the newest order first: along the key of orders, no further than the page
SELECT * FROM standing_clock
WHERE city_id = $1 AND state = 'met'
  AND ($2::text IS NULL OR (order_id <= $2 AND (order_id, clock, due_at) < ($2, $3, $4::timestamptz)))
ORDER BY order_id DESC, clock DESC, due_at DESC LIMIT $5

-- name: unmet_clocks: the same of clocks that run, stand still or are breached, without a look at every order there ever was.
-- A clock that has something to say yet has a timer, one that stands still is an open order's, and a breach has its alarm.
WITH concerned AS (
    SELECT order_id FROM orders WHERE city_id = $1 AND open
    UNION SELECT order_id FROM order_timer WHERE city_id = $1 AND alarm_at IS NOT NULL
    UNION SELECT order_id FROM clock_alarm WHERE city_id = $1 AND kind = 'breached' AND $2 = 'breached'
)
SELECT * FROM standing_clock
WHERE city_id = $1 AND state = $2 AND order_id IN (SELECT order_id FROM concerned)
  AND ($3::timestamptz IS NULL OR (due_at, order_id, clock) > ($3, $4, $5))
ORDER BY due_at, order_id, clock LIMIT $6
