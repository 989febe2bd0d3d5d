-- A clock that starts anew leaves its earlier turn under `name#1`, `name#2`: lists and sums know every turn by its plain name.
CREATE OR REPLACE VIEW order_clock AS
SELECT o.city_id, o.order_id, o.zone, o.severity, o.state AS order_state, o.reported_at, split_part(c.key, '#', 1) AS clock,
       v.state, v.started_at, v.due_at, v.at_risk_at, v.stopped_at, v.paused_at, v.pause_reason, coalesce(v.paused_s, 0) AS paused_s
FROM orders AS o CROSS JOIN LATERAL json_each(o.clocks) AS c
CROSS JOIN LATERAL json_to_record(c.value) AS v (state text, started_at timestamptz, due_at timestamptz, at_risk_at timestamptz,
                                                 stopped_at timestamptz, paused_at timestamptz, pause_reason text,
                                                 paused_s double precision);

-- Whether an earlier turn of a clock was breached: where an order counts once, that is its verdict.
CREATE FUNCTION missed_before(clocks json, name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT strpos(clocks::text, name || '#') > 0 AND EXISTS (
        SELECT FROM json_each(clocks) AS turn CROSS JOIN LATERAL clock_verdict(turn.value) AS v (verdict, took_s)
        WHERE turn.key LIKE name || '#%' AND v.verdict = 'breached')
$$;

CREATE INDEX orders_merged ON orders (city_id, merged_into) WHERE merged_into IS NOT NULL;
