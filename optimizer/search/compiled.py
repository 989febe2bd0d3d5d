"""The one way in which functions are compiled."""

from collections.abc import Callable
from typing import TypeVar, cast

from optimizer.search.cache import place_cache

place_cache()

import numba  # noqa: E402  # looks for its cache folder when it is imported

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function at its first call, keep the code on disk, and run it without Python's lock.

    Without numba's reference counts (`_nrt`), which cost some microseconds for each call that passes a tuple of
    arrays: five to ten times the work of a step. So a compiled function may look at arrays, and must not make any.
    """
    jit = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
    return cast(F, jit(function))
