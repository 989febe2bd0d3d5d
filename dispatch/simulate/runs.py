"""From a scenario to what a day under a policy came to: the one call that commands, benchmarks and tests make."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from crew_client.protocol import Location
from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.day import Day
from dispatch.simulate.policies import POLICIES
from dispatch.simulate.results import TARGET_S, Summary, Visit, summarise
from dispatch.simulate.scenario import (
    Scenario,
    ScenarioError,
    ScenarioReport,
    read_scenario,
    read_zones,
    require_an_answer,
)
from dispatch.simulate.standing import Standing
from geo import Zone


class Outcome(Struct, frozen=True):
    """What a day under a policy came to."""

    policy: str
    visits: Sequence[Visit]
    summary: Summary


class Staffing(Struct, frozen=True):
    """What the day came to with the first `crews` crews of the scenario alone, one summary a policy."""

    crews: int
    summaries: Sequence[Summary]


class Comparison(Struct, frozen=True):
    """One scenario, its zones, and what it came to under each policy; `zone_of` has the zone of each report.

    `staffings` has the same policies, in the same order, with other numbers of crews, the fewest first.
    """

    scenario: Scenario
    zones: Sequence[Zone]
    zone_of: Mapping[str, str | None]
    outcomes: Sequence[Outcome]
    seed: int | None
    staffings: Sequence[Staffing] = ()

    def late(self, outcome: Outcome) -> set[str]:
        """Return the reports that nobody had reached after 15 minutes."""
        in_time = {visit.report.id for visit in outcome.visits if visit.response_s <= TARGET_S}
        return {report.id for report in self.scenario.reports} - in_time

    def unserved(self, outcome: Outcome) -> list[ScenarioReport]:
        """Return the reports that nobody ever reached."""
        served = {visit.report.id for visit in outcome.visits}
        return [report for report in self.scenario.reports if report.id not in served]


def prepare(folder: Path, settings: Settings) -> tuple[Scenario, City]:
    """Read a scenario folder, and its city with the installation's grab policy; raise `OperatorError`."""
    scenario = read_scenario(folder)
    require_an_answer(scenario, folder)
    city = bare_city(scenario.name, settings)
    drives = {"travel": scenario.travel, "factors": scenario.factors, "weather": scenario.weather}
    return scenario, msgspec.structs.replace(read_zones(folder, city), **drives)


def simulate(
    scenario: Scenario,
    city: City,
    policy: str,
    *,
    behaviour: CrewBehaviour,
    seed: int,
    as_configured: bool = False,
    standing: Standing | None = None,
) -> Outcome:
    """Run a day; the same arguments give the same outcome.

    `as_configured` takes the city's grab policy to the letter, whatever the policy would leave to grabs. `standing` is
    what the day begins with; without it everybody comes with empty hands, and nothing is open.
    """
    chosen = POLICIES[policy]
    in_force = city if as_configured else chosen.in_force(city)
    visits = Day(scenario, in_force, chosen, behaviour=behaviour, seed=seed, standing=standing).run()
    return Outcome(policy, visits, summarise(len(scenario.reports), visits))


def homeless(scenario: Scenario, city: City) -> str | None:
    """Say which crews have a home zone that is none of the map's; None where there are none."""
    zones = {zone.id for zone in city.zones.zone_map.zones} if city.zones else set()
    lost = [crew for crew in scenario.crews if crew.home_zone is not None and crew.home_zone not in zones]
    if not lost:
        return None
    named = ", ".join(f"{crew.id} ({crew.home_zone})" for crew in lost[:5])
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return (
        f"No zone of zones.geojson is the home_zone of {named}{more}: offers reach them only once open to the whole "
        "city. Mend crews.csv, or leave home_zone empty."
    )


STOOD_IN = {
    "unavailable": "the source of travel times did not answer",
    "unreachable": "it knows no way between the places",
    "not_yet_known": "not known yet",
}


def stood_in(scenario: Scenario) -> str | None:
    """Say how many travel times the plain metric stood in for, and why; None where there were none.

    Raises:
        ScenarioError: all of them, since nothing ever answered.
    """
    counts = scenario.travel_counts
    why = {outcome: pairs for outcome, pairs in counts.items() if outcome in STOOD_IN and pairs}
    if not why:
        return None
    if set(why) == {"unavailable"} and not counts["source"]:
        raise ScenarioError("The source of travel times answered nothing: the figures would be those of the metric.")
    reasons = "; ".join(f"{pairs:,}: {STOOD_IN[outcome]}" for outcome, pairs in sorted(why.items()))
    return f"The plain metric stood in for {sum(why.values()):,} of {counts.total():,} travel times ({reasons})."


def staffed(scenario: Scenario, crews: int) -> Scenario:
    """Return the scenario with its first so many crews alone."""
    return msgspec.structs.replace(scenario, crews=scenario.crews[:crews])


def compare(
    scenario: Scenario,
    city: City,
    outcomes: Sequence[Outcome],
    *,
    seed: int | None,
    staffings: Sequence[Staffing] = (),
) -> Comparison:
    """Set outcomes of the same scenario side by side."""
    zone_of = {report.id: city.locate(Location(report.lon, report.lat)) for report in scenario.reports}
    return Comparison(scenario, city.zones.zone_map.zones if city.zones else (), zone_of, outcomes, seed, staffings)
