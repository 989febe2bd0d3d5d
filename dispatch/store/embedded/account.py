"""Whose process the server is: PostgreSQL refuses to run as root, and only takes a folder that it owns."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from dispatch.operator_errors import EmbeddedPostgresError

NAME = "qiangdan"


class Account(NamedTuple):
    """The user that the server runs as; `switch` says whether that is another than ours."""

    uid: int
    gid: int
    switch: bool

    def give(self, path: Path) -> None:
        """Make a file or folder belong to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def server_account(data: Path) -> Account:
    """Return the user for the server of this data folder, made if need be; an existing folder keeps its owner.

    Raises `EmbeddedPostgresError` for a folder that belongs to somebody we cannot act as.
    """
    own_uid = os.geteuid()
    if data.exists():
        owner = data.stat()
        if owner.st_uid == 0:
            raise EmbeddedPostgresError(
                f"The folder {data} belongs to root, and PostgreSQL does not run as root: "
                f"give it to the user {NAME} with 'chown -R {NAME}: {data}' and start again."
            )
        if own_uid not in (0, owner.st_uid):
            raise EmbeddedPostgresError(
                f"The folder {data} belongs to the user {_user_name(owner.st_uid)}: "
                "start as that user or as root, or choose another folder with --data-dir."
            )
        return Account(owner.st_uid, owner.st_gid, switch=own_uid != owner.st_uid)
    if own_uid == 0:
        entry = _system_user()
        return Account(entry.pw_uid, entry.pw_gid, switch=True)
    return Account(own_uid, os.getegid(), switch=False)


def _system_user() -> pwd.struct_passwd:
    """Return the user `qiangdan`, made if need be; where none can be made, the one meant for such things."""
    for name in (NAME, "postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            if name == NAME and _make_system_user():
                return pwd.getpwnam(NAME)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root and the user {NAME} could not be made: make it with "
        f"'useradd --system {NAME}', start as another user, or set a database URL."
    )


def _make_system_user() -> bool:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        return False
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run([*command, "--shell", "/usr/sbin/nologin", NAME], capture_output=True, check=False)
    return made.returncode in (0, 9)  # 9: somebody else has just made it


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
