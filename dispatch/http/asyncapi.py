"""The AsyncAPI 3.0 document of both sockets, made from the structs that server and client share."""

from datetime import datetime
from typing import Any, get_args

import msgspec
from msgspec import Struct

from crew_client.protocol import Error, FromCrew, Pong, PublicOrder, ToCrew
from dispatch.http.console_socket import ConsoleAck, ConsoleHello, ConsolePing
from dispatch.http.shapes import EventOut
from dispatch.hub import CrewRow


class Snapshot(Struct, frozen=True, tag="snapshot"):
    """Everything that a console is to see at `seq`; with `resumed` the events after `seq` follow instead."""

    seq: int
    epoch: str
    server_time: datetime
    resumed: bool
    orders: list[PublicOrder] = []
    crews: list[CrewRow] = []


class Fix(Struct, frozen=True):
    """Where a crew is."""

    crew: str
    lon: float
    lat: float
    accuracy_m: float
    at: datetime


class Positions(Struct, frozen=True, tag="positions"):
    """The newest fix of each crew that moved, at most once a second."""

    positions: list[Fix]


class Event(EventOut, frozen=True, tag="event"):
    """One row of the city's log, in order."""


FROM_CONSOLE = (ConsoleHello, ConsoleAck, ConsolePing)
TO_CONSOLE = (Snapshot, Event, Positions, Error, Pong)


def asyncapi_document() -> bytes:
    """Return the document as JSON."""
    sockets = {
        "crew": ("/ws/v1/crew", get_args(FromCrew), get_args(ToCrew), "A technician's phone."),
        "console": ("/ws/v1/console", FROM_CONSOLE, TO_CONSOLE, "A dispatcher's or a monitor's screen."),
    }
    kinds = list(dict.fromkeys(kind for _, sent, heard, _ in sockets.values() for kind in (*sent, *heard)))
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    messages = {
        kind.__name__: {
            "name": kind.__struct_config__.tag,
            "title": kind.__name__,
            "summary": (kind.__doc__ or "").split("\n")[0],
            "contentType": "application/json",
            "payload": schema,
        }
        for kind, schema in zip(kinds, schemas, strict=True)
    }
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, (address, sent, heard, what) in sockets.items():
        channels[name] = {
            "address": address,
            "description": what,
            "messages": {
                kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}
                for kind in dict.fromkeys((*sent, *heard))
            },
            "bindings": {"ws": {"method": "GET"}},
        }
        for action, group in (("receive", sent), ("send", heard)):
            operations[f"{action}_{name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{kind.__name__}"} for kind in group],
            }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "qiangdan sockets",
            "version": "1",
            "description": "Subprotocol qiangdan.v1: one JSON object a text frame, told apart by `type`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components},
    }
    return msgspec.json.encode(document)
