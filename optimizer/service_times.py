"""How long the work at the door takes: median and 0.9 quantile per category and severity, from history and a prior.

Service times are taken as log-normal, the usual finding for work that people do for people (Brown et al. 2005,
"Statistical analysis of a telephone call center", JASA 100). With x the logarithms of the seconds, mean and
variance have the conjugate normal-inverse-gamma prior (Gelman et al., "Bayesian Data Analysis", 3rd ed., section 3.3),
worth `worth` observations. It is nested: all work teaches what a category is shrunk towards, a category what its
severities are. So a kind of fault seen twice borrows from its like. The quantiles are those of a log-normal with the
mean and variance so found.
"""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

MEDIAN_S = 20 * 60.0
P90_S = 55 * 60.0
"""Before any history: half of the visits are done within 20 minutes, nine in ten within 55: an assumption."""
_Z90 = 1.2815515655446004
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
    """Return the log-normal with the posterior mean of the logarithms and of their variance."""
    n = len(logs)
    if not n:
        return ServiceTime(prior.median_s, prior.sigma)
    before = math.log(prior.median_s)
    mean = sum(logs) / n
    apart = n * worth / (n + worth) * (mean - before) ** 2
    squares = worth * prior.sigma**2 + sum((x - mean) ** 2 for x in logs) + apart
    after = (worth * before + n * mean) / (n + worth)
    return ServiceTime(math.exp(after), math.sqrt(squares / (n + worth)), n)
