"""One simulated technician: looks at offers, grabs, drives, repairs, and now and then loses the signal.

It uses the SDK as a phone would and knows nothing else of the server. Four tasks share one crew: `_listen` answers
offers, `_work` visits held orders one after the other, `_beacon` sends fixes, `_roam` loses the signal. Work that a
dispatcher takes away is dropped wherever it stands.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crew_client.behaviour import Behaviour
from crew_client.client import CrewClient
from crew_client.errors import CommandRefusedError, CrewClientError
from crew_client.ground import Place, between, metres_between
from crew_client.protocol import Assigned, Evidence, Offer, Order, Revoked, Welcome
from crew_client.protocol.messages import ProgressTo, SuspendReason
from crew_client.radio import Radio
from crew_client.transport import OpenSocket


class Member(NamedTuple):
    """A crew of the fleet: its id, its token, and where it starts the day (WGS-84 degrees)."""

    crew: str
    token: str
    lon: float
    lat: float


@dataclass
class Stats:
    """What the fleet has seen; `lost` counts grabs by the verdict's reason, `refused` commands by what and why.

    `unverified` are the arrivals, among `arrived`, that the fixes did not prove.
    """

    offers: int = 0
    grabs: int = 0
    won: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    declined: int = 0
    assigned: int = 0
    revoked: int = 0
    arrived: int = 0
    unverified: int = 0
    resolved: int = 0
    suspended: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    dead_zones: int = 0
    reconnects: int = 0
    gave_up: int = 0


class _Leg(NamedTuple):
    """A straight drive, in seconds of the event loop's clock."""

    start: Place
    end: Place
    began: float
    seconds: float

    def at(self, now: float) -> Place:
        return between(self.start, self.end, (now - self.began) / self.seconds if self.seconds > 0 else 1.0)


