"""Who asks over HTTP: the intake that reports, the dispatchers that override, the resident who rates.

A request goes to some engine under a key; where no answer comes it is asked again under the same key, maybe elsewhere.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from dispatch import feedback, intake, overrides
from dispatch.errors import Unavailable
from dispatch.http.idempotency import once, read_key
from dispatch.store import Tx
from tests.simulation.database import CITY

if TYPE_CHECKING:
    from tests.simulation.processes import Node
    from tests.simulation.world import World

PATIENCE_S = 1.5
Answer = tuple[int, Any]
Step = Callable[["Node", Tx], Coroutine[Any, Any, Answer]]


class Office:
    """The requests that are on their way."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.waiting: set[str] = set()
        self.answers: dict[str, bytes] = {}

    def ask(self, key: str, user: str, body: Any, step: Step, *, twice: bool = False) -> None:
        """Send a request, or the same one `twice` at once, as a proxy in between may."""
        self.waiting.add(key)
        for _ in range(2 if twice else 1):
            self.world.spawn(self._ask(key, user, msgspec.json.encode(body), step))

    async def _ask(self, key: str, user: str, body: bytes, step: Step) -> None:
        world = self.world
        while True:
            await asyncio.sleep(world.delay())
            node = world.some_node()
            if node is not None:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        status, answer = await node.command(self._serve(node, key, user, body, step))
                        await asyncio.sleep(world.delay())
                    self._answered(key, status, answer)
                    return
                except (TimeoutError, Unavailable):
                    pass
            await asyncio.sleep(world.rng.uniform(0.1, 0.4))

    async def _serve(self, node: "Node", key: str, user: str, body: bytes, step: Step) -> tuple[int, bytes]:
        await node.desk(CITY)
        asked = read_key(key, city=CITY, subject=user, asked=(body,))
        return await once(node, asked, lambda tx: step(node, tx))

    def _answered(self, key: str, status: int, answer: bytes) -> None:
        world = self.world
        world.trace("office", "is told", status, "for", key)
        self.waiting.discard(key)
        if self.answers.setdefault(key, answer) != answer:
            world.wrong(f"{key} was answered {answer!r}, and {self.answers[key]!r} before")
        order = msgspec.json.decode(answer)
        if status >= 400:
            return
        if order["id"] not in world.model.orders:
            world.wrong(f"{key} was answered with {order['id']}, and the log does not know it")
        elif key.startswith("override") and order["version"] not in {
            version for version, _ in world.model.dispatched.get(order["id"], ())
        }:
            world.wrong(
                f"{key} was answered with version {order['version']} of {order['id']}; the log has no such word"
            )

    def report(self, key: str, body: intake.ReportIn, *, twice: bool) -> None:
        """Report a fault."""

        async def step(node: "Node", tx: Tx) -> Answer:
            mirror = node.desks[CITY].mirror
            number = self.world.number()
            taken = await intake.take_report(
                tx,
                body,
                city=mirror.city,
                crews=mirror.crews.values(),
                report_id=f"r{number}",
                order_id=f"o{number}",
                actor="user:intake",
            )
            return 201, (await tx.orders.find(taken.order)).public()

        self.ask(key, "intake", body, step, twice=twice)

    def override(self, key: str, user: str, order: str, word: overrides.OverrideIn, *, twice: bool) -> None:
        """Override what is with an order."""

        async def step(node: "Node", tx: Tx) -> Answer:
            mirror = node.desks[CITY].mirror
            changed = await overrides.override(
                tx,
                order,
                word,
                actor=f"user:{user}",
                override_id=f"v{self.world.number()}",
                city=mirror.city,
                crews=mirror.crews.values(),
            )
            if word.version is not None and changed.version != word.version + 1:
                self.world.wrong(f"{key} was for version {word.version} of {order}, and made version {changed.version}")
            return 200, changed.public()

        self.world.trace(user, "says", word, "of", order)
        self.ask(key, user, word, step, twice=twice)

    def rate(self, key: str, order: str, *, stars: int, resolved: bool) -> None:
        """Rate a visit."""
        rating = feedback.RatingIn(stars=stars, resolved=resolved)

        async def step(node: "Node", tx: Tx) -> Answer:
            mirror = node.desks[CITY].mirror
            crews = mirror.crews.values()
            rated = await feedback.rate(tx, order, rating, actor="user:intake", city=mirror.city, crews=crews)
            return 200, rated.public()

        self.ask(key, "intake", rating, step)
