"""What the person who installs or runs qiangdan can meet; the text is one sentence with the way out.

    OperatorError                the command ends with status 1 and this sentence on stderr
    ├── ConfigError              a setting is unknown or wrong; status 2, like any wrong usage
    ├── EmbeddedPostgresError    the PostgreSQL of the data folder cannot be started or reached
    ├── DatabaseUnreachable      the database URL leads nowhere
    ├── DurabilityOff            the server may forget what it has confirmed
    ├── PortTaken                somebody else listens there
    └── SchemaError
        ├── SchemaTooOld         migrations are waiting
        ├── SchemaTooNew         the database was migrated by a later version
        └── MigrationEdited      a migration differs from the one that was applied

Callers over HTTP and sockets meet `dispatch.errors` instead.
"""

from typing import ClassVar


class OperatorError(Exception):
    """Something that the operator can mend; the message says how."""

    exit_code: ClassVar[int] = 1


class ConfigError(OperatorError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_code = 2


class EmbeddedPostgresError(OperatorError):
    """The PostgreSQL of a data folder cannot be started, stopped or reached."""


class DatabaseUnreachable(OperatorError):
    """Nobody answers at the database URL, or not to this user."""


class DurabilityOff(OperatorError):
    """The server runs with a setting under which a confirmed claim can be lost."""


class PortTaken(OperatorError):
    """The port for HTTP is in use by somebody else."""


class SchemaError(OperatorError):
    """The database's schema and this version of qiangdan do not fit."""


class SchemaTooOld(SchemaError):
    """The database lacks migrations that this version needs."""


class SchemaTooNew(SchemaError):
    """The database has migrations that this version does not know."""


class MigrationEdited(SchemaError):
    """A migration file differs from the one that was applied under its number."""
