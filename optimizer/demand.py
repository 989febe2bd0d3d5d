"""How many reports are to be expected: per zone, by hour of the week, outside temperature and phase of the season.

The count of a zone in an hour is taken as Poisson with the rate

    zone's share x level x shape(hour of the week) x cold(outside temperature) x storm(phase of the season)

each factor the posterior mean of a gamma that is worth `worth` reports at its prior (gamma-Poisson shrinkage; Gelman et
al., "Bayesian Data Analysis", 3rd ed., section 2.6). The factors are fitted in turns, each with the others held (Bailey
1963, "Insurance rates with minimum bias": the same fixed point as a Poisson regression with a log link, whose normal
equations say that for each level seen and expected counts agree). A regression package would find the same point
without the shrinkage, and an hour of the week that a young city has seen twice needs that.

Prior: reports come by day and evening, the first ten days of the season bring three times as many, and each degree
below freezing 3 % more. All of it gives way to counts.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

WEEK_HOURS = 168
SEASON_START = (10, 20)
SEASON_END = (4, 20)
STORM_DAYS = 10
"""Harbin heats from 20 October to 20 April; the first ten days are the storm."""
COLD_STEPS = (-30.0, -25.0, -20.0, -15.0, -10.0, -5.0, 0.0)
"""Lower bounds in °C of the bands of outside temperature, below the first and above the last one more."""
PHASES = ("storm", "season", "off")

Floats = npt.NDArray[np.float64]


def _day_shape() -> tuple[float, ...]:
    """Return the prior's hours of a day: quiet nights, a rise as people wake, a second one as they come home."""
    day = np.array([2, 1, 1, 1, 1, 3, 6, 9, 10, 9, 8, 7, 6, 6, 6, 6, 7, 9, 10, 10, 9, 7, 5, 3], dtype=np.float64)
    week = np.tile(day / day.mean(), 7)
    return tuple(float(each) for each in week)


class Demand(Struct, frozen=True):
    """Expected reports: `level` an hour in the whole city, and what it is multiplied with.

    `shares` of the zones add up to 1; a zone that is not among them counts like the smallest. `week` begins on Monday
    0:00 local time. `cold` has one factor per band of `COLD_STEPS` and one more for above the last.
    """

    level: float = 10.0
    shares: dict[str, float] = {}
    week: tuple[float, ...] = _day_shape()
    cold: tuple[float, ...] = (2.1, 2.0, 1.85, 1.7, 1.5, 1.3, 1.15, 1.0)
    phases: dict[str, float] = field(default_factory=lambda: {"storm": 3.0, "season": 1.0, "off": 0.1})
    hours: int = 0

    def __post_init__(self) -> None:
        """Refuse tables of the wrong size."""
        if len(self.week) != WEEK_HOURS or len(self.cold) != len(COLD_STEPS) + 1 or set(self.phases) != set(PHASES):
            raise ValueError("demand needs 168 hours of the week, a factor per band of temperature and one per phase")

    def rate(self, zone: str | None, at: datetime, outside_c: float | None = None) -> float:
        """Return the reports an hour to expect of a zone (None: the city) at a local time.

        Without an outside temperature it counts as the season's usual, of factor 1.
        """
        share = 1.0 if zone is None else self.share(zone)
        cold = 1.0 if outside_c is None else self.cold[_band(outside_c)]
        return share * self.level * self.week[week_hour(at)] * cold * self.phases[phase(at.date())]

    def share(self, zone: str) -> float:
        """Return the share of a zone in all reports."""
        return self.shares.get(zone, min(self.shares.values(), default=1.0))

    def rates(self, zones: Sequence[str], at: datetime, outside_c: float | None = None) -> Floats:
        """Return the reports an hour to expect of each zone."""
        return np.array([self.rate(zone, at, outside_c) for zone in zones])


