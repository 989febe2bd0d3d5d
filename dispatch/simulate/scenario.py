"""A scenario folder: `zones.geojson`, `crews.csv`, `reports.csv`, and optionally `travel.toml` and `crews.toml`.

Everything is checked before the first minute is simulated. What is wrong is said with file, line and column.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, field

from dispatch.city import City
from dispatch.errors import Invalid
from dispatch.operator_errors import OperatorError
from geo import TravelChoice, TravelChoiceError, TravelFactors, TravelTimes, ZoneMapError, make_travel, read_travel
from geo.travel_fallback import FallbackTravel, TravelUnavailable

CREW_COLUMNS = ("id", "lon", "lat", "home_zone", "skills", "capacity", "shift_start", "shift_end")
REPORT_COLUMNS = ("id", "at", "lon", "lat", "category", "severity", "service_s", "required_skills")
LONGEST_SERVICE_S = 7 * 86400.0


T = TypeVar("T")


class ScenarioError(OperatorError):
    """A scenario folder cannot be used; the message names file, line and column, and the way out."""


class Shift(Struct, frozen=True):
    """When a crew is on; `start` None is from the first moment of the day, `end` None without end."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody is on at any time."""
        return self.start is not None and self.end is not None and self.end <= self.start


class ScenarioCrew(Struct, frozen=True):
    """A crew of the scenario, and where it is when its first shift begins."""

    id: str
    lon: float
    lat: float
    home_zone: str | None
    skills: tuple[str, ...]
    capacity: int
    shifts: tuple[Shift, ...]


class ScenarioReport(Struct, frozen=True):
    """A report of the scenario; `service_s` is how long the work takes, which nobody knows before it is done."""

    id: str
    at: datetime
    lon: float
    lat: float
    category: str
    severity: int
    service_s: float
    required_skills: tuple[str, ...]


Named = TypeVar("Named", ScenarioCrew, ScenarioReport)


class Scenario(Struct, frozen=True):
    """A day to simulate; crews in the file's order, reports in the order of time.

    Times are in UTC; `offset` is that of the first report, for whoever shows hours of the day. `factors` and `weather`
    say what the hours and the weather in force make of `travel`; `travel_counts` counts, as the day is run, where its
    times came from, under the words of `geo.travel_fallback.Tally`.
    """

    name: str
    crews: tuple[ScenarioCrew, ...]
    reports: tuple[ScenarioReport, ...]
    travel: TravelTimes
    factors: TravelFactors
    weather: str = ""
    offset: tzinfo = UTC
    travel_counts: Counter[str] = field(default_factory=Counter)


def read_scenario(folder: Path) -> Scenario:
    """Read a folder whole; raise `ScenarioError` at the first thing that is wrong."""
    if not folder.is_dir():
        raise ScenarioError(f"{folder} is not a folder: name one with zones.geojson, crews.csv and reports.csv in it.")
    crews = _distinct((cells, _crew(cells)) for cells in _rows(folder / "crews.csv", CREW_COLUMNS))
    lines = list(_rows(folder / "reports.csv", REPORT_COLUMNS))
    reports = _distinct((cells, _report(cells)) for cells in lines)
    counts: Counter[str] = Counter()
    choice, travel = _travel(folder / "travel.toml", counts)
    return Scenario(
        name=folder.resolve().name,
        crews=tuple(crews),
        reports=tuple(sorted(reports, key=lambda report: report.at)),
        travel=travel,
        factors=choice.factors,
        weather=choice.weather,
        offset=(lines[0].moment("at").tzinfo if lines else None) or UTC,
        travel_counts=counts,
    )


def _travel(path: Path, counts: Counter[str]) -> tuple[TravelChoice, TravelTimes]:
    """Return what `travel.toml` asks for, and the travel times of that; without the file, the product's own metric."""

    def tally(outcome: str, pairs: int) -> None:
        counts[outcome] += pairs

    try:
        choice = read_travel(path) if path.exists() else TravelChoice()
        return choice, make_travel(choice, tally=tally)
    except TravelChoiceError as error:
        raise ScenarioError(str(error) if str(error).endswith("?") else f"{error}.") from None


def require_an_answer(scenario: Scenario, folder: Path) -> None:
    """Make sure that the source of travel times is there; what it leaves out later is counted, and stood in for.

    Raises:
        ScenarioError: it is a server that does not answer.
    """
    travel = scenario.travel
    if not isinstance(travel, FallbackTravel) or not scenario.crews or not scenario.reports:
        return
    crew, report = scenario.crews[0], scenario.reports[0]
    try:
        travel.source.seconds(crew.lon, crew.lat, report.lon, report.lat)
    except TravelUnavailable as error:
        raise ScenarioError(
            f'{folder / "travel.toml"}: no travel times come from {error}; start that server, or take kind = "metric".'
        ) from None


def read_zones(folder: Path, city: City) -> City:
    """Return the city with a folder's zones; raise `ScenarioError` that names zone and place."""
    try:
        return city.with_zones(_read(folder / "zones.geojson"), 1)
    except ZoneMapError as error:
        problem = error.problems[0]
        raise ScenarioError(
            f"{folder / 'zones.geojson'}, {problem.pointer or 'the document'}: {problem.detail}; "
            f"'qiangdan zones check {folder / 'zones.geojson'}' lists everything."
        ) from None
    except Invalid as error:
        raise ScenarioError(
            f"{folder / 'zones.geojson'}, {error.detail}; "
            f"'qiangdan zones check {folder / 'zones.geojson'}' lists everything."
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ScenarioError(f"{path} is missing: a scenario needs it (docs/simulate.md says what is in it).") from None
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}.") from None


