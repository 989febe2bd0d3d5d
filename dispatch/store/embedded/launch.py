"""Become the server's user, tie one's life to the parent's, and turn into the given command.

Run as a script by its path, in a fresh interpreter, so that nothing of this happens in a forked copy of a process
with threads. Usage: launch.py UID GID PARENT SIGNAL COMMAND...; UID -1 keeps the user, SIGNAL 0 does not tie.

The user changes first, since that forgets the tie to the parent; imports come before both, since the new user may
not be able to read Python's own files.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CANNOT_EXECUTE = 126


def tie_to_parent(parent: int, signal_number: int) -> None:
    """Ask the kernel for this signal when the parent dies (Linux; elsewhere nothing); end here if it has died."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def main(argv: list[str]) -> None:
    """Do what the module says; ends with status 126 where the command cannot be executed."""
    uid, gid, parent, signal_number = (int(text) for text in argv[:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if signal_number:
        tie_to_parent(parent, signal_number)
    try:
        os.execv(argv[4], argv[4:])
    except OSError as error:
        sys.stderr.write(f"{argv[4]}: {error.strerror}\n")
        sys.exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main(sys.argv[1:])
