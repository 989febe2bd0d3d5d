"""Strict reading of JSON: what RFC 8259 leaves to the reader is refused here, since two readers would disagree on it.

Refused beyond bad syntax: duplicate members, NaN and Infinity (also a number too large for a float, such as 1e999),
text that is not UTF-8, and nesting deeper than `MAX_DEPTH`, which would exhaust somebody's stack further on.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 100
"""Levels of arrays and objects that a document may have."""


@dataclass(frozen=True)
class JsonProblem:
    """One thing that is wrong with a document: where (a JSON pointer, RFC 6901) and what, in plain English."""

    pointer: str
    detail: str


class _Repeated(dict[str, Any]):
    """An object of which some members were written twice."""

    names: list[str]


def read_json(raw: bytes) -> tuple[Any, list[JsonProblem]]:
    """Read one JSON text and return (value, problems); with problems the value is not to be used."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return None, [JsonProblem("", f"the text is not UTF-8: byte {error.start} cannot be read")]
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        return None, [JsonProblem("", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")]
    except RecursionError:
        return None, [JsonProblem("", f"nested too deeply: more than {MAX_DEPTH} levels")]
    return value, unfit_values(value)


def unfit_values(value: Any) -> list[JsonProblem]:
    """Find what a parsed value may not hold: duplicate members, numbers that are not finite, too many levels."""
    problems: list[JsonProblem] = []
    waiting: list[tuple[Any, str, int]] = [(value, "", 0)] if _deep(value) else []
    while waiting:
        item, pointer, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return [JsonProblem(pointer[:200], f"nested too deeply: more than {MAX_DEPTH} levels")]
        if isinstance(item, _Repeated):
            problems.append(JsonProblem(pointer, f"duplicate members in an object: {', '.join(item.names)}"))
        if isinstance(item, dict):
            waiting += [(child, f"{pointer}/{escape(name)}", depth + 1) for name, child in item.items() if _deep(child)]
        elif isinstance(item, (list, tuple)):
            waiting += [(child, f"{pointer}/{i}", depth + 1) for i, child in enumerate(item) if _deep(child)]
        else:
            problems.append(JsonProblem(pointer, "not a finite number"))
    return problems


def escape(name: object) -> str:
    """Return a member's name as one step of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def _deep(value: Any) -> bool:
    """Say whether `unfit_values` has to look into a value: containers, and numbers that are not finite."""
    if type(value) is list and len(value) == 2 and type(value[0]) is type(value[1]) is float:
        return not (math.isfinite(value[0]) and math.isfinite(value[1]))  # a position: nearly all there is of a map
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, (dict, list, tuple))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated = _Repeated(members)
    names = [name for name, _ in pairs]
    repeated.names = sorted({name for name in names if names.count(name) > 1}) if len(names) < 1000 else ["(many)"]
    return repeated


def _integer(digits: str) -> int | float:
    # Beyond what a float holds exactly the digits mean nothing here, and int() of very long ones is refused by Python.
    return int(digits) if len(digits) < 19 else float(digits)
