"""Who may take an order, and that a source of travel times is asked once for all of them."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import numpy.typing as npt

from crew_client.protocol import Location
from dispatch import clocks
from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.crews import Crew, arrivals, candidates
from dispatch.offers import opened
from dispatch.orders import Order, State
from dispatch.policy import GrabPolicy
from geo.travel import Floats, MetricTravel
from geo.travel_factors import NO_FACTORS
from optimizer.grab_chance import GrabChance, GrabChances

NOON = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)


class CountingTravel(MetricTravel):
    """Metric travel that remembers the shapes it was asked for, and knows no way to one place."""

    __slots__ = ("asked", "cut_off")

    def __init__(self, cut_off: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []
        self.cut_off = cut_off

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        found = super().matrix(origins, destinations, quantile=quantile)
        self.asked.append((found.shape[0], found.shape[1]))
        if self.cut_off is not None:
            found[(np.asarray(origins) == self.cut_off).all(axis=1), :] = np.inf
        return found


def order() -> Order:
    settings = Settings()
    return Order(
        id="o1",
        version=1,
        state=State.OFFERED,
        cycle=1,
        zone=None,
        category="leak",
        severity=4,
        location=Location(126.63, 45.75),
        address=None,
        required_skills=(),
        crew=None,
        claimed_by=None,
        reported_at=NOON,
        clocks=clocks.start({}, clocks.AT_REPORT, NOON, severity=4, targets=settings.clocks),
    )


def far_crew(seconds: float) -> list[Crew]:
    """One crew, so many metric seconds from the order."""
    north = seconds * 6.0 / 1.3 / 111_195
    return [msgspec.structs.replace(crews(2)[1], position=Location(126.63, 45.75 + north))]


def handed_over_s(city: City, seconds: float) -> float:
    """When the machine takes over an order whose only crew is so many seconds away."""
    fresh, _ = opened(order(), far_crew(seconds), city, now=NOON)
    assert fresh.offer is not None
    return (fresh.offer.assign_at - NOON).total_seconds()


def crews(count: int) -> list[Crew]:
    return [
        Crew(
            id=f"c{n}",
            name="",
            skills=(),
            home_zone=None,
            capacity=1,
            on_shift=True,
            position=Location(126.63 + n / 1000, 45.75) if n else None,
        )
        for n in range(count)
    ]


def test_all_crews_of_a_city_are_asked_about_at_once() -> None:
    travel = CountingTravel()
    city = msgspec.structs.replace(bare_city("city", Settings()), travel=travel)
    fresh, circle = opened(order(), crews(30), city, now=NOON)
    assert travel.asked == [(29, 1)]
    assert [candidate.crew for candidate in circle] == [f"c{n}" for n in range(1, 30)]
    assert fresh.offer is not None


def test_a_crew_that_no_road_leads_from_comes_after_those_that_can_arrive() -> None:
    travel = CountingTravel(cut_off=(126.631, 45.75))
    ranked = candidates(order(), crews(4), travel=travel)
    assert [(c.crew, c.eta_s is None, c.eligible) for c in ranked] == [
        ("c2", False, True),
        ("c3", False, True),
        ("c1", True, True),
        ("c0", True, False),
    ]
    assert "c1" not in arrivals(order().location, crews(4), travel)


def test_the_hour_of_the_city_lengthens_what_crews_are_told() -> None:
    slow_at_noon = (1.0,) * 12 + (2.0,) + (1.0,) * 11
    settings = Settings()
    settings = msgspec.structs.replace(
        settings, travel=msgspec.structs.replace(settings.travel, hour_factors=slow_at_noon)
    )
    city = bare_city("city", settings)
    _, usual = opened(order(), crews(2), bare_city("city", Settings()), now=NOON)
    _, noon = opened(order(), crews(2), city, now=NOON)  # 12:00 in Harbin
    _, later = opened(order(), crews(2), city, now=NOON.replace(hour=6))
    assert usual[0].eta_s is not None and noon[0].eta_s is not None
    assert abs(noon[0].eta_s - 2 * usual[0].eta_s) <= 1
    assert later == usual


def test_on_a_tight_clock_the_machine_takes_over_the_sooner_the_less_can_be_counted_on() -> None:
    city = bare_city("city", Settings(grab=GrabPolicy(mode="first")))
    idle = msgspec.structs.replace(city.forecasts, grabs=GrabChances(GrabChance(0.1, 10_000)))
    keen = msgspec.structs.replace(city.forecasts, grabs=GrabChances(GrabChance(100, 500)))
    nobody_grabs, somebody_grabs = (msgspec.structs.replace(city, forecasts=each) for each in (idle, keen))
    assert handed_over_s(somebody_grabs, 780) == 60
    assert handed_over_s(nobody_grabs, 780) < 45
    assert handed_over_s(nobody_grabs, 200) == 60
    exact = msgspec.structs.replace(idle, travel=NO_FACTORS)
    assert handed_over_s(msgspec.structs.replace(city, forecasts=exact), 780) == 60, "nothing scatters"
