-- What forecasts are learned from, and where they are kept.

-- name: trips: drives of crews to orders since a moment, the newest first: from where, to where, when, how long
SELECT fix.lon AS from_lon, fix.lat AS from_lat, o.lon AS to_lon, o.lat AS to_lat, departed.at AS departed_at,
       extract(epoch FROM reached.at - departed.at)::double precision AS seconds
FROM event AS departed
JOIN LATERAL (
    SELECT next.kind, next.at, next.crew_id, next.data FROM event AS next
    WHERE next.city_id = departed.city_id AND next.order_id = departed.order_id AND next.seq > departed.seq
      AND next.kind NOT IN ('clock.at_risk', 'clock.breached', 'order.updated')
    ORDER BY next.seq LIMIT 1
) AS reached ON reached.kind = 'order.arrived' AND reached.crew_id = departed.crew_id
    -- An arrival that no fix proves may have been told from anywhere.
    AND NOT coalesce((reached.data ->> 'unverified')::boolean, false)
JOIN LATERAL (
    SELECT f.lon, f.lat FROM crew_fix AS f
    WHERE f.city_id = departed.city_id AND f.crew_id = departed.crew_id
      AND f.received_at BETWEEN departed.at - interval '2 minutes' AND departed.at + interval '10 seconds'
    ORDER BY f.received_at DESC LIMIT 1
) AS fix ON true
JOIN orders AS o ON o.city_id = departed.city_id AND o.order_id = departed.order_id AND o.lon IS NOT NULL
WHERE departed.city_id = $1 AND departed.kind = 'order.en_route' AND departed.at >= $2
ORDER BY departed.at DESC LIMIT $3

-- name: visits: work at the door since a moment, the newest first: what it was and how long it took
SELECT o.category, o.severity, extract(epoch FROM done.at - arrived.at)::double precision AS seconds
FROM event AS arrived
JOIN LATERAL (
    SELECT next.kind, next.at FROM event AS next
    WHERE next.city_id = arrived.city_id AND next.order_id = arrived.order_id AND next.seq > arrived.seq
      AND next.kind NOT IN ('clock.at_risk', 'clock.breached', 'order.updated')
    ORDER BY next.seq LIMIT 1
) AS done ON done.kind = 'order.resolved'
JOIN orders AS o ON o.city_id = arrived.city_id AND o.order_id = arrived.order_id
WHERE arrived.city_id = $1 AND arrived.kind = 'order.arrived' AND arrived.at >= $2
ORDER BY arrived.at DESC LIMIT $3

-- name: offers: offers opened since a moment, the newest first: where, when, how long they were open, how they ended
SELECT o.zone, opened.at AS opened_at, coalesce(ended.kind = 'order.claimed', false) AS grabbed,
       extract(epoch FROM coalesce(ended.at, $4) - opened.at)::double precision AS seconds
FROM event AS opened
LEFT JOIN LATERAL (
    SELECT next.kind, next.at FROM event AS next
    WHERE next.city_id = opened.city_id AND next.order_id = opened.order_id AND next.seq > opened.seq
      AND next.kind NOT IN ('clock.at_risk', 'clock.breached', 'order.updated', 'order.widened', 'order.offered_to',
                            'order.declined', 'order.stranded', 'order.bids_refused', 'order.reprioritized',
                            'order.paused', 'order.resumed')
    ORDER BY next.seq LIMIT 1
) AS ended ON true
JOIN orders AS o ON o.city_id = opened.city_id AND o.order_id = opened.order_id
WHERE opened.city_id = $1 AND opened.kind = 'order.offered' AND opened.at >= $2
ORDER BY opened.at DESC LIMIT $3

-- name: reports: reports since a moment, counted by zone and local hour
SELECT date_trunc('hour', reported_at AT TIME ZONE $3) AS hour, zone, count(*) AS reports
FROM orders WHERE city_id = $1 AND reported_at >= $2 AND zone IS NOT NULL
GROUP BY 1, 2

-- name: first_report: when the city's history begins
SELECT min(reported_at) FROM orders WHERE city_id = $1

-- name: save: keep what was learned, in place of what was known before
INSERT INTO forecast (city_id, kind, computed_at, document)
SELECT $1, n.kind, $2, n.document::json FROM unnest($3::text[], $4::text[]) AS n (kind, document)
ON CONFLICT (city_id, kind) DO UPDATE SET computed_at = excluded.computed_at, document = excluded.document

-- name: load: what a city learned
SELECT kind, document FROM forecast WHERE city_id = $1

-- name: newest: when each city learned last
SELECT city_id, max(computed_at) AS computed_at FROM forecast GROUP BY city_id
