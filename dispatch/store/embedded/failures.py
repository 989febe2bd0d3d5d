"""Why the server did not start: one sentence with the way out, from what it wrote to its log."""

import re
import shutil
from pathlib import Path

_REASONS = (
    (r"No space left on device|Disk quota exceeded", "the disk is full ({free} free): make room and start again"),
    (r"Read-only file system", "the file system is read-only: choose another folder with --data-dir"),
    (
        r"could not create shared memory|could not map anonymous shared memory|Cannot allocate memory",
        "there is not enough memory: end something else or give this machine more",
    ),
    (
        r"has wrong ownership|has invalid permissions",
        "the folder's owner or mode was changed: its owner must be who runs the server, its mode 0700",
    ),
    (r"database files are incompatible", "its files were written by another build of PostgreSQL: {other}"),
    (
        r"could not locate a valid checkpoint record|invalid checkpoint|could not open file \"global/|PANIC:",
        "its files are damaged: bring back a backup of the folder, or move it away to begin anew",
    ),
    (
        r"lock file .* already exists|pre-existing shared memory block",
        "another PostgreSQL still runs on this folder: stop it and start again",
    ),
    (r"Permission denied", "a file in it cannot be read or written: its owner must be who runs the server"),
)

OTHER_VERSION = "start with the qiangdan that made it, or dump there (pg_dump) and restore here into a new folder"


def explain_failure(log: str, data: Path, log_file: Path) -> str:
    """Return the sentence for a server that ended before it was ready; `log` is what it wrote in this start."""
    free = f"{shutil.disk_usage(data.parent).free / 1e6:.0f} MB"
    for pattern, reason in _REASONS:
        if re.search(pattern, log):
            return f"PostgreSQL cannot start on {data}: {reason.format(free=free, other=OTHER_VERSION)}."
    errors = re.findall(r"(?:FATAL|ERROR|initdb: error):\s+(.+)", log) or log.strip().splitlines()[-1:] or ["no word"]
    return f"PostgreSQL cannot start on {data}: {errors[-1].rstrip('.')} (the whole log is in {log_file})."
