"""Two of one request at once, of which one is refused: whoever commits first has given the answer to both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from dispatch.engine import Engine
from dispatch.errors import Impossible
from dispatch.http.idempotency import Key, once, once_in_parts, read_key
from dispatch.store import Database, Tx
from tests.town import add_town


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """A database with the city `town`."""
    await add_town(database, "town")
    db = Database(database, size=2)
    yield db
    await db.close()


class Overtaken:
    """An engine that is slow after its first transaction: the same request is answered elsewhere meanwhile."""

    def __init__(self, db: Database, elsewhere: Callable[[], Awaitable[Any]]) -> None:
        self.db = db
        self.elsewhere = elsewhere
        self.transactions = 0

    async def run(self, city: str, step: Any, *, repeatable: bool) -> Any:
        self.transactions += 1
        if self.transactions == 2:
            await self.elsewhere()
        return await self.db.run(city, step, repeatable=repeatable)


def asked() -> Key:
    return read_key("k", city="town", subject="user:u", asked=(b"body",))


async def refuse(_tx: Tx) -> tuple[int, Any]:
    raise Impossible("not now")


async def allow(_tx: Tx) -> tuple[int, Any]:
    return 200, {"done": True}


@pytest.mark.parametrize("secret", [False, True])
async def test_who_is_refused_hears_the_answer_that_was_committed_elsewhere_meanwhile(
    db: Database, secret: bool
) -> None:
    first: list[Any] = []
    again = iter([refuse, allow])

    async def step(tx: Tx) -> tuple[int, Any]:
        return await next(again)(tx)

    async def elsewhere() -> None:
        first.append(await once(cast("Engine", db), asked(), allow, secret=secret))

    engine = Overtaken(db, elsewhere)
    assert await once(cast("Engine", engine), asked(), step, secret=secret) == first[0]


async def test_a_refusal_that_was_committed_elsewhere_is_the_answer(db: Database) -> None:
    async def elsewhere() -> None:
        await once(cast("Engine", db), asked(), other_refusal)

    async def other_refusal(_tx: Tx) -> tuple[int, Any]:
        raise Impossible("refused elsewhere")

    status, answer = await once(cast("Engine", Overtaken(db, elsewhere)), asked(), refuse)
    assert status == 409
    assert b"refused elsewhere" in answer
    assert await once(cast("Engine", db), asked(), allow) == (status, answer)


async def test_work_in_parts_that_was_refused_is_refused_again(db: Database) -> None:
    answers: Iterator[Any] = iter([Impossible("not now"), None])

    async def work() -> tuple[int, Any]:
        answer: Any = next(answers)
        if isinstance(answer, Impossible):
            raise answer
        return 200, {"done": True}

    first = await once_in_parts(cast("Engine", db), asked(), work)
    assert first[0] == 409
    assert await once_in_parts(cast("Engine", db), asked(), work) == first


async def test_without_a_key_nothing_is_kept_of_a_refusal(db: Database) -> None:
    with pytest.raises(Impossible):
        await once(cast("Engine", db), read_key(None, city="town", subject="u", asked=()), refuse)
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM idempotency") == 0
