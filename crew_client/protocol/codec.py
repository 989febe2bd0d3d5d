"""Frames to messages and back. `encode` gives the text of a frame; the decoders raise `ProtocolError` alone."""

import re
from typing import TypeVar

import msgspec

from crew_client.protocol.messages import FromCrew, ToCrew

FRAME_LIMIT = 64 * 1024
"""The largest frame that the server takes, in bytes."""

T = TypeVar("T")
_PATH = re.compile(r" - at `\$?([^`]*)`$")
_LEAP_SECOND = re.compile(r'("\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d):60((?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")')
_from_crew: msgspec.json.Decoder[FromCrew] = msgspec.json.Decoder(FromCrew)
_to_crew: msgspec.json.Decoder[ToCrew] = msgspec.json.Decoder(ToCrew)
_encoder = msgspec.json.Encoder()


class ProtocolError(ValueError):
    """A frame is not a message of the protocol. `field` is the path of what is wrong, empty for the whole frame."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.detail = detail
        self.field = field


def without_leap_seconds(text: str) -> str:
    """Return a JSON text in which a leap second (RFC 3339, 5.6) is the second before it: no clock here has one."""
    return _LEAP_SECOND.sub(r"\1:59\2", text)


def _decode(decoder: msgspec.json.Decoder[T], frame: str | bytes) -> T:
    try:
        return decoder.decode(frame)
    except msgspec.ValidationError as error:
        if isinstance(frame, str) and (plain := without_leap_seconds(frame)) != frame:
            return _decode(decoder, plain)
        text = str(error)
        found = _PATH.search(text)
        raise ProtocolError(text[: found.start()] if found else text, found[1].lstrip(".") if found else "") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not a JSON object: {error}") from None


def decode_from_crew(frame: str | bytes) -> FromCrew:
    """Read a frame that a crew sent."""
    return _decode(_from_crew, frame)


def decode_to_crew(frame: str | bytes) -> ToCrew:
    """Read a frame that the server sent."""
    return _decode(_to_crew, frame)


def encode(message: FromCrew | ToCrew) -> str:
    """Write a message as the text of one frame."""
    return _encoder.encode(message).decode()
