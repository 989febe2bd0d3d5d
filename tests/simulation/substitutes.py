"""The names of the product that stand for the machine's clock, dice and logs, replaced while a seed runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatch import background, city_desk, clockkeeper, crew_commands, engine, forecasts, grab_desk, planner, relay
from dispatch.http import crew_socket, line, session
from tests.simulation.virtual_time import elapsed


class _Uncounted:
    """Metrics that nobody reads."""

    def __getattr__(self, name: str) -> "_Uncounted":
        return self

    def __call__(self, *values: Any) -> "_Uncounted":
        return self


_UNCOUNTED = _Uncounted()
_LOGGING = (
    *(background, city_desk, clockkeeper, crew_commands, engine, forecasts, grab_desk, planner, relay),
    *(crew_socket, line, session),
)


class _Log:
    """What the product would log: an exception that it did not expect is a defect."""

    def __init__(self, wrong: Any) -> None:
        self._wrong = wrong

    def exception(self, event: str, **details: Any) -> None:
        import traceback

        self._wrong(f"logged: {event} {details}\n{traceback.format_exc()}")

    error = exception

    def warning(self, event: str, **details: Any) -> None:
        pass

    info = debug = warning


class _Names:
    """Names of sessions that are younger the later they began, without dice."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return f"name-{self._count}"

    def from_datetime(self, at: Any) -> str:
        self._count += 1
        return f"{at.isoformat()} {self._count:06}"


@contextmanager
def substituted(city: Any, wrong: Any) -> Iterator[None]:
    """Put the simulation's clock, names, logs and city in their places."""

    async def load_city(*_: Any) -> Any:
        return city

    async def no_forecasts(*_: Any) -> Any:
        return city.forecasts

    log = _Log(wrong)
    places: list[tuple[Any, str, Any]] = [
        *((module, "log", log) for module in _LOGGING),
        *((module, "monotonic", elapsed) for module in (background, clockkeeper, planner, crew_socket, line, session)),
        (relay, "load_city", load_city),
        (city_desk, "load_city", load_city),
        (engine, "ULID", _Names()),
        (engine, "Metrics", lambda *_: _UNCOUNTED),
        (engine, "open_travel", lambda *_, **__: city.travel),
        (engine, "make_bus", lambda *_: None),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    try:
        for module, name, value in places:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
