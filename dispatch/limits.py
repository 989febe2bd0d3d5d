"""How many sockets this process may have open: each crew's phone is one."""

import contextlib
import resource

ENOUGH = 16_384
"""Open files: some 10,000 crews, the console, the database, and room."""

MOST = 65_536
"""What is taken where the hard limit allows it; one engine process holds some 20,000 idle crews."""


def raise_open_file_limit() -> int:
    """Raise the limit of this process as far as it may by itself, up to `MOST`, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
