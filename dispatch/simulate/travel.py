"""`travel.toml`: how long a drive takes in a scenario. Without the file, the product's own metric travel."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispatch.config import TravelSettings
from dispatch.crews import Travel
from dispatch.operator_errors import OperatorError
from geo import MetricTravel


class TravelError(OperatorError):
    """A `travel.toml` cannot be used; the message names the key and the way out."""


def read_travel(path: Path) -> Travel:
    """Return the travel times that a file asks for; raise `TravelError`."""
    try:
        asked = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        asked = {}
    except OSError as error:
        raise TravelError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TravelError(f"{path} is not TOML: {error}.") from None
    kind = asked.pop("kind", "metric")
    if kind not in _KINDS:
        raise TravelError(f"{path}, key kind: there is no travel {kind!r}; choose one of {', '.join(_KINDS)}.")
    known, make = _KINDS[kind]
    if unknown := sorted(set(asked) - set(known)):
        raise TravelError(f"{path}: the key {unknown[0]} is not known to {kind} travel; it knows {', '.join(known)}.")
    return make(path, asked)


def _metric(path: Path, asked: dict[str, Any]) -> Travel:
    usual = TravelSettings()
    numbers = {"speed_mps": usual.speed_mps, "detour": usual.detour, **asked}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TravelError(f"{path}, key {key}: it must be a number, not {value!r}.")
    try:
        return MetricTravel(**numbers)
    except ValueError as error:
        raise TravelError(f"{path}: {error}.") from None


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Path, dict[str, Any]], Travel]]] = {
    "metric": (("speed_mps", "detour"), _metric),
}
"""What each kind of travel knows, and how it is made."""
