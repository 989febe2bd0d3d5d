"""Files of reports: CSV or JSON lines in, reports or the reason why not out, line by line. Pure; see `importing`.

A CSV file has a header with the field names of a report, in any order. What is nested in JSON is flat here: `lon`,
`lat`, `crs` for the location, `contact_name` and `contact_phone` for the contact. `address` is a JSON object or plain
text, `required_skills` are parted by semicolons, an empty cell counts as left out. In JSON lines each line is the body
of `POST /reports`.

A line without `external_id` gets one made of what it says, and of how often the same was said above it in the file: the
same file again, also with other lines mended, takes nothing twice. Two files that say exactly the same mean the same
report, so give `reported_at` or `external_id` where that is not so.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.errors import Invalid, Malformed
from dispatch.http.reading import read_json
from dispatch.intake import ReportIn
from dispatch.operator_errors import OperatorError
from dispatch.problems import problem_of, unfit_values

COLUMNS = (
    "channel",
    "category",
    "description",
    "severity",
    "external_id",
    "reported_at",
    "required_skills",
    "lon",
    "lat",
    "crs",
    "address",
    "contact_name",
    "contact_phone",
)
"""The columns that a CSV file may have; the first two it must have."""


class FileUnreadable(OperatorError):
    """The file as a whole cannot be read; the message says what to do about it."""


class Line(Struct, frozen=True):
    """A report of a file; `number` is the line on which it begins, from 1, the header being one."""

    number: int
    report: ReportIn


class Rejected(Struct, frozen=True):
    """A line that cannot be taken: the field that is wrong (empty: the line as a whole), and why."""

    number: int
    field: str
    why: str


def read_lines(file: Path) -> list[Line | Rejected]:
    """Return the lines of a file in its order, each with an external id.

    Raises `FileUnreadable` where it is no UTF-8 or its header names no reports.
    """
    text = _text(file)
    as_json = file.suffix.lower() in (".jsonl", ".ndjson", ".json") or text.lstrip().startswith("{")
    lines = _json_lines(text) if as_json else _csv_lines(text, file)
    seen: Counter[str] = Counter()
    return [_named(line, seen) if isinstance(line, Line) else line for line in lines]


def _text(file: Path) -> str:
    raw = file.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    way_out = f"save it as UTF-8, or convert it with 'iconv -f GB18030 -t UTF-8 {file} > NEW'"
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        way_out = "save it as UTF-8"
    else:
        way_out = f"it looks like GBK (GB18030): {way_out}"
    raise FileUnreadable(f"{file} is not UTF-8 (line {line}): {way_out}.")


def _named(line: Line, seen: Counter[str]) -> Line:
    if line.report.external_id is not None:
        return line
    said = sha256(msgspec.json.encode(line.report, order="deterministic")).hexdigest()[:32]
    seen[said] += 1
    external_id = f"import:{said}:{seen[said]}"
    return Line(line.number, msgspec.structs.replace(line.report, external_id=external_id))


def _json_lines(text: str) -> Iterator[Line | Rejected]:
    # Not `splitlines`: a description may hold U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield Line(number, read_json(line.encode("utf-8", "surrogatepass"), ReportIn))
        except Invalid as error:
            yield rejection(number, error)
        except Malformed as error:
            yield Rejected(number, "", error.detail.replace("the body", "the line"))


def _csv_lines(text: str, file: Path) -> Iterator[Line | Rejected]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise FileUnreadable(
            f"The header of {file} cannot be read ({error}): see 'qiangdan reports import --help'."
        ) from None
    _check_header(header, file)
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(number, "", f"is no CSV: {error}; is a quotation mark missing?")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(header):
            yield Rejected(
                number, "", f"has {len(row)} cells, the header {len(header)}; put quotation marks around commas"
            )
            continue
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=False) if cell.strip()}
        try:
            yield Line(number, _report(cells))
        except Invalid as error:
            yield rejection(number, error)


def _check_header(header: list[str], file: Path) -> None:
    known = f"the columns are {', '.join(COLUMNS)}"
    for name in header:
        if name not in COLUMNS:
            raise FileUnreadable(f"{file} has a column {name!r}, which is none of a report: {known}.")
        if header.count(name) > 1:
            raise FileUnreadable(f"{file} has the column {name!r} more than once: {known}.")
    for name in ("channel", "category"):
        if name not in header:
            raise FileUnreadable(f"{file} has no column {name!r}, which every report needs: {known}.")


def _report(cells: Mapping[str, str]) -> ReportIn:
    """Return the report of a row. Raises `Invalid` with a pointer to the column."""
    nested: dict[str, Any] = {
        name: cells[name]
        for name in ("channel", "category", "description", "severity", "external_id", "reported_at")
        if name in cells
    }
    if place := {name: cells[name] for name in ("lon", "lat", "crs") if name in cells}:
        nested["location"] = place
    contact = {name: cells[f"contact_{name}"] for name in ("name", "phone") if f"contact_{name}" in cells}
    if contact:
        nested["contact"] = contact
    if "address" in cells:
        nested["address"] = _address(cells["address"])
    if "required_skills" in cells:
        nested["required_skills"] = [skill.strip() for skill in cells["required_skills"].split(";") if skill.strip()]
    if unfit := unfit_values(nested):
        raise Invalid.field(_column(unfit[0].pointer), unfit[0].detail)
    try:
        return msgspec.convert(nested, ReportIn, strict=False)
    except msgspec.ValidationError as error:
        problem = problem_of(error, ReportIn)
        raise Invalid.field(_column(problem.pointer), problem.detail) from None


def _address(cell: str) -> dict[str, Any]:
    if not cell.startswith("{"):
        return {"text": cell}
    try:
        found = msgspec.json.decode(cell)
    except msgspec.DecodeError as error:
        raise Invalid.field("/address", f"begins as JSON and is none: {error}") from None
    assert isinstance(found, dict)
    return found


def _column(pointer: str) -> str:
    """Return the column of a pointer into the nested report."""
    return pointer.replace("/location/", "/").replace("/contact/", "/contact_")


def rejection(number: int, error: Invalid) -> Rejected:
    """Return why a line cannot be taken, from the error that its report met."""
    if not error.problems:
        return Rejected(number, "", error.detail)
    problem = error.problems[0]
    return Rejected(number, problem.pointer.strip("/").replace("/", "."), problem.detail)
