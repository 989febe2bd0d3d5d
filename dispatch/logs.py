"""Logs: one event a line on stderr, with the ids of what it is about; JSON unless a person looks on.

Ids only, never names or phone numbers: a key that could hold one is withheld, whoever wrote it. The ids (`city`,
`order`, `crew`, `request`) are bound once at the edge with `bound` and appear on every line below it.
"""

import json
import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import structlog

WITHHELD = frozenset(
    {"name", "phone", "contact", "address", "description", "comment", "note", "lon", "lat", "location", "position"}
    | {"token", "password", "authorization", "secret", "database_url"}
)
"""Keys whose values say who or where somebody is, or let one in."""

# Without the local variables: among them are tokens, names and phone numbers.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))

LogFormat = Literal["auto", "json", "text"]

# Their lines come through ours; access logs of every request would drown the rest.
_ROUTED = ("sanic.root", "sanic.error", "sanic.server", "sanic.websockets", "websockets", "asyncio")
_SILENT = ("sanic.access", "httpx", "httpcore")


def configure_logs(level: str = "info", log_format: LogFormat = "auto", *, process: str = "qiangdan") -> None:
    """Set up this process's logs; `process` (`engine-1`, `planner`) is on every line. Call it first, once."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
        withhold,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[structlog.typing.Processor] = (
        [_tracebacks, structlog.processors.JSONRenderer(serializer=_to_json)]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in (*_ROUTED, *_SILENT):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        if name in _SILENT:
            logger.setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; an event is a past participle, its details are keywords."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found


@contextmanager
def bound(**ids: str | None) -> Iterator[None]:
    """Put these ids (`city`, `order`, `crew`, `request`) on every line logged in the block; None is left out."""
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value is not None}):
        yield


def withhold(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must not be logged, also inside nested values."""
    return {key: _withheld(key, value) for key, value in line.items()}


def _withheld(key: str, value: Any) -> Any:
    if key.lower() in WITHHELD:
        return "(withheld)"
    if isinstance(value, dict):
        return {inner: _withheld(str(inner), part) for inner, part in value.items()}
    return value


def _name_process(process: str) -> structlog.typing.Processor:
    def add(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["process"] = process
        return line

    return add


def _to_json(line: Any, **_: Any) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=str).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as in a header that is no UTF-8: written as its escape
        return json.dumps(line, default=str)
