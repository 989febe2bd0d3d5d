-- What a crew has done is found by its own index. Of open orders the column is null: to take one changes no indexed column of it, as
-- before, and it is written in place.
ALTER TABLE orders ADD COLUMN done_by text
    GENERATED ALWAYS AS (CASE WHEN state IN ('resolved', 'closed', 'merged', 'cancelled') THEN crew_id END) STORED;
CREATE INDEX orders_done_by ON orders (city_id, done_by, order_id) WHERE done_by IS NOT NULL;
