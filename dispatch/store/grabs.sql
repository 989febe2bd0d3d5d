-- What a batch of judged grabs comes to.

-- name: settle: in one statement the winners' crews, their orders, the answers and the events. The conditions on shift,
-- load and revision, on state and version decide: where one of them fails, nothing after it is written and `claimed` is false.
-- Each part waits for the one before, so that rows are taken in the order of the house: crews, orders, counter, each by its key.
-- The counter row stays locked until the commit, which comes next. `nth` counts the $15 winners; a row without is an answer alone.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::int[], $7::float8[], $8::float8[], $9::text[],
                         $10::int[], $11::int[], $12::int[], $13::text[], $14::text[])
        AS n (crew_id, message_id, order_id, cycle, eta_s, distance_m, reason, nth, version, revision, clocks, data)
), loaded AS (
    UPDATE crew AS c SET load = c.load + 1, taken = c.taken + 1
    FROM (SELECT crew_id, revision FROM asked WHERE nth IS NOT NULL ORDER BY crew_id) AS n
    WHERE c.city_id = $1 AND c.crew_id = n.crew_id AND c.on_shift AND c.load < c.capacity AND c.revision = n.revision
    RETURNING 1
), fit AS MATERIALIZED (
    SELECT crew_id, order_id, version, clocks FROM asked
    WHERE nth IS NOT NULL AND (SELECT count(*) FROM loaded) = $15::int ORDER BY order_id
), claimed AS (
    UPDATE orders AS o
    SET version = o.version + 1, state = 'claimed', crew_id = n.crew_id, claimed_by = 'grab', clocks = n.clocks::json,
        offer = NULL
    FROM fit AS n
    WHERE o.city_id = $1 AND o.order_id = n.order_id AND o.version = n.version AND o.state = 'offered'
    RETURNING 1
), complete AS MATERIALIZED (
    SELECT count(*) AS claimed FROM claimed HAVING count(*) = $15::int
), answered AS (
    INSERT INTO crew_grab (city_id, crew_id, message_id, order_id, cycle, at, eta_s, distance_m, reason)
    SELECT $1, crew_id, message_id, order_id, cycle, $2, eta_s, distance_m, reason FROM complete, asked
    ON CONFLICT DO NOTHING RETURNING 1
), counter AS (
    UPDATE city_log SET last_seq = last_seq + claimed FROM complete WHERE city_id = $1
    RETURNING last_seq, last_seq - claimed AS before
), written AS (
    INSERT INTO event (city_id, seq, at, kind, order_id, crew_id, actor, data)
    SELECT $1, counter.before + n.nth, $2, $16, n.order_id, n.crew_id, 'crew:' || n.crew_id, n.data::json
    FROM counter, asked AS n WHERE n.nth IS NOT NULL
)
SELECT (SELECT count(*) FROM answered) AS answered, (SELECT count(*) FROM complete) = 1 AS claimed,
       (SELECT last_seq FROM counter) AS last_seq
