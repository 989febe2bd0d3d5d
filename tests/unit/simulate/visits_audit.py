"""An audit of `visits.csv` that knows the contract and nothing of the simulation: what an outsider would check."""

import csv
import io
import math
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

SLACK_S = 1.0


def audit(scenario: Path, visits: str) -> tuple[list[str], dict[str, Any]]:
    """Return what is wrong with the visits, and the figures as the contract defines them. Metric travel, 6 m/s, 1.3."""
    crews = _rows((scenario / "crews.csv").read_text())
    reports = _rows((scenario / "reports.csv").read_text())
    wrong: list[str] = []
    by_crew: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    seen: set[str] = set()
    for visit in csv.DictReader(io.StringIO(visits)):
        if visit["report"] in seen:
            wrong.append(f"{visit['report']} served twice")
        seen.add(visit["report"])
        by_crew[visit["crew"]].append(visit)
        wrong += _alone(visit, reports[visit["report"]], crews[visit["crew"]])
    response = []
    for crew_id, own in by_crew.items():
        crew = crews[crew_id]
        here = (float(crew["lon"]), float(crew["lat"]))
        free = _when(crew["shift_start"]) if crew["shift_start"] else -math.inf
        for visit in sorted(own, key=lambda visit: visit["arrived_at"]):
            report = reports[visit["report"]]
            there = (float(report["lon"]), float(report["lat"]))
            if _when(visit["departed_at"]) < free - SLACK_S:
                wrong.append(f"{visit['report']}: left before the work before was done")
            if _when(visit["arrived_at"]) - free < _metres(here, there) * 1.3 / 6.0 - SLACK_S:
                wrong.append(f"{visit['report']}: faster than the road")
            here, free = there, _when(visit["done_at"])
            response.append((_when(visit["arrived_at"]) - _when(report["at"]), int(report["severity"])))
    return wrong, {
        "reports": len(reports),
        "arrived_15": sum(seconds <= 900 for seconds, _ in response),
        "weighted_tardiness_s": round(sum(severity * max(0.0, seconds - 900) for seconds, severity in response)),
        "unserved": len(reports) - len(seen),
    }


def _alone(visit: dict[str, str], report: dict[str, str], crew: dict[str, str]) -> list[str]:
    """Return what is wrong with a visit, seen without the others."""
    wrong = []
    steps = [_when(report["at"]), *(_when(visit[f"{step}_at"]) for step in ("claimed", "departed", "arrived", "done"))]
    if steps != sorted(steps):
        wrong.append(f"{visit['report']}: times out of order")
    if steps[4] - steps[3] < float(report["service_s"]) - SLACK_S:
        wrong.append(f"{visit['report']}: work shorter than its service time")
    if not _skills(report["required_skills"]) <= _skills(crew["skills"]):
        wrong.append(f"{visit['report']}: skills missing")
    if crew["shift_start"] and not _when(crew["shift_start"]) <= steps[2] <= _when(crew["shift_end"]):
        wrong.append(f"{visit['report']}: off shift")
    return wrong


def _rows(text: str) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in csv.DictReader(io.StringIO(text))}


def _when(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _skills(text: str) -> set[str]:
    return set(text.replace(";", " ").split())


def _metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    lon1, lat1, lon2, lat2 = (math.radians(degrees) for place in (a, b) for degrees in place)
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371008.8 * math.asin(math.sqrt(half))
