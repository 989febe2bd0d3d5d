"""How a simulated technician behaves: numbers and dice, no sockets and no clock.

The numbers are assumptions that make a plausible day, not measurements; each can be set. Durations are lognormal,
given by their median and the sigma of their logarithm, as waiting and service times of people tend to be.
"""

import math
import random
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from crew_client.ground import Place, shifted
from crew_client.protocol import Evidence
from crew_client.protocol.messages import SuspendReason

Answer = Literal["grab", "decline", "ignore"]
_NOTES = ("暖气片排气", "开启入户阀门", "清洗过滤器", "更换密封垫", "调节单元平衡阀")
_SUSPEND_REASONS: tuple[SuspendReason, ...] = ("resident_absent", "waiting_part", "waiting_utility")


class DeadZone(NamedTuple):
    """A time without signal: begins `after_s`, lasts `length_s`; `silent` leaves the socket half-open."""

    after_s: float
    length_s: float
    silent: bool


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The parameters of a technician. `_s` seconds of simulated time, `_real_s` of real time, `_m` metres.

    reaction_*: from an offer on the screen to the answer.
    keenness: chance to grab an offer next door with empty hands; falls by 1/e each `keen_within_m` metres and is
        multiplied by `keenness_per_order` for each order held or bid for.
    decline_share: of the offers that are not grabbed, how many are declined aloud; the rest is ignored.
    setting_off_*: from holding an order to driving off. travel_mps: straight-line metres a second, detours included.
    service_*: from the door to done. suspend_share: visits that end in a suspension, for suspended_* until resumed.
    position_every_s: between fixes on the way; standing_every_s at rest; never faster than `position_least_real_s`.
    fix_sigma_m: error of a fix in each direction. accuracy_m: what the phone claims.
    dwell_real_s: between the two fixes at the door; the server measures it on its own clock, so it is not scaled.
    dead_zones_per_hour, dead_zone_*: loss of signal; silent_share of them leave a half-open socket.
    wrong_clock_share: phones whose clock is wrong, by up to wrong_clock_most_s either way.
    retry_s: wait after a refused `progress` before trying again.
    """

    reaction_median_s: float = 3.5
    reaction_sigma: float = 0.6
    keenness: float = 0.95
    keen_within_m: float = 4000.0
    keenness_per_order: float = 0.3
    decline_share: float = 0.5
    setting_off_median_s: float = 20.0
    setting_off_sigma: float = 0.5
    travel_mps: float = 6.0
    service_median_s: float = 1200.0
    service_sigma: float = 0.5
    suspend_share: float = 0.05
    suspended_median_s: float = 2400.0
    suspended_sigma: float = 0.5
    position_every_s: float = 5.0
    standing_every_s: float = 20.0
    position_least_real_s: float = 1.0
    fix_sigma_m: float = 6.0
    accuracy_m: float = 15.0
    dwell_real_s: float = 5.5
    dead_zones_per_hour: float = 0.5
    dead_zone_median_s: float = 45.0
    dead_zone_sigma: float = 0.8
    silent_share: float = 0.5
    wrong_clock_share: float = 0.2
    wrong_clock_most_s: float = 600.0
    retry_s: float = 15.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            share = field.name in ("keenness", "keenness_per_order") or field.name.endswith("_share")
            if not 0 <= value <= (1 if share else math.inf):
                raise ValueError(f"Behaviour.{field.name} must be {'from 0 to 1' if share else '0 or more'}: {value}")
        for name in ("keen_within_m", "travel_mps", "position_every_s"):
            if getattr(self, name) == 0:
                raise ValueError(f"Behaviour.{name} must be more than 0")

    def reaction_s(self, rng: random.Random) -> float:
        """How long this technician looks at an offer."""
        return _lognormal(rng, self.reaction_median_s, self.reaction_sigma)

    def inclination(self, distance_m: float, *, load: int) -> float:
        """The chance that an offer so far away is grabbed with `load` orders in hand."""
        return self.keenness * math.exp(-distance_m / self.keen_within_m) * self.keenness_per_order**load

    def answer(self, rng: random.Random, distance_m: float, *, load: int) -> Answer:
        """Grab, decline or ignore an offer."""
        if rng.random() < self.inclination(distance_m, load=load):
            return "grab"
        return "decline" if rng.random() < self.decline_share else "ignore"

    def decline_reason(self, distance_m: float, *, load: int) -> str:
        """The words that go with a decline."""
        if load:
            return "busy"
        return "too_far" if distance_m > self.keen_within_m / 2 else "not_my_trade"

    def setting_off_s(self, rng: random.Random) -> float:
        """How long it takes to put things away and drive off."""
        return _lognormal(rng, self.setting_off_median_s, self.setting_off_sigma)

    def service_s(self, rng: random.Random) -> float:
        """How long the work at the door takes."""
        return _lognormal(rng, self.service_median_s, self.service_sigma)

    def suspension(self, rng: random.Random) -> tuple[SuspendReason, float] | None:
        """Why and for how many seconds this visit breaks off, or None where it does not."""
        if rng.random() >= self.suspend_share:
            return None
        return rng.choice(_SUSPEND_REASONS), _lognormal(rng, self.suspended_median_s, self.suspended_sigma)

    def evidence(self, rng: random.Random) -> Evidence:
        """What is found at the door when the work is done."""
        return Evidence(temperature_c=round(rng.gauss(20.5, 1.2), 1), note=rng.choice(_NOTES))

    def fix(self, rng: random.Random, place: Place) -> Place:
        """Where the phone believes to be."""
        return shifted(place, east_m=rng.gauss(0, self.fix_sigma_m), north_m=rng.gauss(0, self.fix_sigma_m))

    def dead_zone(self, rng: random.Random) -> DeadZone | None:
        """The next loss of signal, or None where there is none."""
        if self.dead_zones_per_hour == 0:
            return None
        after = rng.expovariate(self.dead_zones_per_hour / 3600)
        length = _lognormal(rng, self.dead_zone_median_s, self.dead_zone_sigma)
        return DeadZone(after, length, rng.random() < self.silent_share)

    def clock_error_s(self, rng: random.Random) -> float:
        """How far this phone's clock is ahead."""
        wrong = rng.random() < self.wrong_clock_share
        return rng.uniform(-self.wrong_clock_most_s, self.wrong_clock_most_s) if wrong else 0.0


def _lognormal(rng: random.Random, median: float, sigma: float) -> float:
    return median * math.exp(rng.gauss(0, sigma))
