"""Where compiled code is kept, so that it is compiled once for an installation and not once for a process.

Numba keeps it beside the source or, where that folder cannot be written (a system-wide installation), in the user's
cache folder; with neither it gives up. Then a folder of this user's in the temporary directory serves. To be imported
before numba.
"""

import os
import tempfile
from pathlib import Path


def place_cache() -> None:
    """Name a folder for numba's cache where its own choices could not be written; `NUMBA_CACHE_DIR` is kept."""
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parent, os.W_OK) or _home_can_be_written():
        return
    folder = Path(tempfile.gettempdir()) / f"qiangdan-compiled-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid == os.getuid():  # code is loaded from it: nobody else's will do
        os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _home_can_be_written() -> bool:
    at = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    while not at.exists():
        at = at.parent
    return os.access(at, os.W_OK)
