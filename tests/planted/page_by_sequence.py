"""Events are numbered by a plain sequence, not by the city's counter row, and read page by page from the last one seen.

Breaks promise 3: a number is taken long before its transaction commits, so a later one can be seen first; who has
passed it never comes back for the earlier.
"""

from collections.abc import Sequence
from typing import Any

from dispatch import supervisor
from dispatch.config import Settings
from dispatch.mirror import Mirror
from dispatch.relay import Relay
from dispatch.store.connect import connected
from dispatch.store.tx import GRABS, LOG

SEQUENCES = """
CREATE OR REPLACE FUNCTION plain_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %I', 'plain_' || NEW.city_id); RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER plain_sequence AFTER INSERT ON city FOR EACH ROW EXECUTE FUNCTION plain_sequence();
DO $$ DECLARE known text;
BEGIN FOR known IN SELECT city_id FROM city LOOP
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %I', 'plain_' || known); END LOOP; END $$;
"""
APPEND = """
WITH written AS (
    INSERT INTO event (city_id, seq, at, kind, order_id, crew_id, actor, data)
    SELECT $1, nextval('plain_' || $1), $2, kind, order_id, crew_id, actor, data::json
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS n (kind, order_id, crew_id, actor, data)
    RETURNING seq
)
SELECT max(seq) FROM written
"""
LAST = "coalesce((SELECT max(seq) FROM event AS e WHERE e.city_id = {}), 0)"


def plant() -> None:
    """Put the bug back."""
    LOG["append"] = APPEND
    LOG["heads"] = f"SELECT city_id, {LAST.format('city_log.city_id')} AS last_seq FROM city_log"
    LOG["head"] = LOG["head"].replace("l.last_seq", LAST.format("$1") + " AS last_seq")
    settle = GRABS["settle"]
    begin, end = settle.index("), counter AS ("), settle.index("), written AS (")
    settle = settle[:begin] + "), counter AS (SELECT claimed AS last_seq FROM complete" + settle[end:]
    GRABS["settle"] = settle.replace("counter.before + won.nth", "nextval('plain_' || $1)")

    fold, prepare = Mirror.fold, supervisor.prepare_database

    def fold_next(self: Any, event: Any, *particulars: Any) -> Any:
        self.seq = event.seq - 1  # a sequence has gaps
        return fold(self, event, *particulars)

    async def prepare_with_sequences(settings: Settings) -> str:
        token = await prepare(settings)
        assert settings.database_url is not None
        async with connected(settings.database_url) as connection:
            await connection.execute(SEQUENCES)
        return token

    def hear_nothing(self: Relay, own: Sequence[Any]) -> None:
        """Read one's own events back, like everybody's."""

    Mirror.fold = fold_next  # type: ignore[method-assign, assignment]
    Relay.hear = hear_nothing  # type: ignore[method-assign]
    supervisor.prepare_database = prepare_with_sequences
