"""How much longer trips take than a source says: by hour of the day, by weather, and how far they scatter.

A source (`MetricTravel`, a road map) says one time t for a pair of places. A real trip takes t x exp(h + w + e): h
belongs to the hour, w to the weather, e is what is left, the same for all. h and the quantiles of e are learned from
the crews' own arrivals (`learn_factors`), shrunk towards a prior, so that an hour with three trips says little. Trips
are compared by the logarithm of actual to predicted, since travel times are right-skewed and scatter in proportion
(Budge, Ingolfsson, Zerom 2010, "Empirical analysis of ambulance travel times", Management Science 56).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from geo.travel import Floats, TravelTimes, check_quantile

HOURS = 24
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Where the scatter is kept; between them it is interpolated, beyond them it stays at the last."""
_NORMAL = (-1.6448536, -1.2815516, -0.6744898, 0.0, 0.6744898, 1.2815516, 1.6448536)

_DRAWS = 200
"""Values that stand for a prior where it is pooled with what was seen."""

PLAIN_SCATTER = 0.25
"""Log standard deviation before any trip was seen: nine trips in ten then take less than 1.38 x the median."""

Factor = Annotated[float, Meta(ge=0.1, le=20)]


class Conditions(Struct, frozen=True):
    """When a trip is made: the local hour, 0 to 23, and a word for the weather, "" where it is not known."""

    hour: int
    weather: str = ""

    def __post_init__(self) -> None:
        """Refuse an hour that no clock shows."""
        if not 0 <= self.hour < HOURS:
            raise ValueError(f"hour must be 0 to 23, not {self.hour}")


class Trip(Struct, frozen=True):
    """A drive that was made: what a source had said of it, and what it took; seconds. `hour` is local."""

    hour: int
    predicted_s: float
    actual_s: float


class TravelFactors(Struct, frozen=True, forbid_unknown_fields=True):
    """What a source's seconds are multiplied with: by hour, by weather, and by quantile (`scatter`, as logarithms).

    `hours` has 24 members, `scatter` one for each of `QUANTILES`, not decreasing, about 0 in the middle. `trips` says
    how many trips taught them.
    """

    hours: tuple[Factor, ...] = (1.0,) * HOURS
    weather: dict[str, Factor] = {}
    scatter: tuple[float, ...] = tuple(PLAIN_SCATTER * z for z in _NORMAL)
    trips: int = 0

    def __post_init__(self) -> None:
        """Refuse tables of the wrong size."""
        if len(self.hours) != HOURS:
            raise ValueError(f"hours must hold {HOURS} factors, one per hour of the day, not {len(self.hours)}")
        if len(self.scatter) != len(QUANTILES) or any(np.diff(self.scatter) < 0) or not np.isfinite(self.scatter).all():
            raise ValueError(f"scatter must hold {len(QUANTILES)} finite numbers that do not decrease")

    def factor(self, conditions: Conditions, *, quantile: float = 0.5) -> float:
        """Return what to multiply a source's seconds with; a weather that is not listed changes nothing."""
        check_quantile(quantile)
        left = _between(quantile, self.scatter)
        return self.hours[conditions.hour] * self.weather.get(conditions.weather, 1.0) * math.exp(left)


NO_FACTORS = TravelFactors(scatter=(0.0,) * len(QUANTILES))
"""Takes a source by its word, for every quantile."""


class FactoredTravel:
    """A source of travel times under given conditions: its seconds times the factor of hour, weather and quantile."""

    __slots__ = ("_median", "conditions", "factors", "source")

    def __init__(self, source: TravelTimes, factors: TravelFactors, conditions: Conditions) -> None:
        """Take the source that answers, and what its answers are multiplied with."""
        self.source = source
        self.factors = factors
        self.conditions = conditions
        self._median = factors.factor(conditions)

    def factor(self, quantile: float) -> float:
        """Return what the source's seconds are multiplied with."""
        return self._median if quantile == 0.5 else self.factors.factor(self.conditions, quantile=quantile)

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way."""
        taken = self.source.seconds(lon1, lat1, lon2, lat2) * self.factor(quantile)
        return float(math.ceil(taken)) if math.isfinite(taken) else math.inf

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m); infinity where there is no way."""
        return np.ceil(self.source.matrix(origins, destinations) * self.factor(quantile))


