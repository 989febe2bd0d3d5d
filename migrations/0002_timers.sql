-- Timers leave the order's row, so that taking an order changes no indexed column of it and is written in place (HOT).
--
-- A timer may be early, never late: whoever is woken looks at the order, finds nothing to do, and sets the timer anew.
-- So a grab leaves the timers of its order as they are.

CREATE TABLE order_timer (
    city_id         text NOT NULL,
    order_id        text NOT NULL,
    alarm_at        timestamptz,                  -- when a clock has something to say next, or before
    offer_due_at    timestamptz,                  -- when the offer's window ends or its next ring opens
    assign_at       timestamptz,                  -- when the machine takes the offer over
    PRIMARY KEY (city_id, order_id),
    FOREIGN KEY (city_id, order_id) REFERENCES orders
) WITH (fillfactor = 70);
INSERT INTO order_timer SELECT city_id, order_id, alarm_at, offer_due_at, assign_at FROM orders;
CREATE INDEX timer_of_alarm ON order_timer (alarm_at) WHERE alarm_at IS NOT NULL;
CREATE INDEX timer_of_offer ON order_timer (offer_due_at) WHERE offer_due_at IS NOT NULL;
CREATE INDEX timer_of_assignment ON order_timer (assign_at) WHERE assign_at IS NOT NULL;

DROP INDEX orders_open;
ALTER TABLE orders
    DROP COLUMN alarm_at,
    DROP COLUMN offer_due_at,
    DROP COLUMN assign_at,
    ADD COLUMN open boolean NOT NULL
        GENERATED ALWAYS AS (state NOT IN ('resolved', 'closed', 'merged', 'cancelled')) STORED;
CREATE INDEX orders_open ON orders (city_id, order_id) WHERE open;
