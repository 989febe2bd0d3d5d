"""What a step must know of its city beside the rows: zones, grab policies, clock targets, travel."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from crew_client.protocol import Location
from dispatch.clocks import Targets
from dispatch.forecasts import Forecasts
from dispatch.policy import GrabPolicy, read_policy
from geo import (
    Conditions,
    FactoredTravel,
    TravelFactors,
    TravelTimes,
    ZoneIndex,
    ZoneProblem,
    parse_usable_zones,
    parse_zones,
)
from optimizer.grab_chance import GrabChance


class City(Struct, frozen=True):
    """A city as the steps see it: a value, replaced whole when its zones change.

    A crew that was last heard of more than `stale_s` seconds ago may have a dead phone. `travel` is the bare source
    of travel times, `factors` what was configured about it; `travel_at` is what to ask.
    """

    id: str
    zones: ZoneIndex | None
    policies: Mapping[str, GrabPolicy]
    default_policy: GrabPolicy
    targets: Targets
    travel: TravelTimes
    stale_s: float = 600.0
    factors: TravelFactors = TravelFactors()
    forecasts: Forecasts = Forecasts()
    time_zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    weather: str = ""

    def locate(self, place: Location | None) -> str | None:
        """Return the zone of a place, None outside every zone or where the place is not known."""
        if place is None or self.zones is None:
            return None
        return self.zones.locate(place.lon, place.lat)

    def policy(self, zone: str | None) -> GrabPolicy:
        """Return the grab policy of a zone."""
        return self.policies.get(zone, self.default_policy) if zone else self.default_policy

    def travel_at(self, now: datetime) -> FactoredTravel:
        """Return travel times as they are at this hour, in the weather in force."""
        conditions = Conditions(now.astimezone(self.time_zone).hour, self.weather)
        return FactoredTravel(self.travel, self.forecasts.travel or self.factors, conditions)

    def grab_chance(self, zone: str | None, now: datetime) -> GrabChance:
        """Return how likely an offer of this zone that begins now is grabbed."""
        return self.forecasts.grabs.of(zone, now.astimezone(self.time_zone).hour)

    def ring_zones(self, zone: str | None, ring: int) -> tuple[str, ...] | None:
        """Return the zones of ring 0 (the zone itself), 1 (its neighbours too) or 2 (None: the whole city)."""
        if zone is None or self.zones is None or ring >= 2:
            return None
        if ring == 0:
            return (zone,)
        try:
            return (zone, *self.zones.neighbours(zone))
        except KeyError:
            return (zone,)  # a zone of an older map

    def with_zones(self, document: str | bytes, version: int) -> "City":
        """Return the city with another zone map in force."""
        zone_map = parse_zones(document.encode() if isinstance(document, str) else document)
        zones = ZoneIndex(zone_map, version=version)
        return msgspec.structs.replace(self, zones=zones).with_default_policy(self.default_policy)

    def with_stored_zones(self, document: str, version: int) -> tuple["City", tuple[ZoneProblem, ...]]:
        """Return the city with what can be used of a map in force, and why the rest of it cannot.

        An earlier version may have taken zones that are refused by now; without them the city goes on.
        """
        zone_map, problems = parse_usable_zones(document.encode())
        if zone_map is None:
            return self, problems
        zoned = msgspec.structs.replace(self, zones=ZoneIndex(zone_map, version=version))
        return zoned.with_default_policy(self.default_policy), problems

    def with_default_policy(self, policy: GrabPolicy) -> "City":
        """Return the city with another grab policy for what its zones do not say themselves."""
        policies = {
            zone.id: read_policy(zone.policy, policy, pointer=f"/features/{n}/properties/policy")
            for n, zone in enumerate(self.zones.zone_map.zones if self.zones else ())
            if zone.policy is not None
        }
        return msgspec.structs.replace(self, default_policy=policy, policies=policies)