def learn_factors(trips: Sequence[Trip], prior: TravelFactors, *, worth: float = 20.0) -> TravelFactors:
    """Return the factors that the trips teach, shrunk towards the prior as if that had seen `worth` trips an hour.

    Of each trip the logarithm of actual by predicted counts. An hour's factor is the mean of its trips' logarithms
    and of the prior's; what then is left of each trip, together with as many trips of the prior, gives the quantiles
    of the scatter. Trips that say nothing (a time that is not finite, predicted or actual below a second) and those
    off by more than a factor of 20 (a phone that was forgotten) are left out. The weather's factors stay the prior's.
    """
    kept = [
        (trip.hour, math.log(trip.actual_s / trip.predicted_s))
        for trip in trips
        if 1.0 <= trip.predicted_s < math.inf
        and 1.0 <= trip.actual_s < math.inf
        and 0.05 <= trip.actual_s / trip.predicted_s <= 20.0
    ]
    if not kept:
        return prior
    hour = np.array([each for each, _ in kept])
    ratio = np.array([each for _, each in kept])
    before = np.log(np.array(prior.hours))
    count = np.bincount(hour, minlength=HOURS)
    total = np.bincount(hour, weights=ratio, minlength=HOURS)
    # The day as a whole is learned sooner than any hour of it: its mean shifts the prior that each hour is shrunk to.
    shift = float((ratio - before[hour]).sum() / (len(kept) + worth))
    after = (total + worth * (before + shift)) / (count + worth)
    drawn = np.interp((np.arange(_DRAWS) + 0.5) / _DRAWS, QUANTILES, prior.scatter)
    scatter = pooled_quantiles(ratio - after[hour], drawn, worth=worth, shares=QUANTILES)
    hours = tuple(float(each) for each in np.clip(np.exp(after), 0.1, 20.0))
    return TravelFactors(hours=hours, weather=prior.weather, scatter=tuple(scatter.tolist()), trips=len(kept))


def check_weather(weather: str, factors: Mapping[str, float]) -> None:
    """Raise `ValueError` where a weather in force has no factor: a word that was misspelt would change nothing."""
    if weather and weather not in factors:
        raise ValueError(f"weather {weather!r} has no factor; there are: {', '.join(sorted(factors)) or 'none'}")


def _between(quantile: float, scatter: Sequence[float]) -> float:
    """Return the scatter at a quantile, interpolated; numpy would take longer than all the rest of a prediction."""
    if quantile <= QUANTILES[0]:
        return scatter[0]
    if quantile >= QUANTILES[-1]:
        return scatter[-1]
    after = bisect_right(QUANTILES, quantile)
    low, high = QUANTILES[after - 1], QUANTILES[after]
    share = (quantile - low) / (high - low)
    return scatter[after - 1] + share * (scatter[after] - scatter[after - 1])


def pooled_quantiles(
    values: npt.ArrayLike, prior: npt.ArrayLike, *, worth: float, shares: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the quantiles of values pooled with a prior, whose draws together count as much as `worth` values."""
    seen, drawn = np.asarray(values, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    pooled = np.concatenate([seen, drawn])
    weights = np.concatenate([np.ones(len(seen)), np.full(len(drawn), worth / len(drawn))])
    order = np.argsort(pooled, kind="stable")
    reached = np.cumsum(weights[order]) - weights[order] / 2
    return np.asarray(np.interp(np.asarray(shares) * weights.sum(), reached, pooled[order]))
