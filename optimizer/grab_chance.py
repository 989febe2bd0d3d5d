"""How likely somebody grabs an offer in time, and how long one may wait for that.

The time from an offer to its grab is taken as exponential, with a rate that differs by zone and hour of the day and has
a gamma prior; an offer that ended otherwise, or is open still, counts with the time that it was open (censoring). What
is then expected of the next offer is a Lomax distribution: chance of a grab within t = 1 - (b / (b + t))^a, with a the
grabs and b the open seconds, prior included (Gelman et al., "Bayesian Data Analysis", 3rd ed., section 2.6). It is
nested: the city teaches what a zone is shrunk towards, a zone what its hours are.

`latest_assignment_s` weighs that against the clock: every second of waiting costs chance that a crew sent afterwards
arrives in time, whose travel time is log-normal.
"""

import math
from collections.abc import Iterable

from msgspec import Struct

_Z90 = 1.2815515655446004
_STEPS = 240

ACCEPTED_LOSS = 0.05
"""Waiting for a grab may cost at most this much of the chance to arrive in time."""


class OfferSeen(Struct, frozen=True):
    """An offer of the past: local hour in which it began, seconds that it was open, and whether it ended by a grab."""

    zone: str | None
    hour: int
    open_s: float
    grabbed: bool


class GrabChance(Struct, frozen=True):
    """What is known of a rate of grabs: as if `grabs` had been seen in `open_s` seconds of open offers."""

    grabs: float = 2.0
    open_s: float = 60.0

    def within(self, seconds: float) -> float:
        """Return the chance that an offer is grabbed within so many seconds, if nobody ends it otherwise."""
        return 1.0 - math.pow(self.open_s / (self.open_s + max(seconds, 0.0)), self.grabs)


PRIOR = GrabChance()
"""Before any offer was seen: one in six is grabbed in its first six seconds, three in four within a minute."""


class GrabChances(Struct, frozen=True):
    """Chances by zone and hour of the day; `of` never fails, the less it knows the nearer it stays to the city's."""

    overall: GrabChance = PRIOR
    zones: dict[str, GrabChance] = {}
    hours: dict[str, dict[int, GrabChance]] = {}
    offers: int = 0

    def of(self, zone: str | None, hour: int) -> GrabChance:
        """Return the chance for an offer that begins in this zone at this local hour."""
        if zone is None:
            return self.overall
        return self.hours.get(zone, {}).get(hour, self.zones.get(zone, self.overall))


def learn_grab_chances(seen: Iterable[OfferSeen], *, prior: GrabChance = PRIOR, worth: float = 10.0) -> GrabChances:
    """Return what offers teach; what is narrower is shrunk to what is wider as if by `worth` grabs."""
    offers = [offer for offer in seen if math.isfinite(offer.open_s) and offer.open_s >= 0.0]
    overall = _learned(prior, offers)
    zones: dict[str, GrabChance] = {}
    hours: dict[str, dict[int, GrabChance]] = {}
    by_zone: dict[str, dict[int, list[OfferSeen]]] = {}
    for offer in offers:
        if offer.zone is not None:
            by_zone.setdefault(offer.zone, {}).setdefault(offer.hour, []).append(offer)
    for zone, of_zone in by_zone.items():
        zones[zone] = _learned(_worth(overall, worth), [offer for some in of_zone.values() for offer in some])
        hours[zone] = {hour: _learned(_worth(zones[zone], worth), some) for hour, some in of_zone.items()}
    return GrabChances(overall, zones, hours, len(offers))


def latest_assignment_s(
    *,
    longest_s: float,
    due_in_s: float,
    eta_s: float,
    late_eta_s: float,
    chance: GrabChance,
    loss: float = ACCEPTED_LOSS,
) -> float:
    """Return how many seconds from now the machine may at most wait before it assigns, at most `longest_s`.

    `eta_s` and `late_eta_s` are the median and the 0.9 quantile of the travel time of the nearest crew, `due_in_s` is
    when it must be there. The answer is the latest moment t for which

        (1 - chance of a grab within t) x (chance to arrive in time if sent now - if sent at t)  <=  loss

    So without scatter it is the moment when the nearest crew must leave; where grabs are rare it is earlier; and where
    nothing can be lost any more, since nobody arrives in time either way, the whole of `longest_s` is left for grabs.
    """
    if longest_s <= 0.0:
        return 0.0
    sigma = math.log(max(late_eta_s / eta_s, 1.0)) / _Z90 if eta_s > 0.0 else 0.0
    at_once = _in_time(due_in_s, eta_s, sigma)
    for step in range(_STEPS, 0, -1):
        wait = longest_s * (step / _STEPS)
        lost = (1.0 - chance.within(wait)) * (at_once - _in_time(due_in_s - wait, eta_s, sigma))
        if lost <= loss + 1e-12:
            return wait
    return 0.0


def _in_time(left_s: float, eta_s: float, sigma: float) -> float:
    """Return the chance that a log-normal travel time is at most what is left."""
    if left_s <= 0.0:
        return 1.0 if left_s == 0.0 and eta_s == 0.0 else 0.0
    if sigma == 0.0 or eta_s == 0.0:
        return 1.0 if eta_s <= left_s else 0.0
    return 0.5 * (1.0 + math.erf(math.log(left_s / eta_s) / sigma / math.sqrt(2.0)))


def _worth(chance: GrabChance, grabs: float) -> GrabChance:
    """Return the same rate, known as if from so many grabs, or from those that there were if that is fewer."""
    scale = min(grabs / chance.grabs, 1.0)
    return GrabChance(chance.grabs * scale, chance.open_s * scale)


def _learned(prior: GrabChance, offers: list[OfferSeen]) -> GrabChance:
    grabs = sum(offer.grabbed for offer in offers)
    return GrabChance(prior.grabs + grabs, prior.open_s + sum(offer.open_s for offer in offers))
