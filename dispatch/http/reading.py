"""From bytes to checked values: every wrong input becomes an error that names the field."""

from datetime import datetime
from typing import Any, TypeVar, get_args

import msgspec

from crew_client.protocol import without_leap_seconds
from dispatch.errors import DispatchError, Invalid, Malformed, Problem
from dispatch.problems import MAX_DEPTH, problem_of, step_of, unfit_values, unreadable_values, with_offset

T = TypeVar("T")
Query = TypeVar("Query", bound=msgspec.Struct)
MOST_PROBLEMS = 100
"""How many problems one answer lists."""


def read_json(body: bytes, kind: type[T]) -> T:
    """Return the body as a value of `kind`.

    Raises `Malformed` where it is no JSON, `Invalid` with a pointer where a field is missing, unknown or wrong.
    Refused by name too: what JSON or the database cannot hold (NaN, NUL, halves of surrogate pairs), and nesting
    that some later reader could not follow.
    """
    value = _decode(body, kind)
    suspect = b"\\u0000" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH
    if suspect and (problems := unfit_values(msgspec.json.decode(body))):
        raise _invalid(problems)
    return value


def read_list(body: bytes) -> list[Any]:
    """Return the items of a body as they came, for `read_item`; raise as `read_json` where it is no list."""
    return _decode(body, list[Any])


def read_item(given: Any, kind: type[T]) -> T:
    """Return an item of a list as a value of `kind`; raise `Invalid` with a pointer within it, as `read_json` does."""
    if problems := unfit_values(given):
        raise _invalid(problems)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise _invalid([problem_of(error, kind)]) from None


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        plain = without_leap_seconds(body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        if plain != body:
            return _decode(plain, kind)
        # What msgspec does not name, the more lenient reader may: a number too large, deep in a free object.
        unnamed = unreadable_values(body) if "[...]" in str(error) else []
        raise _invalid(unnamed or [problem_of(error, kind)]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable(body, error) from None


def _invalid(problems: list[Problem]) -> Invalid:
    first = problems[0]
    return Invalid(f"{first.pointer or 'the body'}: {first.detail}", problems=tuple(problems[:MOST_PROBLEMS]))


def _unreadable(body: bytes, error: Exception) -> DispatchError:
    """Return the error of a body that is no JSON; where a more lenient reader gets through, it names the value."""
    if isinstance(error, RecursionError):
        return malformed(f"it is nested more than {MAX_DEPTH} levels deep")
    problems = unreadable_values(body)
    return _invalid(problems) if problems else malformed(str(error))


def _kinds(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) or (kind,)


def malformed(detail: str) -> Malformed:
    """Return the error of a body that is no JSON."""
    return Malformed(f"the body cannot be read as JSON: {detail}", problems=(Problem("", detail),))


def read_query(args: dict[str, list[str]], kind: type[Query]) -> Query:
    """Return the query parameters as a value of `kind`; an empty one counts as left out.

    Raises `Invalid` that names the parameter.
    """
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    times = {field.encode_name for field in msgspec.structs.fields(kind) if datetime in _kinds(field.type)}
    given = {}
    for name, values in args.items():
        if name not in fields:
            raise Invalid.field(f"/{step_of(name)}", "unknown field")
        if len(values) > 1:
            raise Invalid.field(f"/{name}", "given more than once")
        if "\0" in values[0]:
            raise Invalid.field(f"/{name}", "holds a NUL character; take it out")
        if values[0] != "":
            given[name] = with_offset(values[0]) if name in times else values[0]
    try:
        found = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        problem = problem_of(error, kind)
        raise Invalid(
            f"query parameter {problem.pointer.lstrip('/')}: {problem.detail}",
            problems=(Problem(problem.pointer, problem.detail),),
        ) from None
    for name, text in given.items():
        value = getattr(found, fields[name])
        if value is None:
            raise Invalid.field(f"/{name}", f"{text!r} is no value; leave the parameter out")
        if isinstance(value, datetime) and text[4:5] != "-":
            raise Invalid.field(f"/{name}", "give the time as in 2026-01-15T08:30:00+08:00")
    return found
