-- What a batch of judged grabs comes to.

-- name: settle: in one statement the answers, the winners' orders (the condition on state and version decides), their
-- crews' loads and the events. The counter row stays locked until the commit, which comes next; a row with no `version`
-- is an answer alone.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::int[], $8::float8[], $9::float8[], $10::text[],
                         $11::int[], $12::text[], $13::timestamptz[], $14::text[]) WITH ORDINALITY
        AS n (crew_id, message_id, order_id, cycle, eta_s, distance_m, reason, version, clocks, alarm_at, data, place)
), answered AS (
    INSERT INTO crew_grab (city_id, crew_id, message_id, order_id, cycle, at, eta_s, distance_m, reason)
    SELECT $1, crew_id, message_id, order_id, cycle, $2, eta_s, distance_m, reason FROM asked
    ON CONFLICT DO NOTHING RETURNING 1
), claimed AS (
    UPDATE orders AS o
    SET version = o.version + 1, state = 'claimed', crew_id = n.crew_id, claimed_by = 'grab', clocks = n.clocks::json,
        alarm_at = n.alarm_at, offer = NULL, offer_due_at = NULL, assign_at = NULL
    FROM asked AS n
    WHERE n.version IS NOT NULL
      AND o.city_id = $1 AND o.order_id = n.order_id AND o.version = n.version AND o.state = 'offered'
    RETURNING 1
), loaded AS (
    UPDATE crew AS c SET load = c.load + 1, taken = c.taken + 1 FROM asked AS n
    WHERE n.version IS NOT NULL AND c.city_id = $1 AND c.crew_id = n.crew_id
), won AS (
    SELECT order_id, crew_id, data, row_number() OVER (ORDER BY place) AS place FROM asked WHERE version IS NOT NULL
), counter AS (
    UPDATE city_log SET last_seq = last_seq + (SELECT count(*) FROM won) WHERE city_id = $1
    RETURNING last_seq, last_seq - (SELECT count(*) FROM won) AS before
), written AS (
    INSERT INTO event (city_id, seq, at, kind, order_id, crew_id, actor, data)
    SELECT $1, counter.before + won.place, $2, $3, won.order_id, won.crew_id, 'crew:' || won.crew_id, won.data::json
    FROM counter, won
)
SELECT (SELECT count(*) FROM answered) AS answered, (SELECT count(*) FROM claimed) AS claimed,
       (SELECT last_seq FROM counter) AS last_seq
