"""What it brings that a policy knows from history where reports come from: `python -m benchmarks.standby_history`.

Days of Montgomery County's calls, fitted onto Harbin's compounds, under `optimizer`: with the shares of the zones in
the seven days before the first of them, as the forecaster learns them, and without. Geometric means over the days, as
multiples of the policy that begins with nothing.
"""

import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.simulate_sla import Point, make_scenario
from crew_client.protocol import Location
from dispatch.city import City
from dispatch.config import Settings
from dispatch.forecasts import Forecasts
from dispatch.simulate import runs
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.scenario import Scenario, ScenarioReport, read_scenario
from optimizer.demand import WEEK_HOURS, Demand

HISTORY = [f"2015-12-{day}" for day in range(10, 17)]
DAYS = ("2015-12-17", "2015-12-19", "2015-12-22", "2015-12-26", "2015-12-29", "2016-01-03", "2016-01-07")
CREWS = (22, 28, 34)
WORTH = 20.0
"""Reports that equal shares count for, as in `optimizer.demand`."""


def reports_of(folder: Path, days: Sequence[str]) -> Iterator[ScenarioReport]:
    """Give every report of some days."""
    for day in days:
        make_scenario(folder / day, Point("montco", CREWS[0]), day=day)
        yield from read_scenario(folder / day).reports


def with_history(city: City, history: Sequence[ScenarioReport]) -> City:
    """Return a city that has learned the shares of its zones from these reports."""
    assert city.zones is not None
    counted = Counter(city.locate(Location(report.lon, report.lat)) for report in history)
    zones = [zone.id for zone in city.zones.zone_map.zones]
    weights = {zone: counted[zone] + WORTH / len(zones) for zone in zones}
    total = sum(weights.values())
    demand = Demand(shares={zone: weight / total for zone, weight in weights.items()}, hours=WEEK_HOURS)
    return msgspec.structs.replace(city, forecasts=Forecasts(demand=demand))


def figures(scenario: Scenario, city: City) -> tuple[float, float, float]:
    """Return what a day comes to: weighted tardiness and late reports, one more than there are, and mean response.

    One more, so that a day on which nobody comes late divides nothing by nothing.
    """
    done = runs.simulate(scenario, city, "optimizer", behaviour=CrewBehaviour(), seed=1).summary
    return done.weighted_tardiness_s + 1.0, done.reports - done.arrived_15 + 1.0, done.mean_s or 0.0


def main() -> None:
    """Print, for each count of crews, weighted tardiness, late share and mean with history by those without."""
    with tempfile.TemporaryDirectory(prefix="qiangdan-history-") as name:
        folder = Path(name)
        history = list(reports_of(folder / "history", HISTORY))
        for crews in CREWS:
            ratios = []
            for day in DAYS:
                make_scenario(folder / f"{day}-{crews}", Point("montco", crews), day=day)
                scenario, city = runs.prepare(folder / f"{day}-{crews}", Settings())

                before, after = figures(scenario, city), figures(scenario, with_history(city, history))
                ratios.append([now / then for now, then in zip(after, before, strict=True)])
            tardiness, late, mean = (statistics.geometric_mean(column) for column in zip(*ratios, strict=True))
            sys.stdout.write(f"{crews} crews: tardiness {tardiness:.2f}, late share {late:.2f}, mean {mean:.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
