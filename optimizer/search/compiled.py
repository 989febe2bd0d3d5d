"""The one way in which functions are compiled.

Without numba's reference counts (`_nrt`), which cost some microseconds for each call that passes a tuple of arrays:
five to ten times the work of a step. So a compiled function may look into arrays, and must not make any.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numba.core.config

from optimizer.search.cache import cache_folder

F = TypeVar("F", bound=Callable[..., object])

_FOLDER = cache_folder()
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: F) -> F:
    """Compile a function at its first call, keep the code on disk, and run it without Python's lock."""
    return cast(F, _kept(function, **_OPTIONS))


def inlined(function: F) -> F:
    """Do the same, and copy the code to wherever it is called: for what is called most."""
    return cast(F, _kept(function, **_OPTIONS, forceinline=True))


def _kept(function: Callable[..., object], **options: Any) -> object:
    """Compile with our cache folder in force; others who use numba in this process keep theirs."""
    config: Any = numba.core.config
    others, config.CACHE_DIR = config.CACHE_DIR, _FOLDER or config.CACHE_DIR
    try:
        return numba.njit(**options)(function)
    finally:
        config.CACHE_DIR = others
