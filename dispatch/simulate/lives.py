"""What the crews do on a simulated day: come and go, look at offers, grab or decline, drive, arrive, finish."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from crew_client.ground import Place
from crew_client.protocol import Progress
from crew_client.protocol.messages import ProgressTo
from dispatch import crews as crew_steps
from dispatch import grabs, visits
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.grabs import Acked, Ask
from dispatch.orders import Order, State
from dispatch.overrides import OverrideIn
from dispatch.simulate.agenda import Agenda, Rank
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.engine import SimulatedEngine
from dispatch.simulate.results import Visit
from dispatch.simulate.scenario import Scenario
from dispatch.simulate.standing import Standing
from dispatch.simulate.technicians import Leg, Shown, Technician, Work
from dispatch.store.crews import Fix

CLOSING_TIME = timedelta(hours=24)
"""How long after the last report idle crews still look at what they have passed over."""


class _Offered(Struct):
    crews: list[tuple[str, float, float]] = []


class _Told(Struct):
    """What crews read of an event."""

    offered: _Offered | None = None
    bids: list[tuple[str, str, str]] = []


_told = msgspec.json.Decoder(_Told)


class Lives:
    """The crews of a scenario, and the engine that their phones talk to. `visits` are in the order they were done."""

    def __init__(
        self,
        scenario: Scenario,
        city: City,
        agenda: Agenda,
        *,
        behaviour: CrewBehaviour,
        grabs: bool,
        seed: int,
        standing: Standing | None = None,
    ) -> None:
        """Begin before anybody is on shift, but for those in `standing`; `grabs` says whether they look at offers."""
        dice = behaviour.dice()
        self.engine = SimulatedEngine(city, agenda, grabs=grabs, hear=self._hear, whereabouts=self._fresh_fixes)
        self.visits: list[Visit] = []
        self._agenda = agenda
        self._behaviour = behaviour
        self._grabs = grabs
        self._standing = standing
        self._reports = {report.id: report for report in scenario.reports}
        if standing is not None:
            self._reports |= {order_id: each.report for order_id, each in standing.orders.items()}
        last = scenario.reports[-1:]
        self._closing = max(last[0].at, agenda.now) + CLOSING_TIME if last else agenda.now
        self._crews = {crew.id: Technician(crew, dice, f"{seed}/{crew.id}") for crew in scenario.crews}

    def __iter__(self) -> Iterator[Technician]:
        return iter(self._crews.values())

    def hire(self) -> None:
        """Let the engine know everybody, and let their shifts come and go."""
        for technician in self:
            crew = technician.crew
            hired = Crew(crew.id, crew.id, crew.skills, crew.home_zone, crew.capacity)
            self.engine.do(lambda tx, hired=hired: crew_steps.add_crew(tx, hired, actor="user:simulation"))  # type: ignore[misc]
        if self._standing is not None:
            self._take_over(self._standing)
        for technician in self:
            for shift in technician.crew.shifts:
                if not shift.is_empty:
                    self._plan_shift(technician, shift.start or self._agenda.now, shift.end)

    def _take_over(self, standing: Standing) -> None:
        """Let the engine know what was open, and crews go on with what they held."""
        self.engine.take_over(standing, [technician.crew for technician in self])
        for order_id, each in standing.orders.items():
            if each.holder is not None:
                claimed_at, claimed_by = each.claimed_at or standing.at, each.order.claimed_by or "optimizer"
                work = Work(each.report, claimed_at, claimed_by, each.departed_at, each.arrived_at)
                self._crews[each.holder].held[order_id] = work
        for technician in self:
            self._go_on(technician)

    def _go_on(self, technician: Technician) -> None:
        """Be at the work that was begun first, or set off to the next."""
        begun = [work for work in technician.held.values() if work.departed_at or work.arrived_at]
        if not begun:
            self._set_off(technician)
            return
        work = min(
            begun, key=lambda work: (work.arrived_at is None, work.arrived_at or work.departed_at or work.claimed_at)
        )
        technician.doing = work.report.id
        if work.arrived_at is None:
            self._drive(technician, work)
        else:
            done_at = work.arrived_at + timedelta(seconds=work.report.service_s)
            self._agenda.put(done_at, Rank.WORK, lambda: self._resolve(technician, work))

    def move(self, crew_id: str, to: Place) -> None:
        """Let an idle crew drive to a waiting place."""
        technician = self._crews[crew_id]
        if not technician.idle:
            return
        technician.halt(self._agenda.now)
        leg = technician.leg = self._leg(technician, to, order=None)
        self._agenda.put(leg.arrives_at, Rank.WORK, lambda: self._stay(technician, leg))

    def _plan_shift(self, technician: Technician, start: datetime, end: datetime | None) -> None:
        if self._standing is not None and start <= self._agenda.now:
            self._begin_shift(technician, end)  # before anybody is sent anywhere
        else:
            self._agenda.put(start, Rank.SHIFT, lambda: self._begin_shift(technician, end))
        if end is not None:
            self._agenda.put(end, Rank.SHIFT, lambda: self._end_shift(technician))

    def _stay(self, technician: Technician, leg: Leg) -> None:
        if technician.leg is leg:
            technician.halt(self._agenda.now)
            self._locate(technician)

    def _begin_shift(self, technician: Technician, until: datetime | None) -> None:
        technician.on_shift, technician.until = True, until
        fix = self._fix(technician)
        self.engine.do(lambda tx: crew_steps.set_shift(tx, technician.id, True, fix=fix))
        self._is_free(technician)

    def _end_shift(self, technician: Technician) -> None:
        """Go home: what is begun is finished, what is not goes back to the others."""
        technician.on_shift = False
        technician.screen.clear()
        if technician.moving:
            technician.halt(self._agenda.now)
        self.engine.do(lambda tx: crew_steps.set_shift(tx, technician.id, False))
        word = OverrideIn(action="revoke", reason="the crew's shift is over")
        for order_id in [key for key, work in technician.held.items() if work.departed_at is None]:
            del technician.held[order_id]
            if technician.doing == order_id:
                technician.doing = None
            self.engine.override(order_id, word)

    def _fix(self, technician: Technician) -> Fix:
        now = self._agenda.now
        place = technician.where(now)
        return Fix(technician.id, place.lon, place.lat, 0.0, device_at=now, received_at=now)

    def _fresh_fixes(self) -> list[Fix]:
        """Return where those are now who drive and could be asked."""
        return [
            self._fix(technician)
            for technician in self
            if technician.leg is not None and technician.on_shift and (technician.moving or technician.has_room)
        ]

    def _locate(self, technician: Technician) -> None:
        self.engine.save([self._fix(technician)])

    def _leg(self, technician: Technician, to: Place, *, order: str | None) -> Leg:
        here, now = technician.place, self._agenda.now
        drive = timedelta(seconds=self.engine.city.travel_at(now).seconds(here.lon, here.lat, to.lon, to.lat))
        return Leg(here, to, now, now + drive, order)

    def _hear(self, event: Logged) -> None:
        """Let crews read an event."""
        if event.kind in ("order.claimed", "order.assigned") and event.crew and event.order:
            self._take(self._crews[event.crew], self.engine.order(event.order))
        if not self._grabs or event.order is None:
            return
        told = _told.decode(event.data)
        for crew_id, _, _ in told.bids:
            self._crews[crew_id].bids.discard(event.order)
            self._look_later(self._crews[crew_id])
        if told.offered is not None:
            report, order = self._reports[event.order], self.engine.order(event.order)
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
        answer = self.engine.do(lambda tx: visits.report_progress(tx, technician.id, word, city=self.engine.city))
        assert answer.error is None, f"crew {technician.id} could not say {to} of {order_id}: {answer.detail}"

    def _depart(self, technician: Technician, work: Work) -> None:
        if technician.held.get(work.report.id) is not work:
            return
        work.departed_at = self._agenda.now
        self._says(technician, work.report.id, "en_route")
        self._drive(technician, work)

    def _drive(self, technician: Technician, work: Work) -> None:
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
        zone = self.engine.order(work.report.id).zone
        self.visits.append(Visit.of(work, crew=technician.id, zone=zone, done_at=self._agenda.now))
        self._set_off(technician)
        self._is_free(technician)

    def _is_free(self, technician: Technician) -> None:
        """Have room again: be offered what is open, and look at what was offered before."""
        self.engine.changed = True
        technician.free_since = self._agenda.now
        if not self._grabs or not technician.has_room:
            return
        self.engine.join(technician.id)
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
        for order_id, shown in list(technician.screen.items()):
            order = self.engine.order(order_id)
            if order.state is not State.OFFERED or order.cycle != shown.cycle:
                del technician.screen[order_id]
        for metres, order_id, shown in technician.nearest_shown(self._agenda.now):
            if not technician.has_room:
                return
            if order_id in technician.bids or order_id not in self.engine.waiting:
                continue
            self._answer(technician, order_id, shown, metres)
        if self._agenda.now < self._closing:
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
            _, everybody = self.engine.do(
                lambda tx: visits.decline(tx, technician.id, message, order_id, reason, city=self.engine.city)
            )
            if everybody:
                self.engine.close_window(order_id, complete=True)

    def _grab(self, technician: Technician, order_id: str) -> None:
        self._locate(technician)
        ask = Ask(technician.id, technician.message(), order_id)
        technician.bids.add(order_id)
        judged = self.engine.do(
            lambda tx: grabs.judge_batch(
                tx,
                [ask],
                self.engine.city,
                held_by=lambda _: [self.engine.order(held).public() for held in technician.held],
            )
        )
        [answer] = judged.answers
        if not isinstance(answer, Acked):
            technician.bids.discard(order_id)
        elif answer.complete:
            self.engine.close_window(order_id, complete=True)
        else:
            self._agenda.put(answer.closes_at, Rank.WINDOW, lambda: self.engine.close_window(order_id))