class HourSeen(Struct, frozen=True):
    """One hour that has passed, from its local beginning, with the reports of each zone; a silent zone may be left out.

    `outside_c` is None where nobody measured it.
    """

    begins: datetime
    reports: dict[str, int]
    outside_c: float | None = None


def phase(day: date) -> str:
    """Return the phase of the season: `storm` (its first ten days), `season`, or `off`."""
    start = date(day.year if (day.month, day.day) >= SEASON_START else day.year - 1, *SEASON_START)
    end = date(start.year + 1, *SEASON_END)
    if day > end:
        return "off"
    return "storm" if day < start + timedelta(days=STORM_DAYS) else "season"


def week_hour(at: datetime) -> int:
    """Return the hour of the week, 0 on Monday at midnight."""
    return at.weekday() * 24 + at.hour


def learn_demand(
    seen: Sequence[HourSeen],
    zones: Sequence[str],
    prior: Demand,
    *,
    worth: float = 20.0,
    rounds: int = 20,
) -> Demand:
    """Return the demand that the hours seen teach, each factor shrunk towards the prior as if by `worth` reports.

    Every hour of the time looked at must be there, those without a report too: silence is what tells a quiet hour.
    """
    if not seen:
        return prior
    total = np.array([float(sum(hour.reports.values())) for hour in seen])
    week = np.array([week_hour(hour.begins) for hour in seen])
    cold = np.array([-1 if hour.outside_c is None else _band(hour.outside_c) for hour in seen])
    season = np.array([PHASES.index(phase(hour.begins.date())) for hour in seen])
    before = np.array(prior.week), np.array(prior.cold), np.array([prior.phases[name] for name in PHASES])
    hour_of_week, of_cold, of_phase = (table.copy() for table in before)
    level = prior.level
    measured = cold >= 0
    for _ in range(rounds):
        by_cold = np.where(measured, of_cold[cold], 1.0)
        shape = hour_of_week[week] * by_cold * of_phase[season]
        level = (worth + total.sum()) / (worth / prior.level + shape.sum())
        hour_of_week = _credible(week, total, level * by_cold * of_phase[season], before[0], worth)
        rest = level * hour_of_week[week]
        of_phase = _credible(season, total, rest * by_cold, before[2], worth)
        of_phase[PHASES.index("season")] = 1.0  # the measure of the others: what is common to all belongs to the level
        rest *= of_phase[season]
        of_cold = _credible(cold[measured], total[measured], rest[measured], before[1], worth)
    mean = float(hour_of_week.mean())
    return Demand(
        level=float(level) * mean,
        shares=_shares(seen, zones, prior, worth),
        week=tuple((hour_of_week / mean).tolist()),
        cold=tuple(of_cold.tolist()),
        phases=dict(zip(PHASES, of_phase.tolist(), strict=True)),
        hours=len(seen),
    )


def _credible(index: npt.NDArray[np.int64], counted: Floats, expected: Floats, prior: Floats, worth: float) -> Floats:
    """Return per index the posterior mean of its factor: (worth + counted) / (worth / prior + expected without it)."""
    n = len(prior)
    reports = np.bincount(index, weights=counted, minlength=n)
    exposure = np.bincount(index, weights=expected, minlength=n)
    return np.asarray((worth + reports) / (worth / prior + exposure))


def _shares(seen: Sequence[HourSeen], zones: Sequence[str], prior: Demand, worth: float) -> dict[str, float]:
    """Return each zone's share of all reports, shrunk towards the prior's, or towards equal shares."""
    counted: Mapping[str, int] = {zone: sum(hour.reports.get(zone, 0) for hour in seen) for zone in zones}
    even = 1.0 / max(len(zones), 1)
    weighed = {zone: counted[zone] + worth * prior.shares.get(zone, even) for zone in zones}
    total = sum(weighed.values())
    return {zone: weight / total for zone, weight in weighed.items()}


def _band(outside_c: float) -> int:
    return int(np.searchsorted(COLD_STEPS, outside_c, side="right"))
