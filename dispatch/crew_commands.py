"""What a crew's socket can ask of the engine beside grabs: shift, position, progress, decline.

Each is a step run as one transaction, and what follows from it: a crew that comes on shift, is located or has room
again is offered what is open, the most urgent first.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from crew_client.protocol import HandBack, Progress, ProgressAck
from dispatch import crews as crew_steps
from dispatch import grabs, offers, visits
from dispatch.crews import ShiftWord
from dispatch.errors import Unavailable
from dispatch.logs import logger
from dispatch.mirror import Mirror
from dispatch.store.crews import Fix

if TYPE_CHECKING:
    from dispatch.engine import Engine

log = logger("crews")

SECOND_LOOK_S = 1.0
"""Longer than a transaction that opens an offer, and than another engine takes to hear of a crew."""
PLACED_APART_S = 0.05
"""How long to wait between two looks at newly located crews: a shift begins for many at once."""
JOIN_AT_ONCE = 50
"""How many open orders are offered to a crew in one transaction."""


class CrewCommands:
    """The commands of the crews of every city that an engine serves."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._unplaced: set[tuple[str, str]] = set()
        self._second_looks: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._placed: set[str] = set()
        self._some_placed = asyncio.Event()

    async def close_window(self, city_id: str, order_id: str) -> None:
        """Judge a sealed window at once where everybody has answered."""
        city = (await self._engine.desk(city_id)).mirror.city
        await self._engine.run(city_id, lambda tx: grabs.close_window(tx, order_id, city=city))

    async def set_shift(
        self, city_id: str, crew_id: str, on: bool, *, fix: Fix | None = None, word: ShiftWord | None = None
    ) -> None:
        """Begin or end a shift, by the crew's word or a dispatcher's, and offer the crew what is open to it then."""
        desk = await self._engine.desk(city_id)
        if not on:
            self._engine.positions.forget(city_id, crew_id)
        await self._engine.run(
            city_id, lambda tx: crew_steps.set_shift(tx, crew_id, on, fix=fix, word=word), repeatable=True
        )
        await desk.relay.catch_up()
        if on and fix is not None:
            self._engine.positions.hear(desk.mirror, fix)
            self._engine.bus.placed(city_id)
        if on:
            await self._join_open(desk.mirror, crew_id)
            self._join_again(city_id, crew_id)

    async def hear_position(self, city_id: str, fix: Fix) -> None:
        """Take a fix of a crew on shift; the first one makes it eligible, so what is open is offered at once."""
        mirror = (await self._engine.desk(city_id)).mirror
        crew = mirror.crews.get(fix.crew)
        self._engine.metrics.positions.inc()
        if crew is None or not crew.on_shift:
            return
        if crew.position is None:
            self._unplaced.add((city_id, fix.crew))
        self._engine.positions.hear(mirror, fix)  # what is opened from now on is offered to it
        if (city_id, fix.crew) in self._unplaced:
            await self._engine.positions.write(city_id, fix)
            self._engine.bus.placed(city_id)
            await self._join_open(mirror, fix.crew)
            self._unplaced.discard((city_id, fix.crew))
            self._join_again(city_id, fix.crew)

    def placed_elsewhere(self, cities: Collection[str]) -> None:
        """Let `hear_placed` look: another engine has located a crew in these cities."""
        if cities:
            self._placed.update(cities)
            self._some_placed.set()

    async def hear_placed(self) -> None:
        """Look at once where another engine has located a crew, so that what opens here is offered to it, too."""
        while True:
            await self._some_placed.wait()
            self._some_placed.clear()
            placed, self._placed = self._placed, set()
            try:
                for desk in [desk for city, desk in self._engine.desks.items() if city in placed]:
                    await desk.relay.catch_up()  # its shift
                await self.hear_others()
            except Unavailable:
                log.debug("where a crew is, the poll will find")
            except Exception:
                log.exception("hearing of a crew's place failed")
            await asyncio.sleep(PLACED_APART_S)

    async def hear_others(self) -> None:
        """Hear where the other engines' crews are; what we opened before we knew of one, we did not offer it."""
        mirrors = {city: desk.mirror for city, desk in self._engine.desks.items()}
        for city, crew in await self._engine.positions.hear_others(mirrors):
            self.join_open_later(city, crew)

    def join_open_later(self, city_id: str, crew_id: str) -> None:
        """Offer a crew what is open to it and was not offered yet; waits for the database where it is away."""

        async def join() -> None:
            while not self._engine.draining:
                try:
                    desk = await self._engine.desk(city_id)
                    await desk.relay.catch_up()
                    await self._join_open(desk.mirror, crew_id)
                    return
                except Unavailable:
                    await asyncio.sleep(0.5)

        self._engine.later(join())
        self._join_again(city_id, crew_id)

    def _join_again(self, city_id: str, crew_id: str) -> None:
        """Look once more a little later: an offer that was being opened meanwhile did not know the crew yet.

        Asked again before that, it looks once, a little later than the last time.
        """

        async def look() -> None:
            with suppress(Unavailable):
                desk = await self._engine.desk(city_id)
                await self._join_open(desk.mirror, crew_id)

        def again() -> None:
            del self._second_looks[(city_id, crew_id)]
            if not self._engine.draining:
                self._engine.later(look())

        if (before := self._second_looks.get((city_id, crew_id))) is not None:
            before.cancel()
        loop = asyncio.get_running_loop()
        self._second_looks[(city_id, crew_id)] = loop.call_later(SECOND_LOOK_S, again)

    async def _join_open(self, mirror: Mirror, crew_id: str) -> None:
        """Offer a crew what is open to it, the most urgent first, until it has no room any more.

        Each transaction locks few orders: on a bad day thousands are open, and crews grab them meanwhile.
        """
        since, waiting = mirror.seq, mirror.not_yet_offered(crew_id)
        waiting.sort(key=lambda order: (-order.severity, order.reported_at))
        for start in range(0, len(waiting), JOIN_AT_ONCE):
            crew = mirror.crews.get(crew_id)
            if crew is None or not crew.on_shift or crew.load >= crew.capacity:
                return
            batch = [order.id for order in waiting[start : start + JOIN_AT_ONCE]]
            await self._engine.run(
                mirror.city.id,
                lambda tx, batch=batch: offers.join(tx, crew_id, batch, mirror.city, since=since),  # type: ignore[misc]
            )

    async def progress(self, city_id: str, crew_id: str, word: Progress) -> ProgressAck:
        """Take a crew's word on an order; for an arrival the fixes received so far are written first."""
        desk = await self._engine.desk(city_id)
        if word.to == "arrived":
            await self._engine.positions.flush(city_id)
        answer = await self._engine.run(
            city_id,
            lambda tx: visits.report_progress(tx, crew_id, word, city=desk.mirror.city),
            repeatable=True,
        )
        self._engine.metrics.progress.labels(word.to, answer.error or "taken").inc()
        return answer

    async def hand_back(self, city_id: str, crew_id: str, word: HandBack) -> ProgressAck:
        """Take an order back from a crew that cannot do it, and open it to the others."""
        mirror = (await self._engine.desk(city_id)).mirror
        return await self._engine.run(
            city_id,
            lambda tx: visits.hand_back(tx, crew_id, word, city=mirror.city, crews=mirror.crews.values()),
            repeatable=True,
        )

    async def decline(
        self, city_id: str, crew_id: str, message_id: str, order_id: str, reason: str | None
    ) -> ProgressAck:
        """Keep a crew's no, and judge the window at once where everybody has answered."""
        city = (await self._engine.desk(city_id)).mirror.city
        answer, everybody = await self._engine.run(
            city_id, lambda tx: visits.decline(tx, crew_id, message_id, order_id, reason, city=city), repeatable=True
        )
        if everybody:
            self._engine.later(self.close_window(city_id, order_id))
        return answer
