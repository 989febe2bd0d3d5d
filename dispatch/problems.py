"""From msgspec's validation messages to JSON pointers that a caller can follow."""

import re

import msgspec

from dispatch.errors import Problem

_PLACE = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def problem_of(error: msgspec.ValidationError) -> Problem:
    """Return where the value is wrong, as a JSON pointer, and msgspec's sentence about it."""
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
    return Problem("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps), detail)