class Technician:
    """A member of the fleet at work; `speed` is how many simulated seconds pass in a real one."""

    def __init__(
        self,
        base_url: str,
        member: Member,
        *,
        behaviour: Behaviour,
        rng: random.Random,
        stats: Stats,
        speed: float,
        open_socket: OpenSocket,
    ) -> None:
        self._behaviour = behaviour
        self._rng = rng
        self._stats = stats
        self._speed = speed
        self._radio = Radio(open_socket)
        place = Place(member.lon, member.lat)
        self._leg = _Leg(place, place, 0.0, 0.0)
        # The ids of commands stay random: with ids of the seed, a second run would be given the verdicts of the first.
        self._crew = CrewClient(
            base_url,
            member.token,
            clock=_wrong_clock(behaviour.clock_error_s(rng)),
            rng=rng,
            open_socket=self._radio.open,
        )
        self._changed = asyncio.Event()
        # Notes by order id: the offer looked at, by when it closes; the version of what is resolved but still shows;
        # until when a suspended or refused one must wait.
        self._considered: dict[str, datetime] = {}
        self._done: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._bids = 0

    async def run(self) -> None:
        """Work until cancelled, or until the server gives this crew up (`GaveUpError`)."""
        async with self._crew:
            await self._crew.shift(True)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._beacon())
                    group.create_task(self._work())
                    group.create_task(self._roam())
                    await self._listen(group)
            finally:
                with contextlib.suppress(CrewClientError):
                    await self._crew.shift(False)

    def place(self) -> Place:
        """Where the technician really is."""
        return self._leg.at(asyncio.get_running_loop().time())

    # Offers.

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        reconnects = 0
        async for message in self._crew:
            if isinstance(message, Assigned):
                self._stats.assigned += 1
            elif isinstance(message, Revoked):
                self._stats.revoked += 1
            elif isinstance(message, Welcome):
                self._stats.reconnects += self._crew.welcomes - 1 - reconnects
                reconnects = self._crew.welcomes - 1
            for offer in self._crew.offers.values():
                if self._considered.get(offer.order.id) != offer.closes_at:
                    self._stats.offers += 1
                    group.create_task(self._consider(offer))
            self._forget()
            self._changed.set()

    def _forget(self) -> None:
        """Keep notes on what is still offered or held alone."""
        self._considered = {offer.order.id: offer.closes_at for offer in self._crew.offers.values()}
        self._done = {id: version for id, version in self._done.items() if id in self._crew.orders}
        self._not_before = {id: at for id, at in self._not_before.items() if id in self._crew.orders}

    async def _consider(self, offer: Offer) -> None:
        await self._sleep(self._behaviour.reaction_s(self._rng))
        order_id = offer.order.id
        now_open = self._crew.offers.get(order_id)
        if now_open is None or now_open.closes_at != offer.closes_at:
            return
        distance_m = self._metres_to(offer.order) or offer.distance_m
        load = self._bids + sum(order.state != "suspended" for order in self._crew.orders.values())
        answer = self._behaviour.answer(self._rng, distance_m, load=load)
        try:
            if answer == "grab":
                await self._grab(order_id)
            elif answer == "decline":
                await self._crew.decline(order_id, self._behaviour.decline_reason(distance_m, load=load))
                self._stats.declined += 1
        except CommandRefusedError as refusal:
            self._stats.refused[f"{answer}:{refusal.code}"] += 1

    async def _grab(self, order_id: str) -> None:
        self._stats.grabs += 1
        self._bids += 1
        try:
            verdict = await self._crew.grab(order_id)
        finally:
            self._bids -= 1
        if verdict.won:
            self._stats.won += 1
        else:
            self._stats.lost[verdict.reason] += 1

    # Visits.

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            order = self._next_order()
            if order is not None:
                await self._visit(order)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._next_retry()):
                        await self._changed.wait()

    def _next_order(self) -> Order | None:
        """The order at hand, else the route's next stop, else the worst and oldest; a suspended one when it is due."""
        now = asyncio.get_running_loop().time()
        stops = {stop.order: place for place, stop in enumerate(self._crew.route)}
        ready = [
            order
            for order in self._crew.orders.values()
            if not self._is_done(order) and self._not_before.get(order.id, 0.0) <= now
        ]
        return min(
            ready,
            key=lambda order: (
                order.state not in ("arrived", "en_route"),
                stops.get(order.id, len(stops)),
                -order.severity,
                order.reported_at,
            ),
            default=None,
        )

    def _next_retry(self) -> float | None:
        held = {order.id for order in self._crew.orders.values() if not self._is_done(order)}
        return min((at for order_id, at in self._not_before.items() if order_id in held), default=None)

    def _is_done(self, order: Order) -> bool:
        """Whether this was resolved and its `updated` is still on the way; reopened, it has a later version."""
        return order.version <= self._done.get(order.id, -1)

    async def _visit(self, order: Order) -> None:
        """Serve one held order as far as it goes; what the server refuses is tried again later."""
        arrived = order.state == "arrived"
        if not arrived:
            arrived = await self._drive(order) and await self._arrive(order.id)
        if arrived and await self._repair(order.id):
            return
        if order.id in self._crew.orders and self._not_before.get(order.id, 0.0) <= self._later(0):
            self._not_before[order.id] = self._later(self._behaviour.retry_s)

    async def _drive(self, order: Order) -> bool:
        if not await self._stay(order.id, self._behaviour.setting_off_s(self._rng)):
            return False
        if order.state != "en_route" and not await self._report(order.id, "en_route"):
            return False
        if order.location is None:
            return True
        goal = Place(order.location.lon, order.location.lat)
        start = self.place()
        seconds = metres_between(start, goal) / self._behaviour.travel_mps
        self._leg = _Leg(start, goal, asyncio.get_running_loop().time(), seconds / self._speed)
        there = await self._stay(order.id, seconds)
        here = self.place()
        self._leg = _Leg(here, here, 0.0, 0.0)
        return there

    async def _arrive(self, order_id: str) -> bool:
        await self._send_fix()
        await asyncio.sleep(self._behaviour.dwell_real_s)
        await self._send_fix()
        if order_id not in self._crew.orders or not await self._report(order_id, "arrived"):
            return False
        self._stats.arrived += 1
        return True

    async def _repair(self, order_id: str) -> bool:
        """Work at the door; True when the order is resolved."""
        if not await self._stay(order_id, self._behaviour.service_s(self._rng)):
            return False
        suspension = self._behaviour.suspension(self._rng)
        if suspension is not None:
            reason, seconds = suspension
            if await self._report(order_id, "suspended", reason=reason, evidence=Evidence(note=reason)):
                self._stats.suspended += 1
                self._not_before[order_id] = self._later(seconds)
            return False
        held = self._crew.orders.get(order_id)
        if not await self._report(order_id, "resolved", evidence=self._behaviour.evidence(self._rng)):
            return False
        if held is not None:
            self._done[order_id] = held.version
        self._stats.resolved += 1
        return True

    async def _report(
        self,
        order_id: str,
        to: ProgressTo,
        *,
        evidence: Evidence | None = None,
        reason: SuspendReason | None = None,
    ) -> bool:
        try:
            answer = await self._crew.progress(order_id, to, evidence=evidence, reason=reason)
        except CommandRefusedError as refusal:
            self._stats.refused[f"{to}:{refusal.code}"] += 1
            return False
        if answer.error is not None:
            self._stats.refused[f"{to}:{answer.error}"] += 1
        elif to == "arrived":
            self._stats.unverified += answer.unverified
        return answer.error is None

    # Whereabouts.

    async def _beacon(self) -> None:
        loop = asyncio.get_running_loop()
        every_s = max(self._behaviour.position_every_s / self._speed, self._behaviour.position_least_real_s)
        standing_s = max(self._behaviour.standing_every_s / self._speed, every_s)
        sent = -standing_s
        while True:
            if self._leg.seconds > 0 or loop.time() - sent >= standing_s:
                await self._send_fix()
                sent = loop.time()
            await asyncio.sleep(every_s * self._rng.uniform(0.8, 1.2))

    async def _send_fix(self) -> None:
        fix = self._behaviour.fix(self._rng, self.place())
        await self._crew.position(fix.lon, fix.lat, accuracy_m=self._behaviour.accuracy_m)

    async def _roam(self) -> None:
        while (zone := self._behaviour.dead_zone(self._rng)) is not None:
            await self._sleep(zone.after_s)
            self._stats.dead_zones += 1
            self._radio.lose(silent=zone.silent)
            try:
                await self._sleep(zone.length_s)
            finally:
                self._radio.regain()

    def _metres_to(self, order: Order) -> float | None:
        if order.location is None:
            return None
        return metres_between(self.place(), Place(order.location.lon, order.location.lat))

    # Time.

    async def _stay(self, order_id: str, seconds: float) -> bool:
        """Spend simulated time on an order; False as soon as it is taken away."""
        until = self._later(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while order_id in self._crew.orders:
                    self._changed.clear()
                    await self._changed.wait()
        return order_id in self._crew.orders

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def _later(self, seconds: float) -> float:
        return asyncio.get_running_loop().time() + seconds / self._speed


def _wrong_clock(ahead_s: float) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + timedelta(seconds=ahead_s)
