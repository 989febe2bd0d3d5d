"""What the engine does on a simulated day: its own steps on a store in memory, each as one transaction.

Every change of an order is a step that the server runs too: `intake.take_report`, `offers.widen` and `offers.join`,
`grabs.judge_batch` and `grabs.close_window`, `planning.give`, `visits.report_progress` and `visits.decline`,
`crews.set_shift`, `overrides.override`. What follows from a step is read from the events that it wrote, as phones do.

Three things differ from a server, and change no outcome: a window or ring is looked at in its very moment and not at
the next tick; windows without bids are not looked at, since nothing but their end would move; clocks sound no alarm.
"""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from dispatch import grabs, intake, offers, overrides, planning
from dispatch.city import City
from dispatch.crew_commands import JOIN_AT_ONCE
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.intake import ReportedPlace, ReportIn
from dispatch.orders import Order, State
from dispatch.overrides import OverrideIn
from dispatch.simulate.agenda import Agenda, Rank
from dispatch.simulate.scenario import ScenarioCrew, ScenarioReport
from dispatch.simulate.standing import Standing, crew_rows, order_of
from dispatch.store import Tx
from dispatch.store.crews import Fix
from dispatch.store.memory import MemoryCity
from optimizer.situation import Sending, WaitingOrder

T = TypeVar("T")
DISPATCHER = "user:dispatcher"


