"""A day in virtual time: the engine's steps on a store in memory, and the lives of the crews around them.

Every change of an order is a step that the server runs too, as one transaction: `intake.take_report`,
`offers.widen` and `offers.join`, `grabs.judge_batch` and `grabs.close_window`, `planning.give`,
`visits.report_progress` and `visits.decline`, `crews.set_shift`, `overrides.override`. What follows from a step is read
from the events that it wrote, as phones do.

Three things differ from a server, and change no outcome: a window or ring is looked at in its very moment and not at
the next tick; windows without bids are not looked at, since nothing but their end would move; clocks sound no alarm.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from crew_client.ground import Place
from crew_client.protocol import Progress
from crew_client.protocol.messages import ProgressTo
from dispatch import crews as crew_steps
from dispatch import grabs, intake, offers, overrides, planning, visits
from dispatch.city import City
from dispatch.crew_commands import JOIN_AT_ONCE
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.grabs import Acked, Ask
from dispatch.intake import ReportedPlace, ReportIn
from dispatch.orders import Order, State
from dispatch.overrides import OverrideIn
from dispatch.simulate.agenda import Agenda, Rank
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.policies import Policy
from dispatch.simulate.results import Visit
from dispatch.simulate.scenario import Scenario, ScenarioReport
from dispatch.simulate.technicians import Leg, Shown, Technician, Work
from dispatch.store import Tx
from dispatch.store.crews import Fix
from dispatch.store.memory import MemoryCity
from optimizer.situation import BusyCrew, Ground, IdleCrew, Reported, Situation, WaitingOrder

T = TypeVar("T")
CLOSING_TIME = timedelta(hours=24)
"""How long after the last report idle crews still look at what they have passed over."""
DISPATCHER = "user:dispatcher"


class _Offered(Struct):
    crews: list[tuple[str, float, float]] = []


class _Told(Struct):
    """What crews read of an event."""

    offered: _Offered | None = None
    bids: list[tuple[str, str, str]] = []


_told = msgspec.json.Decoder(_Told)


class Day:
    """One run of a scenario under a policy."""

    def __init__(self, scenario: Scenario, city: City, policy: Policy, *, behaviour: CrewBehaviour, seed: int) -> None:
        self._city = msgspec.structs.replace(city, stale_s=1e9)
        self._policy = policy
        self._behaviour = behaviour
        self._reports = {report.id: report for report in scenario.reports}
        self._memory = MemoryCity(city.id)
        dice = behaviour.dice()
        self._crews = {crew.id: Technician(crew, dice, f"{seed}/{crew.id}") for crew in scenario.crews}
        moments = [shift.start for crew in scenario.crews for shift in crew.shifts if shift.start is not None]
        moments += [report.at for report in scenario.reports[:1]]
        self._agenda = Agenda(min(moments, default=datetime.max))
        self._closing = scenario.reports[-1].at + CLOSING_TIME if scenario.reports else None
        self._waiting: dict[str, WaitingOrder] = {}
        self._changed = False
        self._again_at: datetime | None = None
        self._reported: list[Reported] = []
        self._dispatcher = policy.prepare(_ground(scenario, city)) if policy.prepare else None
        self._visits: list[Visit] = []

    def run(self) -> list[Visit]:
        """Live through the day; return the visits in the order in which they were done."""
        if self._closing is None:
            return []
        for technician in self._crews.values():
            self._hire(technician)
        for report in self._reports.values():
            self._agenda.put(report.at, Rank.REPORT, lambda report=report: self._report(report))  # type: ignore[misc]
        self._agenda.run(self._dispatch)
        return self._visits

    # What the engine does.

    def _do(self, step: Callable[[Tx], Coroutine[Any, Any, T]]) -> T:
        """Run a step as one transaction, and let everybody hear of it."""
        answer = self._memory.run(self._agenda.now, step)
        for order_id in sorted(self._memory.touched):
            self._note(self._memory.tables.orders[order_id].order)
        for event in self._memory.drain():
            self._hear(event)
        return answer

    def _note(self, order: Order) -> None:
        """Keep the list of what is open, and what of it must be looked at when."""
        if order.state is not State.OFFERED or order.offer is None or order.location is None:
            self._waiting.pop(order.id, None)
            return
        known = self._waiting.get(order.id)
        if known is None or known.excluded != order.excluded:
            self._waiting[order.id] = WaitingOrder(
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
            self._agenda.put(order.offer.assign_at, Rank.RING, self._look_around)
        if self._policy.grabs and order.offer.widen_at:
            self._agenda.put(order.offer.widen_at[0], Rank.RING, lambda: self._widen(order.id))
        self._changed = True

    def _look_around(self) -> None:
        self._changed = True

    def _widen(self, order_id: str) -> None:
        if order_id in self._waiting:
            self._do(lambda tx: offers.widen(tx, order_id, self._located(), self._city))

    def _close_window(self, order_id: str, *, complete: bool = False) -> None:
        if order_id in self._waiting:
            self._do(lambda tx: grabs.close_window(tx, order_id, complete=complete))

    def _report(self, report: ScenarioReport) -> None:
        self._reported.append(Reported(report.lon, report.lat, report.severity))
        body = ReportIn(
            channel="simulation",
            category=report.category,
            severity=report.severity,
            location=ReportedPlace(report.lon, report.lat),
            required_skills=report.required_skills,
        )
        self._do(
            lambda tx: intake.take_report(
                tx,
                body,
                city=self._city,
                crews=self._located(),
                report_id=report.id,
                order_id=report.id,
                actor="user:simulation",
            )
        )
        if report.id not in self._waiting:
            after = timedelta(seconds=self._behaviour.dispatcher_s) if self._policy.name != "nearest" else timedelta(0)
            word = OverrideIn(action="offer", reason="outside every zone")
            self._agenda.put(report.at + after, Rank.REPORT, lambda: self._override(report.id, word))

    def _override(self, order_id: str, word: OverrideIn) -> None:
        version = self._memory.tables.orders[order_id].order.version
        self._do(
            lambda tx: overrides.override(
                tx,
                order_id,
                word,
                actor=DISPATCHER,
                override_id=f"{order_id}-{version}",
                city=self._city,
                crews=self._located(),
            )
        )

    def _located(self) -> list[Crew]:
        """Return every crew as the engine knows it, with those that drive where they are now."""
        now, fixes = self._agenda.now, []
        for technician in self._crews.values():
            if technician.leg is not None and technician.on_shift and (technician.moving or technician.has_room):
                fixes.append(self._fix(technician))
        if fixes:
            self._memory.run(now, lambda tx: tx.crews.save_fixes(fixes))
        return self._memory.run(now, lambda tx: tx.crews.all())

    def _fix(self, technician: Technician) -> Fix:
        now = self._agenda.now
        place = technician.where(now)
        return Fix(technician.id, place.lon, place.lat, 0.0, device_at=now, received_at=now)

    # What the machine does.

    def _dispatch(self) -> None:
        """Let the policy choose where something has changed for it, and do what it chose."""
        dispatch = self._dispatcher
        if dispatch is None or not self._changed:
            return
        self._changed = False
        if not any(self._is_idle(technician) for technician in self._crews.values()):
            return
        waiting = self._due()
        if not waiting and not self._policy.moves:
            return
        situation = self._situation(waiting)
        self._reported.clear()
        choice = dispatch(situation)
        for sending in choice.sendings:
            seen = self._memory.tables.orders[sending.order].order
            self._do(lambda tx, s=sending, o=seen: planning.give(tx, o, s.crew, why=s.why))  # type: ignore[misc]
        for move in choice.moves:
            self._move(self._crews[move.crew], Place(move.lon, move.lat))
        if choice.again_s is not None and (self._again_at is None or self._again_at <= self._agenda.now):
            self._again_at = self._agenda.now + timedelta(seconds=choice.again_s)
            self._agenda.put(self._again_at, Rank.RING, self._look_around)

    def _is_idle(self, technician: Technician) -> bool:
        """Return whether the machine may send a crew: one that waits for the verdict on its bid is left alone."""
        return technician.idle and not technician.bids

    def _due(self) -> list[WaitingOrder]:
        """Return what the machine may give out now, by the time of the report."""
        now, rows = self._agenda.now, self._memory.tables.orders
        due = []
        for order_id, waiting in self._waiting.items():
            if self._policy.grabs:
                row = rows[order_id]
                if row.assign_at is None or row.assign_at > now or self._has_bids(row.order):
                    continue
            due.append(waiting)
        return sorted(due, key=lambda order: order.reported_at)

    def _has_bids(self, order: Order) -> bool:
        keys = self._memory.tables.grabs_of.get((order.id, order.cycle), ())
        return any(self._memory.tables.grabs[key].reason is None for key in keys)

    def _situation(self, waiting: list[WaitingOrder]) -> Situation:
        now = self._agenda.now
        idle, busy = [], []
        for technician in self._crews.values():
            skills, until = technician.crew.skills, technician.until
            if self._is_idle(technician):
                place, leg = technician.where(now), technician.leg
                heading = None if leg is None else (leg.end.lon, leg.end.lat)
                since = technician.free_since or now
                idle.append(IdleCrew(technician.id, place.lon, place.lat, skills, until, since, heading))
            elif technician.doing is not None:
                work = technician.held[technician.doing]
                report = work.report
                there_at = work.arrived_at or (technician.leg.arrives_at if technician.leg else now)
                at = (report.lon, report.lat, skills, until, there_at)
                busy.append(BusyCrew(technician.id, *at, report.severity, report.category))
        idle.sort(key=lambda crew: crew.since)
        travel, reported = self._city.travel_at(now), tuple(self._reported)
        return Situation(now, tuple(idle), tuple(busy), tuple(waiting), travel, reported)

    def _move(self, technician: Technician, to: Place) -> None:
        """Let an idle crew drive to a waiting place."""
        if not technician.idle:
            return
        technician.halt(self._agenda.now)
        leg = technician.leg = self._leg(technician, to, order=None)
        self._agenda.put(leg.arrives_at, Rank.WORK, lambda: self._stay(technician, leg))

    def _stay(self, technician: Technician, leg: Leg) -> None:
        if technician.leg is leg:
            technician.halt(self._agenda.now)
            self._locate(technician)

    # What the crews do.

    def _hire(self, technician: Technician) -> None:
        crew = technician.crew
        hired = Crew(crew.id, crew.id, crew.skills, crew.home_zone, crew.capacity)
        self._do(lambda tx: crew_steps.add_crew(tx, hired, actor="user:simulation"))
        for shift in crew.shifts:
            if shift.is_empty:
                continue
            start = shift.start or self._agenda.now
            self._agenda.put(start, Rank.SHIFT, lambda until=shift.end: self._begin_shift(technician, until))  # type: ignore[misc]
            if shift.end is not None:
                self._agenda.put(shift.end, Rank.SHIFT, lambda: self._end_shift(technician))

    def _begin_shift(self, technician: Technician, until: datetime | None) -> None:
        technician.on_shift, technician.until = True, until
        fix = self._fix(technician)
        self._do(lambda tx: crew_steps.set_shift(tx, technician.id, True, fix=fix))
        self._is_free(technician)

    def _end_shift(self, technician: Technician) -> None:
        """Go home: what is begun is finished, what is not goes back to the others."""
        technician.on_shift = False
        technician.screen.clear()
        if technician.moving:
            technician.halt(self._agenda.now)
        self._do(lambda tx: crew_steps.set_shift(tx, technician.id, False))
        word = OverrideIn(action="revoke", reason="the crew's shift is over")
        for order_id in [key for key, work in technician.held.items() if work.departed_at is None]:
            del technician.held[order_id]
            if technician.doing == order_id:
                technician.doing = None
            self._override(order_id, word)

    def _locate(self, technician: Technician) -> None:
        fix = self._fix(technician)
        self._memory.run(self._agenda.now, lambda tx: tx.crews.save_fixes([fix]))

    def _leg(self, technician: Technician, to: Place, *, order: str | None) -> Leg:
        here, now = technician.place, self._agenda.now
        drive = timedelta(seconds=self._city.travel_at(now).seconds(here.lon, here.lat, to.lon, to.lat))
        return Leg(here, to, now, now + drive, order)

    def _hear(self, event: Logged) -> None:
        """Let crews read an event."""
        if event.kind in ("order.claimed", "order.assigned") and event.crew and event.order:
            self._take(self._crews[event.crew], self._memory.tables.orders[event.order].order)
        if not self._policy.grabs or event.order is None:
            return
        told = _told.decode(event.data)
        for crew_id, _, _ in told.bids:
            self._crews[crew_id].bids.discard(event.order)
            self._look_later(self._crews[crew_id])
        if told.offered is not None:
            report, order = self._reports[event.order], self._memory.tables.orders[event.order].order
            for crew_id, _, _ in told.offered.crews:
                technician = self._crews[crew_id]
                technician.screen[event.order] = Shown(order.cycle, Place(report.lon, report.lat))
                self._look_later(technician)

    def _take(self, technician: Technician, order: Order) -> None:
        """Hold an order, and set off to it where nothing else is on."""
        technician.bids.discard(order.id)
        report = self._reports[order.id]
        technician.held[order.id] = Work(report, self._agenda.now, order.claimed_by or "optimizer")
        self._set_off(technician)

    def _set_off(self, technician: Technician) -> None:
        work = technician.next_work() if technician.doing is None else None
        if work is None:
            return
        technician.doing = work.report.id
        if technician.moving:
            technician.halt(self._agenda.now)
        self._agenda.put(self._agenda.now + technician.setting_off(), Rank.CREW, lambda: self._depart(technician, work))

    def _says(self, technician: Technician, order_id: str, to: ProgressTo) -> None:
        word = Progress(technician.message(), order_id, to, self._agenda.now)
        answer = self._do(lambda tx: visits.report_progress(tx, technician.id, word, city=self._city))
        assert answer.error is None, f"crew {technician.id} could not say {to} of {order_id}: {answer.detail}"

    def _depart(self, technician: Technician, work: Work) -> None:
        if technician.held.get(work.report.id) is not work:
            return
        work.departed_at = self._agenda.now
        self._says(technician, work.report.id, "en_route")
        place = Place(work.report.lon, work.report.lat)
        leg = technician.leg = self._leg(technician, place, order=work.report.id)
        self._agenda.put(leg.arrives_at, Rank.WORK, lambda: self._arrive(technician, work))

    def _arrive(self, technician: Technician, work: Work) -> None:
        technician.halt(self._agenda.now)
        work.arrived_at = self._agenda.now
        self._locate(technician)
        self._says(technician, work.report.id, "arrived")
        done_at = self._agenda.now + timedelta(seconds=work.report.service_s)
        self._agenda.put(done_at, Rank.WORK, lambda: self._resolve(technician, work))

    def _resolve(self, technician: Technician, work: Work) -> None:
        self._says(technician, work.report.id, "resolved")
        del technician.held[work.report.id]
        technician.doing = None
        zone = self._memory.tables.orders[work.report.id].order.zone
        self._visits.append(Visit.of(work, crew=technician.id, zone=zone, done_at=self._agenda.now))
        self._set_off(technician)
        self._is_free(technician)

    def _is_free(self, technician: Technician) -> None:
        """Have room again: be offered what is open, and look at what was offered before."""
        self._changed = True
        technician.free_since = self._agenda.now
        if not self._policy.grabs or not technician.has_room:
            return
        rows, offered = self._memory.tables.orders, self._memory.tables.cycles_offered
        fresh = [
            waiting
            for order_id, waiting in self._waiting.items()
            if rows[order_id].order.cycle not in offered.get((order_id, technician.id), ())
        ]
        fresh.sort(key=lambda order: (-order.severity, order.reported_at))
        for start in range(0, len(fresh), JOIN_AT_ONCE):
            batch = [order.id for order in fresh[start : start + JOIN_AT_ONCE]]
            self._do(lambda tx, batch=batch: offers.join(tx, technician.id, batch, self._city))  # type: ignore[misc]
        self._look_later(technician)

    def _look_later(self, technician: Technician, after: timedelta | None = None) -> None:
        """Look at the screen after the time that people need."""
        if technician.looking or not technician.screen or not technician.has_room:
            return
        technician.looking = True
        at = self._agenda.now + (after or technician.reaction())
        self._agenda.put(at, Rank.CREW, lambda: self._look(technician))

    def _look(self, technician: Technician) -> None:
        """Answer what the screen shows, the nearest first, while there is room for more."""
        technician.looking = False
        rows = self._memory.tables.orders
        for order_id, shown in list(technician.screen.items()):
            order = rows[order_id].order
            if order.state is not State.OFFERED or order.cycle != shown.cycle:
                del technician.screen[order_id]
        for metres, order_id, shown in technician.nearest_shown(self._agenda.now):
            if not technician.has_room:
                return
            if order_id in technician.bids or order_id not in self._waiting:
                continue
            self._answer(technician, order_id, shown, metres)
        if self._closing is not None and self._agenda.now < self._closing:
            self._look_later(technician, timedelta(seconds=self._behaviour.look_again_s))

    def _answer(self, technician: Technician, order_id: str, shown: Shown, metres: float) -> None:
        load = len(technician.held) + len(technician.bids)
        answer = technician.behaviour.answer(technician.rng, metres, load=load)
        first, shown.answered = not shown.answered, True
        if answer == "grab":
            self._grab(technician, order_id)
        elif answer == "decline" and first:
            message = technician.message()
            reason = technician.behaviour.decline_reason(metres, load=load)
            _, everybody = self._do(lambda tx: visits.decline(tx, technician.id, message, order_id, reason))
            if everybody:
                self._close_window(order_id, complete=True)

    def _grab(self, technician: Technician, order_id: str) -> None:
        self._locate(technician)
        ask = Ask(technician.id, technician.message(), order_id)
        technician.bids.add(order_id)
        judged = self._do(lambda tx: grabs.judge_batch(tx, [ask], self._city))
        [answer] = judged.answers
        if not isinstance(answer, Acked):
            technician.bids.discard(order_id)
        elif answer.complete:
            self._close_window(order_id, complete=True)
        else:
            self._agenda.put(answer.closes_at, Rank.WINDOW, lambda: self._close_window(order_id))


def _ground(scenario: Scenario, city: City) -> Ground:
    """Return the box of the zones, or of where crews begin where there are none, and the crews' posts."""
    posts = tuple((crew.lon, crew.lat) for crew in scenario.crews)
    zones = city.zones.zone_map.zones if city.zones else ()
    boxes = [zone.geometry.bounds for zone in zones] or [(*post, *post) for post in posts] or [(0.0, 0.0, 0.0, 0.0)]
    west, south, east, north = zip(*boxes, strict=True)
    return Ground(min(west), min(south), max(east), max(north), posts)
