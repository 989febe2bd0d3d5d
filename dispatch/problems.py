"""What is wrong with an input, and where, as JSON pointers (RFC 6901) that a caller can follow."""

import json
import re
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec
from msgspec import inspect

from dispatch.errors import Invalid, Problem

MAX_DEPTH = 64
"""Levels of arrays and objects that an input may have: far below what any later reader of it can follow."""

_PLACE = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_NO_CHOICE = re.compile(r"Invalid enum value (.*)")
_UNESCAPED = re.compile(r"^(\d{4}-\d\d-\d\d[Tt ][\d:.]+) (\d\d:?\d\d)$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def problem_of(error: msgspec.ValidationError, kind: Any = None) -> Problem:
    """Return where the value is wrong, as a JSON pointer, and msgspec's sentence about it.

    With the `kind` that it should have been, a value that is none of several is told which they are. A member of a
    mapping has no name in msgspec's words: the pointer is the mapping's then.
    """
    text = str(error)
    place = _PLACE.search(text)
    detail = text[: place.start()] if place else text
    steps = [name or index for name, index in _STEP.findall(place[1])] if place else []
    if found := _UNKNOWN.search(detail):
        steps.append(found[1])
        detail = "unknown field"
    elif found := _MISSING.search(detail):
        steps.append(found[1])
        detail = "required, but missing"
    elif kind is not None and (found := _NO_CHOICE.match(detail)) and (choices := _choices(kind, steps)):
        detail = f"{found[1]} is none of {', '.join(choices)}"
    if "..." in steps:
        steps = steps[: steps.index("...")]
    return Problem("".join("/" + step_of(step) for step in steps), detail)


def _choices(kind: Any, steps: list[str]) -> list[str]:
    """Return the values that may stand at a place of a value of this kind, none where they are not listed."""
    kinds = _alternatives(inspect.type_info(kind))
    for step in steps:
        kinds = [below for one in kinds for member in _members(one, step) for below in _alternatives(member)]
    listed: list[Any] = []
    for one in kinds:
        if isinstance(one, inspect.LiteralType):
            listed += one.values
        elif isinstance(one, inspect.EnumType):
            listed += [member.value for member in one.cls]
    return [str(value) for value in dict.fromkeys(listed)]


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for member in kind.types for one in _alternatives(member)]
    return [kind]


def _members(kind: inspect.Type, step: str) -> list[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    return [kind.item_type] if isinstance(kind, inspect.ListType | inspect.VarTupleType) else []


def unfit_values(value: Any) -> list[Problem]:
    """Return what no database and no JSON can hold: NUL, halves of surrogate pairs, numbers that are not finite.

    Nesting deeper than `MAX_DEPTH` is the only problem that is told where there is any.
    """
    problems = []
    waiting: list[tuple[Any, str, int]] = [(value, "", 0)]
    while waiting:
        item, pointer, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return [Problem(pointer[:200], f"nested more than {MAX_DEPTH} levels deep")]
        if isinstance(item, dict):
            for name, member in item.items():
                below = f"{pointer}/{step_of(name)}"
                if detail := _unfit(name):
                    problems.append(Problem(pointer, f"the name of a member {detail}"))
                waiting.append((member, below, depth + 1))
        elif isinstance(item, list):
            waiting += [(member, f"{pointer}/{index}", depth + 1) for index, member in enumerate(item)]
        elif detail := _unfit(item):
            problems.append(Problem(pointer, detail))
    return sorted(problems, key=lambda problem: problem.pointer)


def unreadable_values(text: str | bytes) -> list[Problem]:
    """Return which values keep a text from being JSON, such as NaN: a more lenient reader looks for them."""
    try:
        return unfit_values(json.loads(text))
    except (ValueError, RecursionError):
        return []


def _unfit(value: Any) -> str | None:
    if isinstance(value, float) and not isfinite(value):
        return "is not a finite number"
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character; take it out"
        if not is_text(value):
            return "holds half a surrogate pair, which is no character; take it out"
    return None


def is_text(value: str) -> bool:
    """Return whether a string can be written in UTF-8: half a surrogate pair cannot, and stands for a byte not read."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def step_of(name: str) -> str:
    """Return a member's name as one step of a JSON pointer that can be written in any encoding."""
    return name.encode(errors="replace").decode().replace("~", "~0").replace("/", "~1")


def with_offset(text: str) -> str:
    """Return a time out of an address with the `+` of its offset, which stands for a space where it was not escaped."""
    return _UNESCAPED.sub(r"\1+\2", text)


def instant(moment: datetime, pointer: str) -> datetime:
    """Return a moment in UTC; raise `Invalid` where it has no offset, or lies outside the years that clocks know."""
    if moment.tzinfo is None:
        raise Invalid.field(pointer, "give the time with its offset, as in 2026-01-15T08:30:00+08:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Invalid.field(pointer, "lies outside the years 1 to 9999 in UTC") from None
