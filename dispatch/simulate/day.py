"""A day in virtual time: reports come in, a policy sends and moves, the crews live on.

What the engine does is in `engine`, what the crews do in `lives`; here is what the machine does, by a policy that is
shown the situation whenever something has changed.
"""

from datetime import datetime, timedelta

from crew_client.ground import Place
from dispatch.city import City
from dispatch.questions import expected_in
from dispatch.simulate.agenda import Agenda, Rank
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.lives import Lives
from dispatch.simulate.policies import Policy
from dispatch.simulate.results import Visit
from dispatch.simulate.scenario import Scenario, ScenarioReport
from dispatch.simulate.standing import Standing
from dispatch.simulate.technicians import Technician
from optimizer.situation import BusyCrew, Ground, IdleCrew, Reported, Situation, WaitingOrder


class Day:
    """One run of a scenario under a policy."""

    def __init__(
        self,
        scenario: Scenario,
        city: City,
        policy: Policy,
        *,
        behaviour: CrewBehaviour,
        seed: int,
        standing: Standing | None = None,
    ) -> None:
        """Prepare the day; nothing has happened yet, but for what has led to `standing`."""
        moments = [shift.start for crew in scenario.crews for shift in crew.shifts if shift.start is not None]
        moments += [report.at for report in scenario.reports[:1]]
        self._agenda = Agenda(standing.at if standing is not None else min(moments, default=datetime.max))
        self._lives = Lives(
            scenario, city, self._agenda, behaviour=behaviour, grabs=policy.grabs, seed=seed, standing=standing
        )
        self._known = frozenset(standing.orders) if standing is not None else frozenset()
        self._engine = self._lives.engine
        self._scenario = scenario
        self._policy = policy
        self._dispatcher_s = behaviour.dispatcher_s if policy.name != "nearest" else 0.0
        self._dispatcher = policy.prepare(_ground(scenario, city)) if policy.prepare else None
        self._again_at: datetime | None = None
        self._reported: list[Reported] = []
        self._standing: dict[str, IdleCrew] = {}

    def run(self) -> list[Visit]:
        """Live through the day; return the visits to its reports in the order in which they were done."""
        if not self._scenario.reports:
            return []
        self._lives.hire()
        for report in self._scenario.reports:
            if report.id in self._known:
                continue
            self._agenda.put(report.at, Rank.REPORT, lambda report=report: self._report(report))  # type: ignore[misc]
        self._agenda.run(self._dispatch)
        reports = {report.id for report in self._scenario.reports}
        return [visit for visit in self._lives.visits if visit.report.id in reports]

    def _report(self, report: ScenarioReport) -> None:
        self._reported.append(Reported(report.lon, report.lat, report.severity))
        self._engine.take_report(report, dispatcher_s=self._dispatcher_s)

    def _dispatch(self) -> None:
        """Let the policy choose where something has changed for it, and do what it chose."""
        if self._dispatcher is None or not self._engine.changed:
            return
        self._engine.changed = False
        idle = [technician for technician in self._lives if technician.idle and not technician.bids]
        if not idle:
            return
        waiting = self._engine.due()
        if not waiting and not self._policy.moves:
            return
        situation = self._situation(idle, waiting)
        self._reported.clear()
        choice = self._dispatcher(situation)
        for sending in choice.sendings:
            self._engine.give(sending)
        for move in choice.moves:
            self._lives.move(move.crew, Place(move.lon, move.lat))
        if choice.again_s is not None and (self._again_at is None or self._again_at <= self._agenda.now):
            self._again_at = self._agenda.now + timedelta(seconds=choice.again_s)
            self._agenda.put(self._again_at, Rank.RING, self._engine.look_around)

    def _situation(self, idle: list[Technician], waiting: list[WaitingOrder]) -> Situation:
        """Return what the policy may know; a crew that waits for the verdict on its bid is left alone."""
        now = self._agenda.now
        crews = sorted((self._idle_crew(technician, now) for technician in idle), key=lambda crew: crew.since)
        busy = []
        for technician in self._lives:
            if technician.doing is not None:
                work = technician.held[technician.doing]
                report = work.report
                there_at = work.arrived_at or (technician.leg.arrives_at if technician.leg else now)
                at = (report.lon, report.lat, technician.crew.skills, technician.until, there_at)
                busy.append(BusyCrew(technician.id, *at, report.severity, report.category))
        travel, reported = self._engine.city.travel_at(now), tuple(self._reported)
        return Situation(now, tuple(crews), tuple(busy), tuple(waiting), travel, reported)

    def _idle_crew(self, technician: Technician, now: datetime) -> IdleCrew:
        """Return a crew as the policy sees it; one that stands where it stood is not described anew."""
        leg, since = technician.leg, technician.free_since or now
        if leg is None:
            known = self._standing.get(technician.id)
            if known is not None and known.since == since and (known.lon, known.lat) == technician.place:
                return known
        place, heading = technician.where(now), None if leg is None else (leg.end.lon, leg.end.lat)
        crew = IdleCrew(technician.id, place.lon, place.lat, technician.crew.skills, technician.until, since, heading)
        if leg is None:
            self._standing[technician.id] = crew
        return crew


def _ground(scenario: Scenario, city: City) -> Ground:
    """Return the box of the zones, or of where crews begin where there are none, and the crews' posts."""
    posts = tuple((crew.lon, crew.lat) for crew in scenario.crews)
    zones = city.zones.zone_map.zones if city.zones else ()
    boxes = [zone.geometry.bounds for zone in zones] or [(*post, *post) for post in posts] or [(0.0, 0.0, 0.0, 0.0)]
    west, south, east, north = zip(*boxes, strict=True)
    return Ground(min(west), min(south), max(east), max(north), posts, expected_in(city))
