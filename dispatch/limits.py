"""How many sockets this process may have open: each crew's phone is one."""

import contextlib
import resource

ENOUGH = 16_384
"""Open files: some 10,000 crews, the console, the database, and room."""


def raise_open_file_limit() -> int:
    """Raise the limit of this process as far as it may by itself, up to `ENOUGH`, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
