"""How long the work at the door takes: median and 0.9 quantile per category and severity, from history and a prior.

Each kind of work is described by a log-normal, the usual shape of what people do for people (Brown et al. 2005,
"Statistical analysis of a telephone call center", JASA 100), fixed by its median and its 0.9 quantile and not by its
moments: on a real log (San Francisco fire units at the scene, 2017) the medians and 0.9 quantiles of a fit by mean and
variance had 43 and 97 % of the other half of the visits below them, these have 50 and 90 %. Both are the quantiles of
the visits pooled with draws of the prior, which together count as much as `worth` visits. It is nested: all work is the
prior of a category, a category of its severities. So a kind of fault seen twice borrows from its like.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from geo.travel_factors import pooled_quantiles

MEDIAN_S = 20 * 60.0
P90_S = 55 * 60.0
"""Before any history: half of the visits are done within 20 minutes, nine in ten within 55: an assumption."""
LEAST_SIGMA = 0.01
_Z90 = NormalDist().inv_cdf(0.9)
_DEVIATES = np.array([NormalDist().inv_cdf((n + 0.5) / 200) for n in range(200)])
SHORTEST_S = 10.0
LONGEST_S = 24 * 3600.0
"""Outside of these a record is a slip of the finger or a forgotten phone, and is left out."""


class Visit(Struct, frozen=True):
    """Work that was done: seconds from the arrival at the door to its end."""

    category: str
    severity: int
    service_s: float


class ServiceTime(Struct, frozen=True):
    """A log-normal: half of the visits take at most `median_s`, the logarithm scatters by `sigma`.

    `seen` is how many visits of exactly this kind taught it.
    """

    median_s: float
    sigma: float
    seen: int = 0

    def quantile(self, z: float) -> float:
        """Return the seconds at a standard normal deviate."""
        return self.median_s * math.exp(z * self.sigma)

    @property
    def p90_s(self) -> float:
        """What nine visits in ten do not exceed."""
        return self.quantile(_Z90)


PRIOR = ServiceTime(MEDIAN_S, math.log(P90_S / MEDIAN_S) / _Z90)


class ServiceTimes(Struct, frozen=True):
    """Predictions for every kind of work: `of` never fails, the less it knows the nearer it stays to the prior."""

    overall: ServiceTime = PRIOR
    categories: dict[str, ServiceTime] = {}
    kinds: dict[str, dict[int, ServiceTime]] = {}

    def of(self, category: str, severity: int) -> ServiceTime:
        """Return the prediction for a category and severity."""
        narrower = self.categories.get(category, self.overall)
        return self.kinds.get(category, {}).get(severity, narrower)


def learn_service_times(visits: Iterable[Visit], *, prior: ServiceTime = PRIOR, worth: float = 10.0) -> ServiceTimes:
    """Return what the visits teach, shrunk towards the prior as if that had been seen `worth` times.

    Records shorter than `SHORTEST_S` or longer than `LONGEST_S`, or not finite, are left out.
    """
    by_kind: dict[str, dict[int, list[float]]] = {}
    for visit in visits:
        if SHORTEST_S <= visit.service_s <= LONGEST_S:
            severities = by_kind.setdefault(visit.category, {})
            severities.setdefault(visit.severity, []).append(math.log(visit.service_s))
    everything = [x for severities in by_kind.values() for seen in severities.values() for x in seen]
    overall = _shrunk(everything, prior, worth)
    categories = {
        category: _shrunk([x for seen in severities.values() for x in seen], overall, worth)
        for category, severities in by_kind.items()
    }
    kinds = {
        category: {severity: _shrunk(seen, categories[category], worth) for severity, seen in severities.items()}
        for category, severities in by_kind.items()
    }
    return ServiceTimes(overall, categories, kinds)


def _shrunk(logs: Sequence[float], prior: ServiceTime, worth: float) -> ServiceTime:
    """Return the log-normal with the median and the 0.9 quantile of the logarithms pooled with the prior's."""
    if not logs:
        return ServiceTime(prior.median_s, prior.sigma)
    drawn = math.log(prior.median_s) + prior.sigma * _DEVIATES
    middle, high = pooled_quantiles(logs, drawn, worth=worth, shares=(0.5, 0.9)).tolist()
    return ServiceTime(math.exp(middle), max((high - middle) / _Z90, LEAST_SIGMA), len(logs))
