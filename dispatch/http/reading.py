"""From bytes to checked values: every wrong input becomes an error that names the field."""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any, TypeVar

import msgspec

from dispatch.errors import Invalid, Malformed, Problem
from dispatch.problems import problem_of

T = TypeVar("T")


def read_json(body: bytes, kind: type[T]) -> T:
    """Return the body as a value of `kind`.

    Raises `Malformed` where it is no JSON, `Invalid` with a pointer where a field is missing, unknown or wrong. NUL
    characters and lone surrogates are refused too: the database cannot keep them.
    """
    try:
        value = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        problem = problem_of(error)
        raise Invalid(f"{problem.pointer or '/'}: {problem.detail}", problems=(problem,)) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        if pointer := no_number(body):
            raise Invalid.field(pointer, "NaN and Infinity are no numbers in JSON") from None
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if b"\\u0000" in body:
        refuse_nul(msgspec.json.decode(body))
    return value


def no_number(text: bytes | str) -> str | None:
    """Return a pointer to a NaN or Infinity that makes a text no JSON, None where there is another reason."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return next(_non_finite(value, ""), None)


def _non_finite(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, float) and not isfinite(value):
        yield pointer or "/"
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _non_finite(member, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _non_finite(member, f"{pointer}/{index}")


def refuse_nul(value: Any) -> None:
    """Raise `Invalid` with a pointer where a text holds a NUL character."""
    for pointer in _nul(value, ""):
        raise Invalid.field(pointer or "/", "holds a NUL character; take it out")


def _nul(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield pointer
    elif isinstance(value, dict):
        for key, member in value.items():
            if "\0" in key:
                yield pointer
            yield from _nul(member, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _nul(member, f"{pointer}/{index}")


def read_query(args: dict[str, list[str]], kind: type[T]) -> T:
    """Return the query parameters as a value of `kind`; an empty one counts as left out.

    Raises `Invalid` that names the parameter.
    """
    given = {}
    for name, values in args.items():
        if len(values) > 1:
            raise Invalid.field(f"/{name}", "given more than once")
        if "\0" in values[0]:
            raise Invalid.field(f"/{name}", "holds a NUL character; take it out")
        if values[0] != "":
            given[name] = values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        problem = problem_of(error)
        raise Invalid(
            f"query parameter {problem.pointer.lstrip('/')}: {problem.detail}",
            problems=(Problem(problem.pointer, problem.detail),),
        ) from None
