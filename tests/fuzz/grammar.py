"""Messages by the grammar of the protocol's own structs, and mutations that break exactly one thing.

A generator reads `msgspec.inspect`, so a new message or field is fuzzed from the day it exists. Everything comes from
one `random.Random`: the same seed says the same.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

Message = dict[str, Any]
NOW = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
HUGE = (10**30, -(10**30), 2**63, 2**64, 1e308, -1e308, 5e-324)
ODD_TEXTS = (
    "",
    "\u2028",
    "﷽",
    "e\u0301" * 8,
    "👩‍👩‍👧",
    "' OR 1=1 --",
    "../../etc/passwd",
    "${jndi:x}",
    "\x7f\x1b[31m",
    "中文",
)


class Mutated(NamedTuple):
    """The text of a frame, what was done to it, and the words of which an error must name one."""

    text: str
    what: str
    names: tuple[str, ...]


class Grammar:
    """The messages of one direction of a socket; `texts` are strings that break software, `orders` exist."""

    def __init__(self, kinds: Sequence[type], *, texts: Sequence[str], orders: Sequence[str]) -> None:
        self._structs = {kind.__struct_config__.tag: inspect.type_info(kind) for kind in kinds}  # type: ignore[attr-defined]
        self._texts = [*ODD_TEXTS, *texts]
        self._orders = orders

    @property
    def kinds(self) -> list[str]:
        """The types of message."""
        return list(self._structs)

    def message(self, rng: Random, kind: str) -> Message:
        """A message that the protocol allows, now and then with a member that it does not know."""
        struct = self._structs[kind]
        assert isinstance(struct, inspect.StructType)
        message = {"type": kind, **self._members(rng, struct)}
        if kind == "ping":
            message["any"] = self._anything(rng)
        elif rng.random() < 0.1:
            message[rng.choice(("colour", "Order", "__class__", "ID"))] = rng.choice((None, 1, {}))
        return message

    def mutate(self, rng: Random, message: Message) -> Mutated:
        """The message with one thing wrong."""
        struct = self._structs[message["type"]]
        assert isinstance(struct, inspect.StructType)
        ways: list[Callable[[Random, Message, inspect.StructType], Mutated]] = [_type, _no_type, _no_object, _broken]
        if struct.fields:
            ways += [_wrong] * 4 + [_not_finite, _surrogate, _nul, _deep]
        if any(field.required for field in struct.fields):
            ways += [_missing] * 2
        return rng.choice(ways)(rng, message, struct)

    def _members(self, rng: Random, struct: inspect.StructType) -> Message:
        return {
            field.encode_name: self._order(rng) if field.name == "order" else self._value(rng, field.type)
            for field in struct.fields
            if field.required or rng.random() < 0.5
        }

    def _order(self, rng: Random) -> str:
        return rng.choice(self._orders) if rng.random() < 0.7 else self._text(rng, 1, 64)

    def _text(self, rng: Random, least: int, most: int) -> str:
        text = rng.choice(self._texts) if rng.random() < 0.7 else chr(rng.randrange(1, 0xD800)) * rng.randrange(1, 70)
        text = text.replace("\0", "")[:most]
        return text if len(text) >= least else text + "x" * (least - len(text))

    def _value(self, rng: Random, kind: inspect.Type) -> Any:
        match kind:
            case inspect.Metadata(type=inner):
                return self._value(rng, inner)
            case inspect.UnionType(types=kinds):
                return self._value(rng, rng.choice(kinds))
            case inspect.NoneType():
                return None
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.IntType(ge=least, le=most):
                return rng.choice((least or 0, rng.randrange(10**6), most or 2**62))
            case inspect.FloatType(ge=low, le=high):
                low, high = (-1e9 if low is None else low), (1e9 if high is None else high)
                return rng.choice((low, high, rng.uniform(low, high)))
            case inspect.StrType(min_length=short, max_length=long):
                return self._text(rng, short or 0, long or 200)
            case inspect.LiteralType(values=values):
                return rng.choice(values)
            case inspect.DateTimeType():
                return (NOW + timedelta(seconds=rng.randrange(-(10**9), 10**9))).isoformat()
            case inspect.StructType():
                return self._members(rng, kind)
            case inspect.VarTupleType(item_type=item):
                return [self._value(rng, item) for _ in range(rng.randrange(4))]
            case inspect.TupleType(item_types=items):
                return [self._value(rng, item) for item in items]
        raise AssertionError(f"the grammar does not know {kind}")

    def _anything(self, rng: Random, depth: int = 0) -> Any:
        if depth > 3 or rng.random() < 0.5:
            return rng.choice((None, True, 0, -1, *HUGE, rng.random(), self._text(rng, 0, 200)))
        if rng.random() < 0.5:
            return [self._anything(rng, depth + 1) for _ in range(rng.randrange(5))]
        return {self._text(rng, 0, 20): self._anything(rng, depth + 1) for _ in range(rng.randrange(5))}


def _type(rng: Random, message: Message, _: inspect.StructType) -> Mutated:
    wrong = rng.choice(("", "Grab", "grab ", "__proto__", 7, None, ["grab"], "welcome"))
    return Mutated(json.dumps({**message, "type": wrong}), f"type {wrong!r}", ("type",))


def _no_type(rng: Random, message: Message, _: inspect.StructType) -> Mutated:
    return Mutated(json.dumps({name: value for name, value in message.items() if name != "type"}), "no type", ("type",))


def _no_object(rng: Random, message: Message, _: inspect.StructType) -> Mutated:
    text = rng.choice(("null", "true", "7", '"text"', "[]", json.dumps([message])))
    return Mutated(text, "no object", ("object",))


def _broken(rng: Random, message: Message, _: inspect.StructType) -> Mutated:
    text = json.dumps(message)
    ways = (
        text[: rng.randrange(len(text))],
        text + "}",
        text + text,
        "\ufeff" + text,
        text.replace('"', "'"),
        "{" * 40,
    )
    return Mutated(rng.choice(ways), "no JSON", ())


def _missing(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    name = rng.choice([field.encode_name for field in struct.fields if field.required])
    return Mutated(json.dumps({k: v for k, v in message.items() if k != name}), f"no {name}", (name,))


def _wrong(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    field = rng.choice(msgspec.structs.fields(struct.cls))
    name = field.encode_name
    value = rng.choice([value for value in (*_WRONG, *HUGE) if not _fits(value, field.type)])
    return Mutated(json.dumps({**message, name: value}), f"{name} = {value!r}"[:100], (name,))


def _not_finite(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    name, literal = rng.choice(struct.fields).encode_name, rng.choice(("NaN", "Infinity", "-Infinity", "1e999"))
    text = json.dumps({**message, name: "@"}).replace('"@"', literal)
    return Mutated(text, f"{name} = {literal}", (name,))


def _nul(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    names = [name for name in ("id", "order") if name in message]
    if not names:
        return _surrogate(rng, message, struct)
    name = rng.choice(names)
    return Mutated(json.dumps({**message, name: "a\0"}), f"{name} = NUL", (name,))


def _surrogate(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    name, half = rng.choice(struct.fields).encode_name, rng.choice(("\\ud800", "\\udfff", "x\\ud83d"))
    return Mutated(json.dumps({**message, name: "@"}).replace('"@"', f'"{half}"'), f"{name} = {half}", (name,))


def _deep(rng: Random, message: Message, struct: inspect.StructType) -> Mutated:
    field, depth = rng.choice(msgspec.structs.fields(struct.cls)), rng.choice((40, 100, 900, 1100, 20_000))
    name, array = field.encode_name, ("[", "]")
    # An object's unknown members may be as deep as a reader can follow.
    opening, closing = array if _fits({"a": 1}, field.type) else rng.choice((array, ('{"a":', "}")))
    text = json.dumps({**message, name: "@"}).replace('"@"', opening * depth + "0" + closing * depth)
    return Mutated(text[:60_000], f"{name} nested {depth} deep", ())


_WRONG: tuple[Any, ...] = (None, True, "", "x" * 50_000, 7, -7, 1.5, [], {}, [None], {"a": 1}, "2026-13-01T00:00:00Z")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value of `_WRONG` would be right after all."""
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True
