"""The readers of files that people bring, as fuzz targets: any bytes are read, or refused in the reader's own words.

`python -m tests.fuzz.importers TARGET [-runs=N | -max_total_time=S] [-seed=N]` fuzzes one guided by coverage (atheris,
libFuzzer's options); an input that breaks it is written to `crash-*`, and given as an argument is tried again.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Target = Callable[[bytes], None]
BETWEEN = b"\n---\n"
"""Parts the files of a target that reads several."""


def read_zones(raw: bytes) -> None:
    """A map of zones: what is taken is taken again as it is written, and every place is in at most one zone."""
    from geo.zones import ZoneIndex, ZoneMapError, parse_zones, survey_zones

    survey = survey_zones(raw)
    try:
        found = parse_zones(raw)
    except ZoneMapError as error:
        assert error.problems and survey.problems
        for problem in error.problems:
            assert problem.detail
            problem.pointer.encode()
        return
    assert not survey.problems
    assert survey.warnings == found.warnings
    written = json.dumps(found.feature_collection()).encode()
    again = parse_zones(written)
    assert [zone.id for zone in again.zones] == [zone.id for zone in found.zones]
    index = ZoneIndex(found)
    inside = found.zones[0].geometry.representative_point()
    assert index.locate(inside.x, inside.y) in {zone.id for zone in found.zones}


def read_reports(raw: bytes) -> None:
    """A file of reports: each line is a report that can be stored, or refused with a reason."""
    import msgspec

    from dispatch.intake import ReportIn
    from dispatch.problems import unfit_values
    from dispatch.report_files import FileUnreadable, Line, read_lines

    for ending in (".csv", ".jsonl"):
        with _written(raw, ending) as file:
            try:
                lines = read_lines(file)
            except FileUnreadable:
                continue
        for line in lines:
            if isinstance(line, Line):
                stored = msgspec.json.encode(line.report)
                assert not unfit_values(msgspec.json.decode(stored))
                assert msgspec.json.decode(stored, type=ReportIn) == line.report
                assert line.report.external_id
            else:
                assert line.why
                line.why.encode(), line.field.encode()


def read_plan(raw: bytes) -> None:
    """A planning problem: what is taken can be written out with what the document says beside it."""
    import msgspec

    from optimizer.problem import ProblemError
    from optimizer.vroom import reading

    try:
        problem = reading.read(raw)
    except ProblemError as error:
        assert error.faults and all(fault.detail for fault in error.faults)
        return
    msgspec.json.decode(raw)
    with contextlib.suppress(ProblemError):
        reading.begun(problem, reading.read_former(raw))


def read_former(raw: bytes) -> None:
    """A former plan."""
    from optimizer.problem import ProblemError
    from optimizer.vroom import reading

    with contextlib.suppress(ProblemError):
        reading.orders_of(reading.read_former(raw))


def read_scenario(raw: bytes) -> None:
    """A folder to simulate: crews, reports, travel."""
    from dispatch.simulate.scenario import ScenarioError, read_scenario

    names = ("crews.csv", "reports.csv", "travel.toml")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast()) as folder:
        for name, part in zip(names, raw.split(BETWEEN), strict=False):
            (Path(folder) / name).write_bytes(part)
        with contextlib.suppress(ScenarioError):
            read_scenario(Path(folder))


def read_settings(raw: bytes) -> None:
    """A configuration file."""
    from dispatch.config import load_settings
    from dispatch.operator_errors import ConfigError

    with _written(raw, ".toml") as file, contextlib.suppress(ConfigError):
        load_settings(file, environ={})


def read_open311_form(raw: bytes) -> None:
    """A GeoReport form, in both encodings: a report that can be stored, a question, or refused with what is wrong."""
    import msgspec

    from dispatch.errors import DispatchError
    from dispatch.georeport_form import Parameters, read_question, read_report
    from dispatch.http.open311.forms import FORM, MULTIPART, read_form
    from dispatch.intake import ReportIn
    from dispatch.problems import unfit_values

    for kind in (FORM, f"{MULTIPART}; boundary=x"):
        for read in (read_report, lambda given: read_question(given, datetime(2026, 1, 15, tzinfo=UTC))):
            try:
                found = read(Parameters(read_form(kind, raw)[0]))
            except DispatchError as error:
                assert error.status in (400, 404) and error.detail
                continue
            if isinstance(found, ReportIn):
                stored = msgspec.json.encode(found)
                assert not unfit_values(msgspec.json.decode(stored))
                assert msgspec.json.decode(stored, type=ReportIn) == found


TARGETS: dict[str, Target] = {
    "zones": read_zones,
    "reports": read_reports,
    "plan": read_plan,
    "former": read_former,
    "scenario": read_scenario,
    "settings": read_settings,
    "open311": read_open311_form,
}


@contextlib.contextmanager
def _written(raw: bytes, ending: str) -> Any:
    with tempfile.NamedTemporaryFile(suffix=ending, dir=_fast()) as file:
        file.write(raw)
        file.flush()
        yield Path(file.name)


def _fast() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def seeds() -> dict[str, list[bytes]]:
    """Inputs of each target that are right, or nearly so, to begin from."""
    ring = [[126.6, 45.7], [126.7, 45.7], [126.7, 45.8], [126.6, 45.8], [126.6, 45.7]]
    geometries = [{"type": "Polygon", "coordinates": [ring]}, {"type": "MultiPolygon", "coordinates": [[ring]]}]
    properties = {"id": "z", "name": "片区", "policy": {"mode": "first"}}
    report = {"channel": "wechat", "category": "leak", "severity": 5, "location": {"lon": 126.6, "lat": 45.7}}
    job = {"id": 1, "location": [126.6, 45.7], "service": 60, "due": 900, "weight": 3, "skills": [1], "priority": 1}
    vehicle = {"id": 1, "start": [126.6, 45.7], "time_window": [0, 86400], "capacity": [2], "skills": [1]}
    indexed = {"id": 2, "location_index": 1, "time_windows": [[0, 100]]}
    step = {"type": "job", "id": 1, "arrival": 5, "service": 60}
    crews = "id,lon,lat,home_zone,skills,capacity,shift_start,shift_end\nc1,126.6,45.7,z,gas;heat,2,,\n"
    day = "id,at,lon,lat,category,severity,service_s,required_skills\n"
    day += "r1,2026-01-15T08:00:00+08:00,126.6,45.7,leak,5,600,\n"
    form = "service_code=leak&lat=45.7&long=126.6&first_name=%E7%A7%80&last_name=W&attribute[A][]=1&attribute[A][]=2"
    form += "&start_date=2026-01-01T00:00:00Z&status=open,closed&page=2&page_size=50"
    field = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    parts = [field.format(*pair) for pair in (("service_code", "leak"), ("lat", "45"), ("long", "126"))]
    picture = '--x\r\nContent-Disposition: form-data; name="m"; filename="a.jpg"\r\nContent-Type: a/b\r\n\r\nx\r\n'
    csv = "channel,category,lon,lat,address,required_skills,reported_at,severity\n"
    csv += "w,leak,126.6,45.7,道里区,a;b,2026-01-15T08:00:00+08:00,5\n"
    found: dict[str, list[Any]] = {
        "zones": [
            {
                "type": "FeatureCollection",
                "features": [{"type": "Feature", "properties": properties, "geometry": shape}],
            }
            for shape in geometries
        ],
        "reports": [csv, json.dumps({**report, "address": {"路": "x"}, "contact": {"name": "王", "phone": "1"}})],
        "plan": [
            {"vehicles": [vehicle], "jobs": [job]},
            {
                "vehicles": [{"id": 1, "start_index": 0, "profile": "car"}],
                "jobs": [indexed],
                "matrices": {"car": {"durations": [[0, 5], [5, 0]]}},
            },
        ],
        "former": [{"routes": [{"vehicle": 1, "steps": [{"type": "start", "arrival": 0}, step]}]}],
        "scenario": [BETWEEN.decode().join([crews, day, 'kind = "metric"\nspeed_mps = 6.0\ndetour = 1.3\n'])],
        "settings": ['port = 8000\n[clocks]\narrival_s = 900\n[grab]\nmode = "first"\nring_s = [15, 30]\n'],
        "open311": [form, "".join([*parts, picture, "--x--\r\n"])],
    }
    return {
        name: [(text if isinstance(text, str) else json.dumps(text)).encode() for text in texts]
        for name, texts in found.items()
    }


def main() -> None:
    """Fuzz the target that the first argument names."""
    import atheris

    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["geo", "dispatch", "optimizer", "json", "csv", "tomllib"]):
        TARGETS[name](seeds()[name][0])
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as corpus:
        for number, seed in enumerate(seeds()[name]):
            (Path(corpus) / str(number)).write_bytes(seed)
        files = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup([*sys.argv, *([] if files else [corpus])], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
