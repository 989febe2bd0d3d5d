"""How GeoReport answers are written: JSON and XML of the same values, errors too, in the format that was asked for."""

import re
from typing import Any
from xml.etree import ElementTree

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request
from sanic.exceptions import SanicException

from dispatch.errors import DispatchError, Invalid
from dispatch.georeport import GeoReportError
from dispatch.http.incoming import plain

JSON, XML = "application/json", "text/xml"
FORMATS = {"json": JSON, "xml": XML}
ITEMS = {
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "attributes": "attribute",
    "endpoints": "endpoint",
    "formats": "format",
}
"""What XML calls the items of a list; JSON gives them no name."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_encode = msgspec.json.Encoder().encode


class Document(Struct, frozen=True):
    """An answer: `value` as JSON, or within an element `root` as XML."""

    root: str
    value: Any


def format_of(request: Request) -> str:
    """Return the content type to answer with: by the address, else by `Accept`, else JSON."""
    _, dot, ending = request.path.rpartition("/")[2].rpartition(".")
    if dot and ending in FORMATS:
        return FORMATS[ending]
    try:
        wanted = str(request.accept.match(JSON, XML, "application/xml"))
    except SanicException:  # a header that cannot be read
        return JSON
    return XML if wanted.endswith("/xml") else JSON


def written(request: Request, document: Document, status: int = 200) -> HTTPResponse:
    """Return an answer in the format that was asked for; it is for this caller alone, and nobody keeps it."""
    kind = format_of(request)
    body = to_xml(document) if kind == XML else _encode(document.value)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HTTPResponse(body, status=status, content_type=f"{kind}; charset=utf-8", headers=headers)


def refused(request: Request, error: DispatchError) -> HTTPResponse:
    """Return an error as GeoReport asks: a list of one, with its HTTP status within."""
    response = refusal(request, 400 if isinstance(error, Invalid) else error.status, error.detail)
    if error.status == 503:
        response.headers["Retry-After"] = "2"
    return response


def refusal(request: Request, status: int, detail: str) -> HTTPResponse:
    """Return a refusal in the format that was asked for; what it quotes of headers may be no text."""
    return written(request, Document("errors", [GeoReportError(status, plain(detail))]), status)


def to_xml(document: Document) -> bytes:
    """Return a document as XML in UTF-8, well formed whatever it says: what XML cannot hold is replaced by U+FFFD."""
    root = ElementTree.Element(document.root)
    _fill(root, msgspec.to_builtins(document.value))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}'.encode()


def _fill(element: ElementTree.Element, value: Any) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _fill(ElementTree.SubElement(element, name), member)
    elif isinstance(value, list):
        for member in value:
            _fill(ElementTree.SubElement(element, ITEMS[element.tag]), member)
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        element.text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
