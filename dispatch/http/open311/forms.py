"""Forms as bodies of requests: URL-encoded, or in parts."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from sanic.headers import parse_content_header
from sanic.request import parse_multipart_form

from dispatch.errors import Malformed

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MOST_FIELDS = 1_000


def read_form(content_type: str | None, body: bytes) -> tuple[Mapping[str, list[str]], bool]:
    """Return the members of a form, and whether files came with it, which nobody keeps; raise `Malformed`."""
    kind, options = parse_content_header(content_type or FORM)
    try:
        if kind == FORM:
            text = body.decode()
            return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS), False
        if kind == MULTIPART:
            boundary = str(options.get("boundary", "")).encode()
            fields, files = parse_multipart_form(body, boundary)  # type: ignore[no-untyped-call]  # Sanic has no types
            return fields, bool(files)
    except (ValueError, LookupError) as error:
        raise Malformed(f"the form cannot be read, as {kind} in UTF-8: {error}") from None
    raise Malformed(f"a request is sent as {FORM} or {MULTIPART}, not {kind[:80]}; JSON goes to POST /api/v1/reports")
