"""Scenario folders for tests: made from a seed, or from the lines that matter to a test."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dispatch.config import Settings
from dispatch.simulate import runs
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.runs import Outcome

WEST, SOUTH, SIDE = 126.56, 45.70, 0.04
T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
CREW_HEADER = "id,lon,lat,home_zone,skills,capacity,shift_start,shift_end"
REPORT_HEADER = "id,at,lon,lat,category,severity,service_s,required_skills"


def at(minutes: float) -> str:
    """The moment so many minutes after the day's begin."""
    return (T0 + timedelta(minutes=minutes)).isoformat()


def crew(name: str, *, km: float = 0, skills: str = "", capacity: int = 1, shift: tuple[str, str] = ("", "")) -> str:
    """A line of crews.csv: a crew of the first zone, so many kilometres north of its middle."""
    lat = SOUTH + SIDE / 2 + km / 111.195
    return f"{name},{WEST + SIDE / 2:.6f},{lat:.6f},z0,{skills},{capacity},{shift[0]},{shift[1]}"


def report(
    name: str, minutes: float, *, km: float = 0, severity: int = 2, service_s: int = 600, needs: str = ""
) -> str:
    """A line of reports.csv, so many kilometres north of the middle of the first zone."""
    lat = SOUTH + SIDE / 2 + km / 111.195
    return f"{name},{at(minutes)},{WEST + SIDE / 2:.6f},{lat:.6f},no_heat,{severity},{service_s},{needs}"


def folder_of(
    folder: Path, crews: Sequence[str], reports: Sequence[str], *, policy: Mapping[str, Any] | None = None
) -> Path:
    """Write a scenario of three zones in a row, about 3 km wide and 4 km high each, each with the same policy."""
    folder.mkdir(parents=True, exist_ok=True)
    features: list[dict[str, Any]] = []
    for n in range(3):
        west, east, north = round(WEST + n * SIDE, 6), round(WEST + (n + 1) * SIDE, 6), round(SOUTH + SIDE, 6)
        ring = [[west, SOUTH], [east, SOUTH], [east, north], [west, north], [west, SOUTH]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        properties: dict[str, Any] = {"id": f"z{n}", "name": f"{n}"} | ({"policy": policy} if policy else {})
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    (folder / "zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (folder / "crews.csv").write_text("\n".join((CREW_HEADER, *crews)) + "\n")
    (folder / "reports.csv").write_text("\n".join((REPORT_HEADER, *reports)) + "\n")
    return folder


def made_up(folder: Path, *, crews: int, reports: int, seed: int = 1, hours: float = 3) -> Path:
    """Write a scenario with skills, shifts that end at work, some capacity for two, and reports outside every zone."""
    rng = random.Random(seed)

    def place() -> tuple[str, str]:
        return f"{rng.uniform(WEST - 0.004, WEST + 3 * SIDE):.6f}", f"{rng.uniform(SOUTH, SOUTH + SIDE):.6f}"

    crew_lines = [
        ",".join((f"c{n:02}", *place(), f"z{n % 3}", rng.choice(("", "pipework", "pipework;gas")), rng.choice("1112"),
                  at(rng.uniform(-30, 20)), at(rng.uniform(60 * hours - 60, 60 * hours + 300))))
        for n in range(crews)
    ]  # fmt: skip
    report_lines = [
        ",".join((f"r{n:03}", at(rng.uniform(0, 60 * hours)), *place(), "no_heat", rng.choice("1123455"),
                  str(rng.choice((0, 300, 900, 2400))), rng.choice(("", "", "", "pipework", "gas pipework"))))
        for n in range(reports)
    ]  # fmt: skip
    return folder_of(folder, crew_lines, report_lines)


def simulate(folder: Path, policy: str, *, seed: int = 1, **behaviour: float) -> Outcome:
    """Run a scenario as the command does."""
    scenario, city = runs.prepare(folder, Settings())
    return runs.simulate(scenario, city, policy, behaviour=CrewBehaviour(**behaviour), seed=seed)


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text."""
    return list(csv.DictReader(text.splitlines()))
