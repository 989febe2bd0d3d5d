-- Proposed moves of told work (step 5, where the zone's policy asks a person first).

-- name: replans: every proposal of a city, the dismissed too, the oldest first
SELECT * FROM replan WHERE city_id = $1 ORDER BY proposed_at, order_id

-- name: undecided_replan: one proposal that nobody has decided
SELECT * FROM replan WHERE city_id = $1 AND replan_id = $2 AND dismissed_at IS NULL

-- name: put_replan: a proposal in the place of what was proposed for the order before
INSERT INTO replan (city_id, order_id, replan_id, crew_id, to_crew_id, reason, arrives_s, instead_of_s, delays, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (city_id, order_id) DO UPDATE SET
    replan_id = excluded.replan_id, crew_id = excluded.crew_id, to_crew_id = excluded.to_crew_id,
    reason = excluded.reason, arrives_s = excluded.arrives_s, instead_of_s = excluded.instead_of_s,
    delays = excluded.delays, proposed_at = excluded.proposed_at, dismissed_at = NULL

-- name: dismiss_replan: somebody said no; nothing comes back where another was faster
UPDATE replan SET dismissed_at = $3 WHERE city_id = $1 AND replan_id = $2 AND dismissed_at IS NULL RETURNING order_id

-- name: drop_replan: it is over; what was dismissed comes back as such
DELETE FROM replan WHERE city_id = $1 AND replan_id = $2 RETURNING dismissed_at
