"""From a scenario to what a day under a policy came to: the one call that commands, benchmarks and tests make."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.day import Day
from dispatch.simulate.policies import POLICIES
from dispatch.simulate.results import Summary, Visit, summarise
from dispatch.simulate.scenario import Scenario, read_scenario, read_zones


class Outcome(Struct, frozen=True):
    """What a day under a policy came to."""

    policy: str
    visits: Sequence[Visit]
    summary: Summary


def prepare(folder: Path, settings: Settings) -> tuple[Scenario, City]:
    """Read a scenario folder, and its city with the installation's grab policy; raise `OperatorError`."""
    scenario = read_scenario(folder)
    city = bare_city(scenario.name, settings)
    return scenario, msgspec.structs.replace(read_zones(folder, city), travel=scenario.travel)


def simulate(scenario: Scenario, city: City, policy: str, *, behaviour: CrewBehaviour, seed: int) -> Outcome:
    """Run a day; the same arguments give the same outcome."""
    visits = Day(scenario, city, POLICIES[policy], behaviour=behaviour, seed=seed).run()
    return Outcome(policy, visits, summarise(len(scenario.reports), visits))
