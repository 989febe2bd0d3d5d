"""Where compiled code is kept, so that it is compiled once for an installation and not once for a process.

Beside the source where that can be written, else in the user's cache folder, else in a folder of this user's in the
temporary directory. The folder's name holds a digest of the package's source: numba itself looks only at the file of
the function that is called, and would go on with old code where another file has changed.
"""

import hashlib
import os
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent


def cache_folder() -> str:
    """Return the folder, made if need be; the empty string where there is none, which leaves the choice to numba."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.glob("*.py")):
        digest.update(path.read_bytes())
    name = f"qiangdan-search-{digest.hexdigest()[:16]}"
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (SOURCE / "__pycache__", user / "qiangdan", Path(tempfile.gettempdir()) / f"qiangdan-{os.getuid()}"):
        folder = parent / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        # Code is loaded from it: nobody else may have put it there.
        if os.access(folder, os.W_OK) and folder.stat().st_uid in (os.getuid(), SOURCE.stat().st_uid):
            return str(folder)
    return ""


def is_compiled() -> bool:
    """Return whether the loop of the search is in the cache already."""
    return any(Path(cache_folder()).rglob("annealing.anneal-*.nbc"))
