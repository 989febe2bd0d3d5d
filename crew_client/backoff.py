"""When to come back, and whether: both pure.

The delays use full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): after a
restart of the server every crew of the city returns, and they must not return together.
"""

import random
from collections.abc import Iterator

from crew_client.errors import BadTokenError, GaveUpError, IncompatibleError, ReplacedError

RETRIED_STATUSES = frozenset({408, 425, 429})
"""HTTP refusals below 500 that pass by themselves."""

_GIVE_UP: dict[int, type[GaveUpError]] = {
    401: BadTokenError,
    403: BadTokenError,
    4401: BadTokenError,
    # Whoever connected last is the crew's phone; coming back would throw it out, and it would do the same.
    4409: ReplacedError,
    # What we say is not understood, and we would say it again.
    4400: IncompatibleError,
    1002: IncompatibleError,
    1003: IncompatibleError,
    1007: IncompatibleError,
    1009: IncompatibleError,
}


def jittered(
    rng: random.Random, *, first_s: float = 1.0, factor: float = 2.0, longest_s: float = 30.0
) -> Iterator[float]:
    """Endless delays in seconds, each drawn between zero and a ceiling that grows from `first_s` to `longest_s`."""
    if not (0 < first_s <= longest_s and factor >= 1):
        raise ValueError("jittered needs 0 < first_s <= longest_s and factor >= 1")
    ceiling = first_s
    while True:
        yield rng.uniform(0.0, ceiling)
        ceiling = min(ceiling * factor, longest_s)


def why_give_up(code: int) -> type[GaveUpError] | None:
    """Judge how a connection ended: None to come back, or the error to end with.

    `code` is a WebSocket close code (1000 to 4999; 1006 for a socket that just died), or the HTTP status (below 600)
    of a handshake that was refused. What is not known here is tried again: a crew without work costs more than a
    connection in vain.
    """
    if 400 <= code < 500 and code not in RETRIED_STATUSES:
        return _GIVE_UP.get(code, IncompatibleError)
    return _GIVE_UP.get(code)
