"""Every error that a caller can meet; each has one stable wire `code` and one HTTP status.

    DispatchError
    ├── Invalid            422  invalid             a field is wrong; `problems` point at it
    ├── Malformed          400  malformed           not the JSON (or the parameters) of this route
    ├── TooLarge           413  too_large           body over the limit
    ├── HeadersTooLarge    431  headers_too_large   the request's line and headers over the limit
    ├── EncodedBody        415  encoded_body        a body that is packed (Content-Encoding)
    ├── KeyReused          422  key_reused          one Idempotency-Key, two bodies
    ├── Unauthenticated    401  unauthenticated     no token, or one that is not known
    ├── Forbidden          403  forbidden           the token's role may not do this
    ├── NotFound           404  not_found           no such thing in this city
    ├── LinkGone           410  link_gone           a sign-in link that is over, or never was one
    ├── MethodNotAllowed   405  method_not_allowed  the route does not know this method
    ├── Impossible         409  impossible          the order's state does not allow the action
    ├── StaleVersion       409  stale_version       somebody changed the order first; `order` is the current one
    ├── Conflict           409  conflict            a thing of that name exists already
    └── Unavailable        503  unavailable         the database does not answer; nothing was taken

A lost grab is a result, not an error: see `dispatch.grabs`.
"""

from typing import Any, ClassVar

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One thing wrong with an input: where (a JSON pointer, RFC 6901) and what to do about it."""

    pointer: str
    detail: str


class DispatchError(Exception):
    """Something went wrong that the caller can act on; the class docstring is the default sentence."""

    code: ClassVar[str] = "failed"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Failed"

    def __init__(self, detail: str | None = None, *, problems: tuple[Problem, ...] = (), extra: Any = None) -> None:
        self.detail = detail or (self.__class__.__doc__ or "").split("\n")[0]
        self.problems = problems
        self.extra: dict[str, Any] = extra or {}
        super().__init__(self.detail)

    def document(self) -> dict[str, Any]:
        """Return the problem document that a caller gets (RFC 9457)."""
        document = {
            "type": f"urn:qiangdan:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }
        return document | ({"errors": self.problems} if self.problems else {})


class Invalid(DispatchError):
    """The input does not say what this action needs; see errors."""

    code, status, title = "invalid", 422, "Invalid input"

    @classmethod
    def field(cls, pointer: str, detail: str) -> "Invalid":
        """Return the error for one wrong field, or with no pointer for the whole body."""
        return cls(f"{pointer or 'the body'}: {detail}", problems=(Problem(pointer, detail),))


class Malformed(DispatchError):
    """The request could not be read."""

    code, status, title = "malformed", 400, "Malformed request"


class TooLarge(DispatchError):
    """The body is larger than this route takes."""

    code, status, title = "too_large", 413, "Body too large"


class HeadersTooLarge(DispatchError):
    """The request's address and headers are larger than this server takes; send fewer or shorter ones."""

    code, status, title = "headers_too_large", 431, "Headers too large"


class EncodedBody(DispatchError):
    """The body is packed; send it as it is, without Content-Encoding."""

    code, status, title = "encoded_body", 415, "Body is packed"


class KeyReused(DispatchError):
    """This Idempotency-Key came before with another body; use a new key for a new request."""

    code, status, title = "key_reused", 422, "Idempotency key reused"


class Unauthenticated(DispatchError):
    """A token is needed: Authorization: Bearer TOKEN."""

    code, status, title = "unauthenticated", 401, "Token needed"


class Forbidden(DispatchError):
    """The role of this token may not do this."""

    code, status, title = "forbidden", 403, "Not for this role"


class NotFound(DispatchError):
    """There is no such thing in this city."""

    code, status, title = "not_found", 404, "Not found"


class LinkGone(DispatchError):
    """This sign-in link is not known here; ask for another."""

    code, status, title = "link_gone", 410, "Link no longer valid"


class MethodNotAllowed(DispatchError):
    """This route does not know that method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class Impossible(DispatchError):
    """The order's state does not allow this action."""

    code, status, title = "impossible", 409, "Not possible now"


class StaleVersion(DispatchError):
    """The order has changed since the version that you saw; look at it again."""

    code, status, title = "stale_version", 409, "Version no longer current"


class Conflict(DispatchError):
    """A thing of that name exists already."""

    code, status, title = "conflict", 409, "Exists already"


class Unavailable(DispatchError):
    """The database does not answer; nothing was taken, try again in a moment."""

    code, status, title = "unavailable", 503, "Unavailable"
