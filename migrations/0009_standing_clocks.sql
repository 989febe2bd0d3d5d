-- Where each clock stands at this moment, as lists show it; those that were stopped without a verdict are left out.
CREATE VIEW standing_clock AS
SELECT city_id, order_id, zone, severity, clock, started_at, due_at, stopped_at, paused_at, pause_reason,
       CASE WHEN state = 'breached' THEN 'breached'
            WHEN stopped_at IS NOT NULL THEN state
            WHEN paused_at IS NOT NULL THEN 'paused'
            WHEN due_at <= now() THEN 'breached'
            WHEN at_risk_at <= now() THEN 'at_risk'
            ELSE 'running' END AS state,
       extract(epoch FROM due_at - coalesce(stopped_at, paused_at, now()))::float8 AS remaining_s
FROM order_clock WHERE state <> 'stopped';