class SimulatedEngine:
    """The steps on a store in memory. `waiting` has the orders that nobody holds and that have a place.

    `changed` is set when something has happened that a policy may want to answer to; who has asked it takes it back.
    """

    def __init__(
        self,
        city: City,
        agenda: Agenda,
        *,
        grabs: bool,
        hear: Callable[[Logged], None],
        whereabouts: Callable[[], list[Fix]],
    ) -> None:
        """Begin with an empty city; `hear` is told every event, `whereabouts` has the fixes that are new by now."""
        self.city = msgspec.structs.replace(city, stale_s=1e9)
        self.waiting: dict[str, WaitingOrder] = {}
        self.changed = False
        self._in_line: dict[str, int] = {}
        self._agenda = agenda
        self._grabs = grabs
        self._hear, self._whereabouts = hear, whereabouts
        self._memory = MemoryCity(city.id)

    def take_over(self, standing: Standing, crews: Sequence[ScenarioCrew]) -> None:
        """Begin with orders that were open and crews that were on shift; nobody is told of them anew."""
        rows = crew_rows(standing, crews)
        self._memory.begin_with(rows, [order_of(each, rows, self.city) for each in standing.orders.values()])
        for order_id, each in standing.orders.items():
            self._note(self.order(order_id))
            if each.back_at is not None:
                word = OverrideIn(action="offer", reason="it came back then")
                self._agenda.put(each.back_at, Rank.REPORT, partial(self.override, order_id, word))

    def do(self, step: Callable[[Tx], Coroutine[Any, Any, T]]) -> T:
        """Run a step as one transaction, and let everybody hear of it."""
        answer = self._memory.run(self._agenda.now, step)
        for order_id in sorted(self._memory.touched):
            self._note(self.order(order_id))
        for event in self._memory.drain():
            self._hear(event)
        return answer

    def order(self, order_id: str) -> Order:
        """Return an order as it is now."""
        return self._memory.tables.orders[order_id].order

    def save(self, fixes: Sequence[Fix]) -> None:
        """Take in where crews are."""
        self._memory.run(self._agenda.now, lambda tx: tx.crews.save_fixes(fixes))

    def take_report(self, report: ScenarioReport, *, dispatcher_s: float) -> None:
        """Take a report in; what is outside every zone a dispatcher opens after so many seconds."""
        self._in_line.setdefault(report.id, len(self._in_line))
        body = ReportIn(
            channel="simulation",
            category=report.category,
            severity=report.severity,
            location=ReportedPlace(report.lon, report.lat),
            required_skills=report.required_skills,
        )
        self.do(
            lambda tx: intake.take_report(
                tx,
                body,
                city=self.city,
                crews=self._located(),
                report_id=report.id,
                order_id=report.id,
                actor="user:simulation",
            )
        )
        if report.id not in self.waiting:
            word = OverrideIn(action="offer", reason="outside every zone")
            at = report.at + timedelta(seconds=dispatcher_s)
            self._agenda.put(at, Rank.REPORT, lambda: self.override(report.id, word))

    def override(self, order_id: str, word: OverrideIn) -> None:
        """Do what a dispatcher says."""
        version = self.order(order_id).version
        self.do(
            lambda tx: overrides.override(
                tx,
                order_id,
                word,
                actor=DISPATCHER,
                override_id=f"{order_id}-{version}",
                city=self.city,
                crews=self._located(),
            )
        )

    def give(self, sending: Sending) -> None:
        """Give an order to a crew, as the machine chose."""
        seen = self.order(sending.order)
        self.do(lambda tx: planning.give(tx, seen, sending.crew, why=sending.why))

    def join(self, crew_id: str) -> None:
        """Offer a crew what is open and was not offered to it yet, the most severe first."""
        rows, offered = self._memory.tables.orders, self._memory.tables.cycles_offered
        fresh = [
            waiting
            for order_id, waiting in self.waiting.items()
            if rows[order_id].order.cycle not in offered.get((order_id, crew_id), ())
        ]
        fresh.sort(key=lambda order: (-order.severity, order.reported_at))
        for start in range(0, len(fresh), JOIN_AT_ONCE):
            batch = [order.id for order in fresh[start : start + JOIN_AT_ONCE]]
            known = self._memory.tables.last_seq
            self.do(lambda tx, ids=batch, n=known: offers.join(tx, crew_id, ids, self.city, since=n))  # type: ignore[misc]

    def close_window(self, order_id: str, *, complete: bool = False) -> None:
        """Judge the bids of a sealed window that is over, or that everybody has answered."""
        if order_id in self.waiting:
            self.do(lambda tx: grabs.close_window(tx, order_id, city=self.city if complete else None))

    def look_around(self) -> None:
        """Let the policy be asked again."""
        self.changed = True

    def due(self) -> list[WaitingOrder]:
        """Return what the machine may give out now, by the time of the report, then as they were taken in."""
        now, rows = self._agenda.now, self._memory.tables.orders
        due = []
        for order_id, waiting in self.waiting.items():
            if self._grabs:
                row = rows[order_id]
                if row.assign_at is None or row.assign_at > now or self._has_bids(row.order):
                    continue
            due.append(waiting)
        return sorted(due, key=lambda order: (order.reported_at, self._in_line.get(order.id, -1)))

    def _has_bids(self, order: Order) -> bool:
        keys = self._memory.tables.grabs_of.get((order.id, order.cycle), ())
        return bool(keys) and any(self._memory.tables.grabs[key].reason is None for key in keys)

    def _note(self, order: Order) -> None:
        """Keep the list of what is open, and what of it must be looked at when."""
        if order.state is not State.OFFERED or order.offer is None or order.location is None:
            self.waiting.pop(order.id, None)
            return
        known = self.waiting.get(order.id)
        if known is None or known.excluded != order.excluded:
            self.waiting[order.id] = WaitingOrder(
                id=order.id,
                lon=order.location.lon,
                lat=order.location.lat,
                zone=order.zone,
                category=order.category,
                severity=order.severity,
                reported_at=order.reported_at,
                due_at=order.clocks["arrival"].due_at,
                required_skills=order.required_skills,
                excluded=order.excluded,
            )
            self._agenda.put(order.offer.assign_at, Rank.RING, self.look_around)
        if self._grabs and order.offer.widen_at:
            self._agenda.put(order.offer.widen_at[0], Rank.RING, lambda: self._widen(order.id))
        self.changed = True

    def _widen(self, order_id: str) -> None:
        if order_id in self.waiting:
            self.do(lambda tx: offers.widen(tx, order_id, self._located(), self.city))

    def _located(self) -> list[Crew]:
        """Return every crew as the engine knows it, with those that drive where they are now."""
        if fixes := self._whereabouts():
            self.save(fixes)
        return self._memory.run(self._agenda.now, lambda tx: tx.crews.all())
