"""What a request brings, before anything of it is understood: its token, where it was sent to, its body."""

from sanic import Request

from dispatch.errors import EncodedBody, TooLarge


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, of which no more than `limit` is ever kept; the server throws away what is over.

    The route must be one that streams its body.
    """
    packed = request.headers.get("content-encoding", "identity").strip()
    if packed.lower() not in ("identity", ""):
        raise EncodedBody(f"the body says Content-Encoding: {plain(packed)}; send it as it is, without that header")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"the body has {announced} bytes, this route takes {limit}")
    parts: list[bytes] = []
    size = 0
    if request.stream is not None:
        async for part in request.stream:  # type: ignore[attr-defined]  # the stream of HTTP/1 is one
            size += len(part)
            if size > limit:
                raise TooLarge(f"the body has more than the {limit} bytes that this route takes")
            parts.append(part)
    return b"".join(parts)


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request, None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def origin_of(request: Request) -> str:
    """Return where the caller reached us, `https://host`: as a proxy tells it, where there is one.

    Bytes of a header that are no text are replaced: such an origin is nobody's.
    """
    scheme = request.headers.get("x-forwarded-proto") or request.scheme
    host = request.headers.get("x-forwarded-host") or request.headers.get("host") or ""
    return plain(f"{scheme}://{host}")


def plain(text: str) -> str:
    """Return a header's text with its bytes that are no characters replaced."""
    return text.encode(errors="replace").decode()