class _Cells(Struct, frozen=True):
    """A line of a CSV file, asked by column."""

    path: Path
    line: int
    values: dict[str, str]

    def wrong(self, column: str, what: str) -> ScenarioError:
        """Return the error for one cell."""
        shown = self.values[column][:60]
        return ScenarioError(f"{self.path}, line {self.line}, column {column}: {what} (found {shown!r}).")

    def text(self, column: str, *, most: int = 64, empty: bool = False) -> str:
        """Return the text of a cell, of at most `most` printable characters."""
        text = self.values[column]
        if (not text and not empty) or len(text) > most or not text.isprintable():
            raise self.wrong(column, f"needs {'at most' if empty else '1 to'} {most} printable characters")
        return text

    def number(self, column: str, convert: Callable[[str], T], fits: Callable[[T], bool], what: str) -> T:
        """Return the number in a cell; `what` says in words which numbers fit."""
        try:
            value = convert(self.values[column])
        except ValueError:
            raise self.wrong(column, f"must be {what}") from None
        if not fits(value):
            raise self.wrong(column, f"must be {what}")
        return value

    def degrees(self, column: str, most: float) -> float:
        """Return WGS-84 degrees."""
        return self.number(column, float, lambda d: -most <= d <= most, f"degrees from -{most:.0f} to {most:.0f}")

    def whole(self, column: str, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        return self.number(column, int, lambda n: least <= n <= most, f"a whole number from {least} to {most}")

    def moment(self, column: str) -> datetime:
        """Return a time; without its offset from UTC it could be any."""
        try:
            moment = datetime.fromisoformat(self.values[column])
            if moment.tzinfo is not None and 2000 <= moment.year < 9000:
                return moment
        except (ValueError, OverflowError):
            pass
        raise self.wrong(column, "must be a time since the year 2000 with its offset, as in 2026-01-15T08:00:00+08:00")

    def skills(self, column: str) -> tuple[str, ...]:
        """Return skills parted by spaces or semicolons, each once."""
        skills = tuple(dict.fromkeys(self.values[column].replace(";", " ").split()))
        if len(skills) > 32 or any(len(skill) > 64 or not skill.isprintable() for skill in skills):
            raise self.wrong(column, "must be at most 32 skills of at most 64 characters")
        return skills


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[_Cells]:
    """Yield the lines of a CSV file that hold something."""
    try:
        lines = _read(path).decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in columns if name not in header]:
            raise ScenarioError(
                f"{path}, line 1: the column {missing[0]} is missing; the header must be {','.join(columns)}."
            )
        if twice := [name for name in columns if header.count(name) > 1]:
            raise ScenarioError(f"{path}, line 1: the column {twice[0]} is there twice; leave one out.")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise ScenarioError(
                    f"{path}, line {reader.line_num}: there are {len(cells)} cells under {len(header)} columns; "
                    "put text with commas in double quotes."
                )
            named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            yield _Cells(path, reader.line_num, {column: named[column] for column in columns})
    except csv.Error as error:
        raise ScenarioError(f"{path}, line {reader.line_num}: this is not CSV ({error}); mend the quotes.") from None


def _crew(cells: _Cells) -> ScenarioCrew:
    start, end = (
        cells.moment(column).astimezone(UTC) if cells.values[column] else None
        for column in ("shift_start", "shift_end")
    )
    if start is not None and end is not None and end < start:
        raise cells.wrong("shift_end", "must not lie before shift_start")
    return ScenarioCrew(
        id=cells.text("id"),
        lon=cells.degrees("lon", 180),
        lat=cells.degrees("lat", 90),
        home_zone=cells.text("home_zone", empty=True) or None,
        skills=cells.skills("skills"),
        capacity=cells.whole("capacity", 1, 1000) if cells.values["capacity"] else 1,
        shifts=(Shift(start, end),),
    )


def _report(cells: _Cells) -> ScenarioReport:
    return ScenarioReport(
        id=cells.text("id"),
        at=cells.moment("at").astimezone(UTC),
        lon=cells.degrees("lon", 180),
        lat=cells.degrees("lat", 90),
        category=cells.text("category"),
        severity=cells.whole("severity", 1, 5) if cells.values["severity"] else 1,
        service_s=cells.number(
            "service_s",
            float,
            lambda s: math.isfinite(s) and 0 <= s <= LONGEST_SERVICE_S,
            f"seconds from 0 to {LONGEST_SERVICE_S:.0f}",
        ),
        required_skills=cells.skills("required_skills"),
    )


def _distinct(rows: Iterable[tuple[_Cells, Named]]) -> list[Named]:
    """Return the rows; raise `ScenarioError` where two have the same id."""
    first: dict[str, int] = {}
    distinct = []
    for cells, row in rows:
        if row.id in first:
            raise cells.wrong("id", f"each needs an id of its own, and line {first[row.id]} has the same")
        first[row.id] = cells.line
        distinct.append(row)
    return distinct
